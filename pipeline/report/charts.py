"""Charts as inline SVG: in the page's colors, without a script or another file. Pure.

Curves differ by dashes, too, so that they can be told apart on paper and without colors. A caption
states each chart in words, for those who do not see it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from pipeline.report.words import number

WIDTH, HEIGHT = 560, 270  # of the drawing; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 82, 16, 16, 46
TICKS = 5
DOTTED = 12  # points of a curve up to which each has a dot
COLORS = 6
SHORT = 3  # signs of the last tick that fit to the right of it

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis: its label with the unit, the values it spans, and where each stands."""

    label: str
    ticks: tuple[float, ...]
    start: float
    """Where the first tick stands in the drawing."""
    end: float
    is_log: bool = False
    """Whether ticks are powers of ten."""

    def at(self, value: float) -> float:
        """Return where a value stands in the drawing."""
        return self.of_tick(math.log10(max(value, 10 ** self.ticks[0])) if self.is_log else value)

    def of_tick(self, tick: float) -> float:
        """Return where a tick stands: of powers of ten, the exponent."""
        share = (tick - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return self.start + share * (self.end - self.start)

    def tick_text(self, tick: float) -> str:
        """Return the text of a tick."""
        return number(10**tick) if self.is_log else number(tick)


def x_axis(label: str, values: Sequence[float], *, is_log: bool = False) -> Axis:
    """Return the horizontal axis that spans the values."""
    return Axis(label, tuple(_spanning(values, is_log)), LEFT, WIDTH - RIGHT, is_log)


def y_axis(label: str, values: Sequence[float], *, is_log: bool = False) -> Axis:
    """Return the vertical axis that spans the values."""
    return Axis(label, tuple(_spanning(values, is_log)), HEIGHT - BOTTOM, TOP, is_log)


def figure(
    parts: Sequence[str], legend: Mapping[str, int], *, title: str, caption: str = ""
) -> Markup:
    """Return a chart: its title, the drawing, and a legend.

    Args:
        parts: the drawing's elements.
        legend: name -> number of its color; empty for a chart of one group.
        title: what it shows.
        caption: the same in words and numbers.
    """
    label = escape(f"{title}. {caption}" if caption else title)
    keys = "".join(
        f'<li><span class="key c{color % COLORS}"></span>{escape(name)}</li>'
        for name, color in legend.items()
    )
    listed = f'<ul class="legend">{keys}</ul>' if keys else ""
    return Markup(
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{label}">{"".join(parts)}</svg>{listed}</figure>'
    )


def frame(x: Axis, y: Axis) -> list[str]:
    """Return lines at the ticks, their values, and the labels of both axes."""
    return [*_grid(x, y), *_labels(x.label, y.label)]


def line_chart(
    series: Mapping[str, Sequence[Point]],
    *,
    title: str,
    x: str,
    y: str,
    is_log: tuple[bool, bool] = (False, False),
    rules: Mapping[str, float] | None = None,
) -> Markup:
    """Return curves over a common x axis, each named in the legend; nothing where there is none.

    Args:
        series: name -> points (x, y); values that are not finite are left out.
        title: what it shows.
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        is_log: whether x and y are drawn by powers of ten.
        rules: text -> x of a vertical line.
    """
    curves = {name: [p for p in curve if np.isfinite(p).all()] for name, curve in series.items()}
    curves = {name: curve for name, curve in curves.items() if curve}
    if not curves:
        return Markup("")
    marked = rules if rules is not None else {}
    xs = [point[0] for curve in curves.values() for point in curve] + list(marked.values())
    across = x_axis(x, xs, is_log=is_log[0])
    up = y_axis(y, [p[1] for curve in curves.values() for p in curve], is_log=is_log[1])
    parts = frame(across, up) + [rule(across, value, text) for text, value in marked.items()]
    for count, (name, curve) in enumerate(curves.items()):
        parts += _curve(count, name, curve, across, up)
    caption = "; ".join(_describe(name, curve) for name, curve in curves.items())
    legend = {name: count for count, name in enumerate(curves)}
    return figure(parts, legend, title=title, caption=caption)


def rule(x: Axis, value: float, text: str) -> str:
    """Return a vertical line at a value, named at its top."""
    at = x.at(value)
    side = "end" if at > (LEFT + WIDTH - RIGHT) / 2 else "start"
    shift = -5 if side == "end" else 5
    return (
        f'<line class="rule" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="tick" x="{at + shift:.1f}" y="{TOP + 10}" text-anchor="{side}">'
        f"{escape(text)}</text>"
    )


def histogram(
    groups: Mapping[str, Any],
    edges: Any,
    *,
    title: str,
    x: str,
    y: str,
    rules: Mapping[str, float] | None = None,
    is_log: bool = False,
) -> Markup:
    """Return how many values lie between two edges, the groups laid over each other.

    Args:
        groups: name -> counts (bins,).
        edges: (bins + 1,), in the values' unit.
        title: what it shows.
        x: label of the horizontal axis, with its unit.
        y: what is counted.
        rules: text -> x of a vertical line.
        is_log: whether x is drawn by powers of ten.
    """
    across = x_axis(x, [float(edges[0]), float(edges[-1])], is_log=is_log)
    up = y_axis(y, [0.0, float(max(np.max(counts) for counts in groups.values()))])
    parts = frame(across, up)
    for color, (name, counts) in enumerate(groups.items()):
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if not count:
                continue
            left, right, top = across.at(low), across.at(high), up.at(float(count))
            parts.append(
                f'<rect class="column c{color}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{max(right - left - 1, 0.5):.1f}" height="{up.start - top:.1f}">'
                f"<title>{escape(name)}, {number(low)} to {number(high)}: {number(count)}</title>"
                "</rect>"
            )
    parts += [rule(across, value, text) for text, value in (rules or {}).items()]
    caption = "; ".join(f"{name}: {number(np.sum(counts))}" for name, counts in groups.items())
    legend = {name: color for color, name in enumerate(groups)} if len(groups) > 1 else {}
    return figure(parts, legend, title=title, caption=caption)


def scatter(
    groups: Mapping[str, Any],
    *,
    title: str,
    x: str,
    y: str,
    caption: str,
    has_diagonal: bool = False,
) -> Markup:
    """Return points (n, 2) of each group.

    Args:
        groups: name -> points.
        title: what it shows.
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        caption: the same in words and numbers.
        has_diagonal: whether both axes are the same, with a line where the coordinates are equal;
            without it there is a line at y = 0.
    """
    points = np.concatenate([np.asarray(group, np.float64) for group in groups.values()])
    both = points.ravel().tolist()
    across = x_axis(x, both if has_diagonal else points[:, 0].tolist())
    up = y_axis(y, both if has_diagonal else [0.0, *points[:, 1].tolist()])
    first, last = across.ticks[0], across.ticks[-1]
    low, high = (first, last) if has_diagonal else (0.0, 0.0)
    parts = frame(across, up)
    parts.append(
        f'<line class="equal" x1="{across.at(first):.1f}" y1="{up.at(low):.1f}" '
        f'x2="{across.at(last):.1f}" y2="{up.at(high):.1f}"/>'
    )
    for color, group in enumerate(groups.values()):
        parts += [
            f'<circle class="dot c{color}" r="2.5" cx="{across.at(px):.1f}" cy="{up.at(py):.1f}"/>'
            for px, py in group
        ]
    legend = {name: color for color, name in enumerate(groups)} if len(groups) > 1 else {}
    return figure(parts, legend, title=title, caption=caption)


def _curve(count: int, name: str, curve: Sequence[Point], x: Axis, y: Axis) -> list[str]:
    """Return a line through points, with a dot on each where they are few."""
    path = " ".join(f"{x.at(px):.1f},{y.at(py):.1f}" for px, py in curve)
    parts = [
        f'<polyline class="curve c{count % COLORS}" points="{path}">'
        f"<title>{escape(name)}</title></polyline>"
    ]
    if len(curve) > DOTTED:
        return parts
    radius = 6 if len(curve) == 1 else 3
    return parts + [
        f'<circle class="dot c{count % COLORS}" r="{radius}" cx="{x.at(px):.1f}" '
        f'cy="{y.at(py):.1f}">'
        f"<title>{escape(name)}: {px:g}, {py:.4g}</title></circle>"
        for px, py in curve
    ]


def _describe(name: str, curve: Sequence[Point]) -> str:
    first, last = curve[0], curve[-1]
    return (
        f"{name}: {number(first[1])} at {number(first[0])}, {number(last[1])} at {number(last[0])}"
    )


def _spanning(values: Sequence[float], is_log: bool) -> list[float]:
    if not is_log:
        return ticks(values)
    known = [math.log10(value) for value in values if value > 0] or [0.0]
    first = math.floor(min(known))
    last = max(math.ceil(max(known)), first + 1)
    step = math.ceil((last - first) / (TICKS + 1))
    return [float(tick) for tick in range(first, last + step, step)]


def ticks(values: Sequence[float]) -> list[float]:
    """Return round numbers that span the values; zero too, where they are all equal."""
    low, high = min(values), max(values)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0)
    span = high - low or abs(high) or 1.0
    step = 10 ** np.floor(np.log10(span / TICKS))
    is_whole = all(float(value).is_integer() for value in values)
    step = float(next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= TICKS))
    step = max(step, 1.0) if is_whole and span >= 1 else step
    first, last = np.floor(low / step), np.ceil(high / step)
    last = last if last > first else first + 1
    return [float(step * k) for k in range(int(first), int(last) + 1)]


def _grid(x: Axis, y: Axis) -> list[str]:
    rows = []
    for tick in y.ticks:
        at = y.of_tick(tick)
        rows.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" '
            f'text-anchor="end">{y.tick_text(tick)}</text>'
        )
    for tick in x.ticks:
        at, text = x.of_tick(tick), x.tick_text(tick)
        side = "end" if tick == x.ticks[-1] and len(text) > SHORT else "middle"
        rows.append(
            f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="{side}">{text}</text>'
        )
    return rows


def _labels(x: str, y: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x)}</text>',
        f'<text class="axis" x="13" y="{middle}" text-anchor="middle" transform="rotate(-90 13 '
        f'{middle})">{escape(y)}</text>',
    ]
