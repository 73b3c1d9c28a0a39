"""Numbers as people write them: decimal commas and thousands separators, by the cells."""

import re
from collections.abc import Callable, Iterable

Cells = list[str]
BOTH = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+\Z")  # 12,345.67
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+\Z")  # 12,345
COMMA = re.compile(r"[+-]?(\d*,\d+|\d{1,3}([. ]\d{3})+(,\d+)?)(e[+-]?\d+)?\Z", re.IGNORECASE)
POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?\Z", re.IGNORECASE)


def number_form(rows: Iterable[Cells], delimiter: str) -> Callable[[str], str] | None:
    """Return what makes a cell a number as Python writes it; None: the cells are such already.

    12,345.67 has thousands separators. Without such a cell, a comma within a number is a decimal
    comma where it does not stand between cells, and one of thousands where it does (in quotes).

    Args:
        rows: some of the file.
        delimiter: between cells.
    """
    cells = {cell for row in rows for cell in row if "," in cell or "." in cell}
    if any(BOTH.match(cell) for cell in cells):
        return _without_thousands
    with_comma = [cell for cell in cells if "," in cell and COMMA.match(cell)]
    if not with_comma:
        return None
    if delimiter == ",":
        are_grouped = all(GROUPED.match(cell) for cell in with_comma)
        return _without_thousands if are_grouped else _with_point
    points = [cell for cell in cells if "," not in cell and POINT.match(cell)]
    is_decimal = not points or all(COMMA.match(cell) for cell in points)  # 1.234 is grouped
    return _with_point if is_decimal else None


def _without_thousands(cell: str) -> str:
    return cell.replace(",", "") if BOTH.match(cell) or GROUPED.match(cell) else cell


def _with_point(cell: str) -> str:
    if not COMMA.match(cell):
        return cell
    return cell.replace(".", "").replace(" ", "").replace(",", ".")
