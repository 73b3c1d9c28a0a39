"""How the numbers of a delimited file are written, found by its cells."""

import re
from collections.abc import Iterable
from typing import Literal

from pipeline.ondevice.number_format import BOTH, COMMA, GROUPED

Cells = list[str]
NumberFormat = Literal["plain", "thousands", "decimal_comma"]
POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?\Z", re.IGNORECASE)


def number_format_of(rows: Iterable[Cells], delimiter: str) -> NumberFormat:
    """Return how the numbers of some rows are written.

    12,345.67 has thousands separators. Without such a cell, a comma within a number is a decimal
    comma where it does not stand between cells, and one of thousands where it does (in quotes).

    Args:
        rows: some of the file.
        delimiter: between cells.
    """
    cells = {cell for row in rows for cell in row if "," in cell or "." in cell}
    if any(BOTH.match(cell) for cell in cells):
        return "thousands"
    with_comma = [cell for cell in cells if "," in cell and COMMA.match(cell)]
    if not with_comma:
        return "plain"
    if delimiter == ",":
        are_grouped = all(GROUPED.match(cell) for cell in with_comma)
        return "thousands" if are_grouped else "decimal_comma"
    points = [cell for cell in cells if "," not in cell and POINT.match(cell)]
    is_decimal = not points or all(COMMA.match(cell) for cell in points)  # 1.234 is grouped
    return "decimal_comma" if is_decimal else "plain"
