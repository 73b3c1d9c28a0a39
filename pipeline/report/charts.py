"""Charts as inline SVG: in the page's colours, without a script or another file. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 560, 260  # of the drawing; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 40
TICKS = 5


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x: str, y: str
) -> Markup:
    """Return curves over a common x axis, each labelled in the legend below.

    Args:
        series: name -> points (x, y).
        title: what it shows, for those who cannot see it.
        x: label of the horizontal axis.
        y: label of the vertical axis.
    """
    points = [point for curve in series.values() for point in curve]
    xs, ys = _ticks([p[0] for p in points]), _ticks([p[1] for p in points])
    parts = [_frame(title), *_grid(xs, ys), *_axis_labels(x, y)]
    for number, (name, curve) in enumerate(series.items()):
        path = " ".join(
            f"{_at(px, xs, LEFT, WIDTH - RIGHT):.1f},{_at(py, ys, HEIGHT - BOTTOM, TOP):.1f}"
            for px, py in curve
        )
        parts.append(
            f'<polyline class="curve c{number % 6}" '
            f'points="{path}"><title>{escape(name)}</title></polyline>'
        )
        if len(curve) <= 12:
            parts += [
                f'<circle class="dot c{number % 6}" r="3" '
                f'cx="{_at(px, xs, LEFT, WIDTH - RIGHT):.1f}" '
                f'cy="{_at(py, ys, HEIGHT - BOTTOM, TOP):.1f}"><title>{escape(name)}: {px:g}, '
                f"{py:.4g}</title></circle>"
                for px, py in curve
            ]
    legend = "".join(
        f'<li><span class="key c{number % 6}"></span>{escape(name)}</li>'
        for number, name in enumerate(series)
    )
    return Markup(f'<figure>{"".join(parts)}</svg><ul class="legend">{legend}</ul></figure>')


def bar_chart(values: Mapping[str, float], *, title: str, unit: str) -> Markup:
    """Return one horizontal bar a name, its value written at the end."""
    top = max(max(values.values(), default=1.0), 1e-9)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><div class="bar" '
        f'style="--share:{max(value, 0) / top:.4f}">'
        f"</div></td><td class=num>{value:.1f} {escape(unit)}</td></tr>"
        for name, value in values.items()
    )
    return Markup(
        '<div class="scroll"><table '
        f'class="bars"><caption>{escape(title)}</caption><tbody>{rows}</tbody></table></div>'
    )


def confusion_matrix(counts: Any, names: Sequence[str], *, title: str) -> Markup:
    """Return a table of how often a class (row) was called another (column), shaded by share."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / totals
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for i, name in enumerate(names):
        cells = "".join(
            f'<td class="{"hit" if i == j else "miss"}" style="--share:{shares[i, j]:.3f}">'
            f"{int(counts[i, j]) if counts[i, j] else ''}</td>"
            for j in range(len(names))
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return Markup(
        f'<div class="scroll"><table class="confusion"><caption>{escape(title)}</caption>'
        '<thead><tr><td class="corner">true \\ '
        f"said</td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def scatter(points: Any, *, title: str, x: str, y: str) -> Markup:
    """Return points (n, 2) and the line on which both coordinates are equal."""
    xs = ys = _ticks(points.ravel().tolist())
    parts = [_frame(title), *_grid(xs, ys), *_axis_labels(x, y)]
    ends = [
        (_at(v, xs, LEFT, WIDTH - RIGHT), _at(v, ys, HEIGHT - BOTTOM, TOP)) for v in (xs[0], xs[-1])
    ]
    parts.append(
        f'<line class="equal" x1="{ends[0][0]:.1f}" y1="{ends[0][1]:.1f}" x2="{ends[1][0]:.1f}" '
        f'y2="{ends[1][1]:.1f}"/>'
    )
    parts += [
        f'<circle class="dot c0" r="2.5" cx="{_at(px, xs, LEFT, WIDTH - RIGHT):.1f}" '
        f'cy="{_at(py, ys, HEIGHT - BOTTOM, TOP):.1f}"/>'
        for px, py in points
    ]
    return Markup(f"<figure>{''.join(parts)}</svg></figure>")


def _frame(title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Return round numbers that span the values."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    step = 10 ** np.floor(np.log10(span / TICKS))
    step = float(next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= TICKS))
    first, last = np.floor(low / step), np.ceil(high / step)
    last = last if last > first else first + 1
    return [float(step * k) for k in range(int(first), int(last) + 1)]


def _at(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    return start + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (end - start)


def _grid(xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    rows = []
    for value in ys:
        at = _at(value, ys, HEIGHT - BOTTOM, TOP)
        rows.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        rows.append(
            f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" '
            f'text-anchor="end">{value:.4g}</text>'
        )
    for value in xs:
        at = _at(value, xs, LEFT, WIDTH - RIGHT)
        rows.append(
            f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" '
            f'text-anchor="middle">{value:.4g}</text>'
        )
    return rows


def _axis_labels(x: str, y: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x)}</text>',
        f'<text class="axis" x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 '
        f'{middle})">{escape(y)}</text>',
    ]
