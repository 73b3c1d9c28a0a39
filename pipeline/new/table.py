"""What a delimited text file holds: how it is written, what its columns are, which is the target.

At most ROWS rows are read, and fewer of each among many files. Nothing here is certain: the
config's comments list what was detected.
"""

import csv
import itertools
import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.config.schema import CsvSource
from pipeline.data.csv_rows import Form, lines_of, names_of
from pipeline.data.label_spelling import merged_labels
from pipeline.errors import ConfigError

ROWS = 200_000
DELIMITERS = ("\t", ",", ";", "|")
HEAD = 1 << 16  # bytes from which delimiter and encoding are detected
NUMBERS = 0.98  # fraction of a column's known values that are numbers, where it is one of numbers
WORDS, VARIED = 3.0, 0.5  # words of a text on average, and fraction of texts that occur once
CLASSES = 20  # whole numbers up to which a target is one of classes
MOST_CLASSES = 1000
NAMED = ("label", "target", "class", "y", "outcome", "churn", "survived", "species", "diagnosis",
    "income", "price", "quality", "default", "fraud", "spam", "sentiment", "category", "result",
    "response")  # fmt: skip
HINTED = ("value", "price", "salary", "cost", "score", "sales", "churn", "target", "label", "class")
IDENTITY = re.compile(
    r"(^|_|\b)(id|uuid|guid|index|rowid)$|^(unnamed.*)?$|[a-z]ID$|^id_", re.IGNORECASE
)
MISSING = CsvSource.model_fields["missing"].default

Kind = Literal["number", "category", "text", "moment", "identity", "constant"]


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    values: list[str]
    """Known values, in order."""
    unknown: int
    """Cells without a value."""

    @property
    def distinct(self) -> int:
        """How many values differ."""
        return len(set(self.values))

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind == "number"

    @property
    def is_whole(self) -> bool:
        """Whether all its numbers are whole."""
        return self.kind == "number" and all(float(v).is_integer() for v in self.values)


@dataclass(frozen=True)
class Table:
    """A delimited text file, or as much of it as was read."""

    path: Path
    delimiter: str
    encoding: str
    has_header: bool
    quotes: bool
    columns: tuple[Column, ...]
    rows: int

    def column(self, name: str) -> Column:
        """Return a column by its name.

        Raises:
            ConfigError: there is none of that name.
        """
        found = [column for column in self.columns if column.name == name]
        if not found:
            names = ", ".join(column.name for column in self.columns)
            raise ConfigError(f"--target: {self.path} has no column {name!r}; it has {names}")
        return found[0]


def read_table(
    path: Path, names: tuple[str, ...] | None = None, *, most: int = ROWS
) -> Table | None:
    """Return what a file holds; None where it is no delimited text of two columns or more.

    Args:
        path: the file.
        names: of its columns, where they stand elsewhere and it has no header.
        most: rows that are read.

    Raises:
        ConfigError: two columns of one name, or a cell that is far too long.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip() or b"\0" in head:
        return None
    encoding = _encoding(path, most)
    lines = head.decode(encoding, errors="ignore").splitlines()
    lines = [line for line in (lines[:-1] or lines) if line.strip()][:500]
    delimiter = _delimiter(lines)
    if delimiter is None:
        return None
    quotes = not any(line.count('"') % 2 for line in lines)
    form = Form(delimiter, encoding, quotes=quotes)
    read = itertools.islice(lines_of(path, form), most)
    rows = [row for _, cells in read if any(row := [cell.strip() for cell in cells])]
    width = len(rows[0])
    rows = [row for row in rows if len(row) == width]
    has_header = _has_header(rows)
    if has_header:
        names_of(path, form)  # refuses a name that comes twice
    first = rows.pop(0) if has_header else [f"column_{i}" for i in range(1, width + 1)]
    if not has_header and names is not None and len(names) == width:
        first = list(names)
    columns = tuple(
        _column(name, cells) for name, cells in zip(first, zip(*rows, strict=True), strict=True)
    )
    return Table(path, delimiter, encoding, has_header, quotes, columns, len(rows))


def _encoding(path: Path, most: int) -> Literal["utf-8", "latin-1"]:
    """Return utf-8, or latin-1 where a byte of the file is no utf-8."""
    try:
        with path.open(encoding="utf-8") as file:
            for _ in itertools.islice(file, most):
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _delimiter(lines: list[str]) -> str | None:
    """Return what stands between cells: it makes as many of them in nearly every line."""
    for sign in DELIMITERS:
        widths = [
            len(row) for row in csv.reader(lines, delimiter=sign, quoting=_quoting(lines, sign))
        ]
        usual, count = Counter(widths).most_common(1)[0]
        if usual >= 2 and count >= 0.9 * len(lines):
            return sign
    return None


def _quoting(lines: list[str], sign: str) -> Literal[0, 3]:
    is_quoted = any(f'{sign}"' in line or line.startswith('"') for line in lines)
    return csv.QUOTE_MINIMAL if is_quoted and sign != "\t" else csv.QUOTE_NONE


def _has_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row holds names: no number where numbers follow."""
    first, rest = rows[0], rows[1:]
    if not rest or any(_number(cell) is not None for cell in first):
        return False
    for name, cells in zip(first, zip(*rest, strict=True), strict=True):
        if _kind(name, list(cells)) == "number":
            return True
        if name in cells:
            return False
    return all(first) and len(set(first)) == len(first)


def _column(name: str, cells: tuple[str, ...]) -> Column:
    known = [cell for cell in cells if cell not in MISSING]
    return Column(name, _kind(name, known), known, len(cells) - len(known))


def _kind(name: str, values: list[str]) -> Kind:
    known = [value for value in values if value not in MISSING]
    different = len(set(known))
    if different <= 1:
        return "constant"
    if sum(_number(value) is not None for value in known) >= NUMBERS * len(known):
        is_named = different == len(known) and IDENTITY.search(name) is not None
        return "identity" if is_named else "number"
    if all(_moment(value) is not None for value in known[:100]):
        return "moment"
    words = statistics.fmean(len(value.split()) for value in known[:5000])
    if words >= WORDS and different > VARIED * len(known):
        return "text"
    return "identity" if different > 0.9 * len(known) and len(known) > CLASSES else "category"


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def seconds_between(column: Column) -> float | None:
    """Return the usual seconds between two rows; None where time does not go forward in them."""
    moments = [found for cell in column.values if (found := _moment(cell)) is not None]
    steps = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
    if not steps or sum(step > 0 for step in steps) < 0.9 * len(steps):
        return None
    return float(statistics.median(step for step in steps if step > 0))


def guess_target(table: Table) -> Column:
    """Return the column that is most likely the target.

    Raises:
        ConfigError: no column can be one.
    """
    able = [c for c in table.columns if c.kind in ("number", "category")]
    if not able:
        names = ", ".join(column.name for column in table.columns)
        raise ConfigError(
            f"{table.path}: none of the columns {names} looks like a target; name it with --target"
        )
    return max(able, key=lambda column: (_likely(table, column), table.columns.index(column)))


def _likely(table: Table, column: Column) -> float:
    """Return points for being the target: by name, by position, by how few values there are."""
    name = column.name.lower()
    parts = re.split(r"[^a-z]+", name)
    points = 3.0 if name in NAMED else 2.5 if any(part in HINTED for part in parts) else 0.0
    points += 1.5 * (column is table.columns[-1]) + 0.5 * (column is table.columns[0])
    if column.kind == "category":
        points += 0.5 * (column.distinct <= CLASSES) + 0.5 * (column.distinct == 2)
    return points


def is_of_classes(column: Column) -> bool:
    """Return whether a target has classes, not regression values."""
    return column.kind == "category" or (column.is_whole and column.distinct <= CLASSES)


def are_alike(column: Column) -> bool:
    """Tell whether some classes differ in spelling only; a dot at the end is none of it."""
    counts = Counter(value.rstrip(".") for value in column.values)
    return len(counts) <= MOST_CLASSES and bool(merged_labels(counts, "keep")[1])


def classes_of(column: Column) -> dict[str, int]:
    """Return class -> rows, the most frequent first, without differences of spelling.

    A dot at the end is no part of a name.

    Raises:
        ConfigError: there are too many.
    """
    counts = Counter(value.rstrip(".") for value in column.values)
    if len(counts) > MOST_CLASSES:
        raise ConfigError(
            f"--target: column {column.name} has {len(counts):,} different values, which is no "
            "target of classes; name another column"
        )
    merged, _ = merged_labels(counts, "merge")
    sums: Counter[str] = Counter()
    for value, count in counts.items():
        sums[merged[value]] += count
    return dict(sums.most_common())
