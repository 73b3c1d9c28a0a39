"""Rows of delimited text files, one at a time, with the line of each; wrong ones are named."""

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.data.columns import as_number
from pipeline.data.csv_numbers import NumberFormat, number_format_of
from pipeline.data.csv_text import numbered_lines, without_preamble
from pipeline.data.typed_tables import is_typed, typed_rows
from pipeline.errors import ConfigError
from pipeline.ondevice.number_format import plain_cell

LONGEST_CELL = 1 << 20  # characters
NAMED = 5  # wrong rows that a message spells out
MOST_COLUMNS = 1 << 16  # of a table: each is described, and judged by its values
LISTED = 20  # columns that a message lists
SNIFFED = 500  # rows by which units and the form of numbers are told
UNITS_BELOW = 4  # rows that a row of units is compared with, itself counted
UNIT = re.compile(r"[^\s?].{0,15}\Z")  # degC, m/s^2, [mV], -
MISSING_WORDS = ("na", "n/a", "nan", "null", "none", "missing")
ROW_NAMES = "row_names"

Row = tuple[int, list[str]]
"""Line, cells."""


@dataclass(frozen=True)
class Form:
    """How a file is written."""

    delimiter: str = ","
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header."""
    strip: str = " "
    """Characters that are cut off both ends of every cell."""
    quotes: bool = True
    numbers: bool = False
    """Whether decimal commas and thousands separators are read as such."""


def names_of(path: Path, form: Form) -> list[str]:
    """Return the names of a file's columns.

    A column without a name is called unnamed_N. A header one name shorter than the rows, as R
    writes it, lacks the name of the first column.

    Raises:
        ConfigError: no such file, an empty one, or a name that comes twice.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; wanted a CSV file")
    if form.columns is not None:
        return list(form.columns)
    rows = list(itertools.islice(lines_of(path, form), 2))
    if not rows:
        raise ConfigError(f"{path}: the file is empty; wanted a header line and rows")
    refuse_width(path, len(rows[0][1]))
    names = [name.strip(form.strip) for name in rows[0][1]]
    if len(rows[-1][1]) == len(names) + 1 and rows[-1][1][-1].strip():
        names = [ROW_NAMES, *names]
    names = [name or f"unnamed_{i}" for i, name in enumerate(names, 1)]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ConfigError(f"{path}:{rows[0][0]}: two columns are called {_listed(twice)}")
    return names


def refuse_width(path: Path, width: int) -> None:
    """Refuse a table of more columns than can be described.

    Raises:
        ConfigError: it has more than MOST_COLUMNS.
    """
    if width > MOST_COLUMNS:
        raise ConfigError(
            f"{path}: {width:,} columns; wanted {MOST_COLUMNS:,} at most: leave some out, or give "
            "rows of equal values as images or series (npz)"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def refuse_columns(
    asked: Mapping[str, Sequence[str]], files: Mapping[str, Path], names: Mapping[str, list[str]]
) -> None:
    """Refuse names that no column has, and files of other columns.

    Args:
        asked: key of the config -> names of columns.
        files: part -> file.
        names: part -> names of its columns.
    """
    problems = []
    known = next(iter(names.values()))
    there, first = set(known), next(iter(files.values()))
    for key, wanted in asked.items():
        problems += [
            f"{key}: {path} has no column {name!r}; it has {_listed(known)}{_other(known)}"
            for path in (first,)
            for name in wanted
            if name not in there
        ]
    for part, found in names.items():
        unlabeled = [name for name in asked.get("data.source.label", ()) if name not in found]
        if unlabeled and files[part] != first:
            problems.append(
                f"{files[part]}: has no column {unlabeled[0]!r}, so nothing can be measured on it; "
                f"leave data.source.{part}_path out"
            )
        elif set(found) != there:
            odd = _listed(sorted(set(found) ^ there))
            problems.append(f"{files[part]}: not the columns of the first file: {odd}")
    if problems:
        raise ConfigError(*problems)


def _other(names: Sequence[str]) -> str:
    """Return which delimiter stands in the only name there is."""
    found = next((sign for sign in ";\t|," if len(names) == 1 and sign in names[0]), None)
    return "" if found is None else f"; set data.source.delimiter: {json.dumps(found)}"


def rows_of(path: Path, form: Form, width: int) -> Iterator[Row]:
    """Yield (line, stripped cells) of every row; numbers as Python writes them where asked.

    A delimiter at the end of a row makes no cell. A row of units below the header is left out.

    Raises:
        ConfigError: rows of another length; the first are named.
    """
    wrong: list[str] = []
    count = 0
    is_empty = True
    for line, cells in _plain_rows(path, form):
        is_empty = False
        own = cells[:-1] if len(cells) == width + 1 and not cells[-1].strip() else cells
        if len(own) != width:
            count += 1
            if len(wrong) < NAMED:
                wrong.append(f"{path}:{line}: {len(cells)} values; wanted {width}")
            continue
        yield line, own
    if wrong:
        more = [f"{path}: and {count - len(wrong)} more rows"] if count > len(wrong) else []
        raise ConfigError(*wrong, *more)
    if is_empty:
        raise ConfigError(f"{path}: holds no row; wanted one a sample")


def _plain_rows(path: Path, form: Form) -> Iterator[Row]:
    """Yield (line, stripped cells) below the header and the units."""
    lines = lines_of(path, form)
    if form.columns is None:
        next(lines, None)
    rows = (
        (line, [cell.strip(form.strip) for cell in cells] if form.strip else cells)
        for line, cells in lines
    )
    first = list(itertools.islice(rows, SNIFFED))
    if form.columns is None and has_units([cells for _, cells in first]):
        first = first[1:]
    written = number_format_of((c for _, c in first), form.delimiter) if form.numbers else "plain"
    for line, cells in itertools.chain(first, rows):
        yield line, cells if written == "plain" else [plain_cell(cell, written) for cell in cells]


def dialect_of(path: Path, form: Form) -> tuple[str, NumberFormat]:
    """Return what stands between the cells of a file, and how its numbers are written.

    Rows for the device are read by the same two.
    """
    if is_typed(path):
        return ",", "plain"
    _, delimiter = without_preamble(numbered_lines(path, form.encoding), form.delimiter)
    lines = itertools.islice(lines_of(path, form), SNIFFED)
    rows = ([cell.strip(form.strip) for cell in cells] for _, cells in lines)
    return delimiter, number_format_of(rows, delimiter)


def has_units(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first of some rows holds units: no number where the next ones have some."""
    if len(rows) < UNITS_BELOW or any(_is_numeric(cell) for cell in rows[0]):
        return False
    below = list(
        zip(*(row for row in rows[1:UNITS_BELOW] if len(row) == len(rows[0])), strict=True)
    )
    numeric = [i for i, cells in enumerate(below) if all(map(_is_numeric, cells))]
    units = [rows[0][i] for i in numeric]
    are_known = all(UNIT.match(unit) and unit.lower() not in MISSING_WORDS for unit in units)
    return bool(numeric) and are_known


def _is_numeric(cell: str) -> bool:
    return as_number(cell.replace(",", ".", 1)) is not None


def lines_of(path: Path, form: Form) -> Iterator[Row]:
    """Yield (line, cells), empty lines and what stands above the header left out.

    Raises:
        ConfigError: bytes of another encoding, or a cell longer than LONGEST_CELL.
    """
    if is_typed(path):
        yield from typed_rows(path)
        return
    csv.field_size_limit(LONGEST_CELL)
    quoting: Literal[0, 3] = 0 if form.quotes else 3  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE
    at = 0

    def texts(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
        nonlocal at
        for number, line in lines:
            at = number
            yield line

    lines, delimiter = without_preamble(numbered_lines(path, form.encoding), form.delimiter)
    try:
        for cells in csv.reader(texts(lines), delimiter=delimiter, quoting=quoting):
            if cells:
                yield at, cells
    except csv.Error as error:
        raise ConfigError(f"{path}:{at}: {error}") from error


def files_of(source: Any, base: Path) -> dict[str, Path]:
    """Return part -> file of a source with path, validation_path, test_path; one file: part ''."""
    given = {"train": source.path, "validation": source.validation_path, "test": source.test_path}
    found = {part: base / Path(path).expanduser() for part, path in given.items() if path}
    return found if len(found) > 1 else {"": found["train"]}
