"""The page's section on a hyper-parameter search: table, fronts, parallel coordinates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from pipeline.documents.trials import Front, TrialResult, Trials
from pipeline.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    figure,
    frame,
    x_axis,
    y_axis,
)
from pipeline.report.words import number

SHOWN = 20  # trials in the table
AXES = 9  # of the parallel coordinates; more cannot be read
LABEL = 16  # signs of an axis' name
COSTS = {"bytes": "file size, kB", "latency_ms": "latency estimated by Vela, ms"}
SCALE = {"bytes": 1000.0, "latency_ms": 1.0}


def context(trials: Trials | None) -> dict[str, Any] | None:
    """Return the template's values of trials.json; None where nothing was searched."""
    if trials is None:
        return None
    done = [row for row in trials.trials if row.score is not None]
    return {
        "trials": trials.trials[:SHOWN],
        "count": len(trials.trials),
        "finished": len(done),
        "metric": trials.metric,
        "picked": trials.picked,
        "tuner": trials.tuner,
        "format": trials.format,
        "has_latency": any(row.costs.get("latency_ms") is not None for row in done),
        "fronts": {by: _front_chart(trials, done, by) for by in trials.fronts},
        "areas": {by: _area(found, by) for by, found in trials.fronts.items()},
        "parallel": _parallel(trials, done),
    }


def _area(found: Front, by: str) -> str:
    """Return a front's hypervolume and its reference point in words."""
    unit = by.rpartition("_")[2]
    point = f"{found.reference.score:.4f} at {number(found.reference.cost)} {unit}"
    return f"{number(found.hypervolume)}, from the reference point {point}"


def _front_chart(trials: Trials, done: Sequence[TrialResult], by: str) -> Markup:
    """Return score against cost: a dot a trial, and the line of those that nothing beats."""
    known = [row for row in done if row.costs.get(by) is not None]
    at = {row.trial: (row.known_cost(by) / SCALE[by], row.known_score) for row in known}
    across = x_axis(COSTS[by], [x for x, _ in at.values()])
    up = y_axis(trials.metric, [y for _, y in at.values()])

    def placed(point: tuple[float, float]) -> tuple[float, float]:
        return across.at(point[0]), up.at(point[1])

    title = f"{trials.metric} against {COSTS[by]}"
    front = [placed(at[name]) for name in trials.fronts[by].trials]
    steps = [
        f"{x:.1f},{y:.1f}" for (x, _), (_, y) in zip(front[1:], front[:-1], strict=True)
    ]  # a front is a staircase: between two trials nothing better is known
    line = [f"{x:.1f},{y:.1f}" for x, y in front]
    stairs = [point for pair in zip(line, steps, strict=False) for point in pair] + line[-1:]
    parts = frame(across, up)
    parts.append(f'<polyline class="curve c1" points="{" ".join(stairs)}"/>')
    for row in known:
        x, y = placed(at[row.trial])
        is_picked = row.trial == trials.picked
        parts.append(
            f'<circle class="dot c{2 if is_picked else 0}" r="{5 if is_picked else 3}" '
            f'cx="{x:.1f}" cy="{y:.1f}"><title>trial {row.trial}: {row.score:.4f}, '
            f"{number(at[row.trial][0])}</title></circle>"
        )
    legend = {"trial": 0, "Pareto front": 1, "chosen": 2}
    caption = f"{len(known)} trials, {len(front)} of them on the front"
    return figure(parts, legend, title=title, caption=caption)


def _parallel(trials: Trials, done: Sequence[TrialResult]) -> Markup | None:
    """Return parallel coordinates (Inselberg 1985), one line a trial; the best half has color."""
    paths = [path for path in trials.space if any(path in row.values for row in done)]
    paths = paths[: AXES - 1]
    if len(done) < 2:
        return None
    columns = {path: _column([row.values.get(path) for row in done]) for path in paths}
    columns[trials.metric] = _column([row.score for row in done])
    xs = np.linspace(LEFT, WIDTH - LEFT, len(columns))
    title = "parallel coordinates of the trials"
    parts: list[str] = []
    for x, (name, (heights, low, high)) in zip(xs, columns.items(), strict=True):
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{_BASE}"/>')
        short = _short(name)
        labels = ((high, TOP - 3), (low, _BASE + 13), (short, HEIGHT - 6))
        parts += [
            f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{escape(text)}'
            f"<title>{escape(name)}</title></text>"
            for text, y in labels
        ]
        assert len(heights) == len(done)
    order = list(range(len(done)))[::-1]  # best first in the table, so last on the page
    for place in order:
        points = [
            f"{x:.1f},{_BASE - heights[place] * (_BASE - TOP):.1f}"
            for x, (heights, _, _) in zip(xs, columns.values(), strict=True)
            if heights[place] is not None
        ]
        row = done[place]
        is_picked = row.trial == trials.picked
        color = 2 if is_picked else 0 if place < len(done) / 2 else 5
        width = " bold" if is_picked else " thin"
        parts.append(
            f'<polyline class="curve c{color}{width}" points="{" ".join(points)}">'
            f"<title>trial {row.trial}: {row.score:.4f}</title></polyline>"
        )
    legend = {"chosen": 2, "better half": 0, "other": 5}
    return figure(parts, legend, title=title, caption=f"{len(done)} trials")


_BASE = HEIGHT - BOTTOM


def _short(path: str) -> str:
    """Return the last words of a path that an axis has room for: `filters.0`, `learning_rate`."""
    words = path.split(".")
    while len(".".join(words)) > LABEL and len(words) > 1:
        words = words[1:]
    return ".".join(words)[-LABEL:]


def _column(values: Sequence[Any]) -> tuple[list[Any], str, str]:
    """Return heights in [0, 1] on an axis, None for no value, and the names of its ends."""
    known = [value for value in values if value is not None]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    if not is_number:
        names = sorted({str(value) for value in known})
        rank = {name: k / max(1, len(names) - 1) for k, name in enumerate(names)}
        heights = [None if value is None else rank[str(value)] for value in values]
        return heights, names[0], names[-1]
    low, high = min(known), max(known)
    is_log = low > 0 and high / low > 30
    scale = np.log if is_log else float
    span = float(scale(high) - scale(low)) or 1.0
    heights = [None if v is None else float(scale(v) - scale(low)) / span for v in values]
    return heights, number(low), number(high)
