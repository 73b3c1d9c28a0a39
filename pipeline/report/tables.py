"""Tables with shaded cells or bars: numbers that read as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape


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
        '<div class="scroll" tabindex="0"><table '
        f'class="bars"><caption>{escape(title)}</caption><tbody>{rows}</tbody></table></div>'
    )


def confusion_matrix(counts: Any, names: Sequence[str], *, title: str) -> Markup:
    """Return a confusion matrix: true class (row), predicted class (column), shaded by rate."""
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
        '<div class="scroll" tabindex="0"><table class="confusion">'
        f"<caption>{escape(title)}</caption>"
        '<thead><tr><td class="corner">true \\ '
        f"predicted</td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
