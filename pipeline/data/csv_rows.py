"""Rows of delimited text files, one at a time, with the line of each; wrong ones are named."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import ConfigError

LONGEST_CELL = 1 << 20  # characters
NAMED = 5  # wrong rows that a message spells out
MOST_COLUMNS = 1 << 16  # of a table: each is described, and judged by its values
LISTED = 20  # columns that a message lists

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


def names_of(path: Path, form: Form) -> list[str]:
    """Return the names of a file's columns.

    Raises:
        ConfigError: no such file, an empty one, or a name that comes twice.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; wanted a CSV file")
    if form.columns is not None:
        return list(form.columns)
    first = next(lines_of(path, form), None)
    if first is None:
        raise ConfigError(f"{path}: the file is empty; wanted a header line and rows")
    refuse_width(path, len(first[1]))
    names = [name.strip(form.strip) for name in first[1]]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ConfigError(f"{path}:{first[0]}: two columns are called {_listed(twice)}")
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
    there = set(known)
    for key, wanted in asked.items():
        problems += [
            f"{key}: {path} has no column {name!r}; it has {_listed(known)}"
            for path in list(files.values())[:1]
            for name in wanted
            if name not in there
        ]
    for part, found in names.items():
        if set(found) != there:
            odd = _listed(sorted(set(found) ^ there))
            problems.append(f"{files[part]}: not the columns of the first file: {odd}")
    if problems:
        raise ConfigError(*problems)


def rows_of(path: Path, form: Form, width: int) -> Iterator[Row]:
    """Yield (line, stripped cells) of every row.

    Raises:
        ConfigError: rows of another length; the first are named.
    """
    wrong: list[str] = []
    count = 0
    lines = lines_of(path, form)
    if form.columns is None:
        next(lines, None)
    is_empty = True
    for line, cells in lines:
        is_empty = False
        if len(cells) != width:
            count += 1
            if len(wrong) < NAMED:
                wrong.append(f"{path}:{line}: {len(cells)} values; wanted {width}")
            continue
        yield line, [cell.strip(form.strip) for cell in cells] if form.strip else cells
    if wrong:
        more = [f"{path}: and {count - len(wrong)} more rows"] if count > len(wrong) else []
        raise ConfigError(*wrong, *more)
    if is_empty:
        raise ConfigError(f"{path}: holds no row; wanted one a sample")


def lines_of(path: Path, form: Form) -> Iterator[Row]:
    """Yield (line, cells), empty lines left out.

    Raises:
        ConfigError: bytes of another encoding, or a cell longer than LONGEST_CELL.
    """
    csv.field_size_limit(LONGEST_CELL)
    quoting: Literal[0, 3] = 0 if form.quotes else 3  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE
    with path.open("rb") as file:
        text = _decoded(file, path, form.encoding)
        reader = csv.reader(text, delimiter=form.delimiter, quoting=quoting)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            raise ConfigError(f"{path}:{reader.line_num}: {error}") from error


def _decoded(file: Any, path: Path, encoding: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 and encoding == "utf-8" else encoding)
        except UnicodeDecodeError:
            raise ConfigError(
                f"{path}:{number}: not {encoding} text; save the file as UTF-8, or try "
                "data.source.encoding: latin-1"
            ) from None


def files_of(source: Any, base: Path) -> dict[str, Path]:
    """Return part -> file of a source with path, validation_path, test_path; one file: part ''."""
    given = {"train": source.path, "validation": source.validation_path, "test": source.test_path}
    found = {part: base / Path(path).expanduser() for part, path in given.items() if path}
    return found if len(found) > 1 else {"": found["train"]}
