"""How a delimited file is written: its encoding, what stands between cells, quotes."""

import csv
import itertools
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pipeline.data.csv_text import numbered_lines
from pipeline.errors import ConfigError

DELIMITERS = ("\t", ",", ";", "|")
EVEN = 0.9  # of the rows have the usual number of cells


def encoding_of(path: Path, most: int) -> Literal["utf-8", "latin-1"]:
    """Return utf-8, or latin-1 where a byte of the file is no utf-8."""
    try:
        for _ in itertools.islice(numbered_lines(path, "utf-8"), most):
            pass
    except ConfigError:
        return "latin-1"
    return "utf-8"


def delimiter_of(lines: list[str]) -> tuple[str | None, bool]:
    """Return what stands between cells, and whether cells may be quoted.

    It makes as many cells in nearly every row; quotes count where the rows are no less even.
    """
    has_odd = any(line.count('"') % 2 for line in lines)
    for sign in DELIMITERS:
        quoted, plain = (_evenness(lines, sign, quoting) for quoting in (0, 3))
        if max(quoted, plain) < EVEN:
            continue
        return sign, quoted >= plain and not (has_odd and plain == 1.0)
    return None, True


def _evenness(lines: list[str], sign: str, quoting: Any) -> float:
    """Return the fraction of rows with the usual number of cells; 0 where that is one cell."""
    rows = [row for row in csv.reader(lines, delimiter=sign, quoting=quoting) if row]
    rows = rows[:-1] or rows  # the last may be cut
    widths = Counter(len(row) - (not row[-1]) for row in rows)  # a delimiter at the end
    usual, count = widths.most_common(1)[0] if widths else (0, 0)
    fits = bool(rows) and len(rows[0]) - (not rows[0][-1]) in (
        usual,
        usual - 1,
    )
    return count / len(rows) if usual >= 2 and fits else 0.0
