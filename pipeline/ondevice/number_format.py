"""Numbers as people write them: decimal commas and thousands separators, as in training."""

import re

BOTH = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+\Z")  # 12,345.67
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+\Z")  # 12,345
COMMA = re.compile(r"[+-]?(\d*,\d+|\d{1,3}([. ]\d{3})+(,\d+)?)(e[+-]?\d+)?\Z", re.IGNORECASE)


def plain_cell(cell, number_format):
    """Return a cell, a number in it as Python writes numbers.

    Args:
        cell: text without space at its ends.
        number_format: plain (1234.5), thousands (1,234.5) or decimal_comma (1.234,5).
    """
    if number_format == "thousands":
        return cell.replace(",", "") if BOTH.match(cell) or GROUPED.match(cell) else cell
    if number_format == "decimal_comma" and COMMA.match(cell):
        return cell.replace(".", "").replace(" ", "").replace(",", ".")
    return cell
