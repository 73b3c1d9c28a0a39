"""What a delimited text file holds: how it is written, what its columns are, which is the target.

At most ROWS rows are read, and fewer of each among many files. Nothing here is certain: the
config's comments list what was detected.
"""

import contextlib
import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.config.schema import CsvSource
from pipeline.data.channels import rises_steadily
from pipeline.data.csv_numbers import number_format_of
from pipeline.data.csv_rows import Form, has_units, lines_of, names_of, rows_of
from pipeline.data.csv_text import numbered_lines, without_preamble
from pipeline.data.label_spelling import merged_labels
from pipeline.data.typed_tables import has_header, is_typed
from pipeline.errors import ConfigError
from pipeline.new.dialect import delimiter_of, encoding_of
from pipeline.new.times import moment_in, time_format_of
from pipeline.ondevice.number_format import plain_cell

ROWS = 200_000
LONGEST_LINE = 1 << 16  # characters of a line by which it is judged
SNIFFED = 500  # lines by which delimiter, quotes and header are found
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
CLOCK = re.compile(r"time|date|stamp|epoch|seconds|^ts$|^t$", re.IGNORECASE)
STEADY = 50  # rows from which on a column that rises steadily is a clock
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
    if is_typed(path):
        return _table(path, Form(numbers=True), names, most)
    encoding = encoding_of(path, most)
    read = itertools.islice(_text_lines(path, encoding), SNIFFED)
    lines = [line[:LONGEST_LINE] for _, line in read]
    if not "".join(lines).strip() or "\0" in "".join(lines):
        return None
    delimiter, quotes = delimiter_of(lines)
    if delimiter is None:
        return None
    return _table(path, Form(delimiter, encoding, quotes=quotes, numbers=True), names, most)


def _table(path: Path, form: Form, names: tuple[str, ...] | None, most: int) -> Table | None:
    """Return the columns of a file; None where it has fewer than two."""
    first, rows = _rows(path, form, most)
    if not rows:
        return None
    is_named = first is not None
    width = len(rows[0])
    if first is None:
        first = [f"column_{i}" for i in range(1, width + 1)]
        first = list(names) if names is not None and len(names) == width else first
    columns = tuple(
        _column(name, cells) for name, cells in zip(first, zip(*rows, strict=True), strict=True)
    )
    return Table(path, form.delimiter, form.encoding, is_named, form.quotes, columns, len(rows))


def _text_lines(path: Path, encoding: Literal["utf-8", "latin-1"]) -> Iterator[tuple[int, str]]:
    """Yield (number, line) below what stands above the header."""
    lines, _ = without_preamble(numbered_lines(path, encoding), "\1")
    return lines


def _rows(path: Path, form: Form, most: int) -> tuple[list[str] | None, list[list[str]]]:
    """Return the names in the header, None without one, and the rows as the data stage has them."""
    head = [cells for _, cells in itertools.islice(lines_of(path, form), SNIFFED)]
    head = [row for cells in head if any(row := [cell.strip() for cell in cells])]
    widths = Counter(len(row) for row in head)
    if not head or widths.most_common(1)[0][0] < 2:
        return None, []
    body = head[:1] + (head[2:] if has_units(head[1:]) else head[1:])
    fitting = [row for row in body if len(row) == len(body[0])]
    changed = _as_numbers(fitting, form)
    if has_header(path) or _has_header(changed) or len(body[-1]) == len(body[0]) + 1:
        names = names_of(path, form)
    else:
        names = None
        form = replace(form, columns=tuple(f"column_{i}" for i in range(1, len(head[0]) + 1)))
    width = len(names or head[0])
    rows = []
    with contextlib.suppress(ConfigError):  # rows of another length: data names them
        for _, cells in rows_of(path, form, width):
            rows.append([cell.strip() for cell in cells])
            if len(rows) == most:
                break
    return names, rows


def _as_numbers(rows: list[list[str]], form: Form) -> list[list[str]]:
    written = number_format_of(rows, form.delimiter)
    return [[plain_cell(cell, written) for cell in row] for row in rows]


def _has_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row holds names: no number where numbers follow."""
    first, rest = rows[0], rows[1:]
    if not rest or any(_number(cell) is not None for cell in first):
        return False
    for name, cells in zip(first, zip(*rest, strict=True), strict=True):
        if _kind(name, list(cells)) == "number":
            return True
        if name and name in cells:
            return False
    named = [name for name in first if name]
    return len(named) == len(set(named)) > 1 or len(named) == len(first) > 0


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
        if CLOCK.search(name) and len(known) >= STEADY:
            is_clock = rises_steadily(np.array([_number(value) or 0.0 for value in known]))
            return "moment" if is_clock else "number"
        return "identity" if is_named else "number"
    form = time_format_of(known)
    if all(moment_in(value, form) is not None for value in known[:100]):
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
