"""A table in one CSV file, or in files for train, validation and test; read twice, row by row.

The first reading learns what the columns hold and finds every wrong row; the second yields chunks.
Cells become values by the function that ships in the device runner.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.schema import CsvSource
from pipeline.data.columns import NAMED, Column, as_number, judge
from pipeline.data.samples import Chunk, Finding, Input, Source
from pipeline.device.runner import encode_cell
from pipeline.errors import ConfigError

ROWS = 4096  # of a chunk
LABELS = 1000  # classes at most: more of them are numbers, or a mistake
LONGEST_CELL = 1 << 20  # characters

Row = tuple[int, list[str]]


def files_of(source: CsvSource, base: Path) -> dict[str, Path]:
    """Return part -> file; one file has the part ''."""
    given = {"train": source.path, "validation": source.validation_path, "test": source.test_path}
    found = {part: base / Path(path).expanduser() for part, path in given.items() if path}
    return found if len(found) > 1 else {"": found["train"]}


def open_csv(source: CsvSource, base: Path) -> Source:
    """Read the table once and describe it.

    Raises:
        ConfigError: a file that is not there, is empty or is not spelt as said, a row of another
            length, a column that is not there, a number that is none; every place is named.
    """
    files = files_of(source, base)
    names = {part: _names(path, source) for part, path in files.items()}
    _refuse_columns(source, files, names)
    columns, labels, unlabelled = _survey(source, files, names)
    inputs = [c for c in columns if c.name not in (source.label, source.group, *source.drop)]
    kinds, found = judge(inputs, source.categorical)
    kept = [column for column in inputs if kinds[column.name] != "left out"]
    if not kept:
        raise ConfigError(f"{source.path}: no column is left to learn from besides {source.label}")
    if unlabelled:
        text = f"{unlabelled} rows have no {source.label} and were left out."
        found.append(Finding("warning", "rows_without_label", text, unlabelled))
    encoding = {
        "missing": list(source.missing),
        "strip": source.strip,
        "delimiter": source.delimiter,
        "numbers": source.numbers,
        "columns": [
            {
                "name": column.name,
                "kind": kinds[column.name],
                "values": sorted(column.values or ()) if kinds[column.name] == "category" else None,
            }
            for column in kept
        ],
    }
    return _source(source, files, names, labels, encoding, found)


def _survey(
    source: CsvSource, files: dict[str, Path], names: dict[str, list[str]]
) -> tuple[list[Column], dict[str, int], int]:
    """Read every cell once: what is in each column, each label's count, rows without a label."""
    columns = {name: Column(name) for name in next(iter(names.values()))}
    labels: dict[str, int] = {}
    unlabelled, missing = 0, set(source.missing)
    for part, path in files.items():
        for line, cells in rows_of(path, source, len(names[part])):
            row = dict(zip(names[part], cells, strict=True))
            label = row[source.label]
            if label in missing:
                unlabelled += 1
                continue
            if label in labels or len(labels) <= LABELS:
                labels[label] = labels.get(label, 0) + 1
            for name, column in columns.items():
                column.see(path.name, line, row[name], is_missing=row[name] in missing)
    return list(columns.values()), labels, unlabelled


def _source(
    source: CsvSource,
    files: dict[str, Path],
    names: dict[str, list[str]],
    labels: dict[str, int],
    encoding: dict[str, Any],
    found: list[Finding],
) -> Source:
    """Return the described source; labels that are all numbers may be classes or quantities."""
    spec = Input("features", "columns", columns=tuple(c["name"] for c in encoding["columns"]),
                 encoding=encoding)  # fmt: skip
    are_numbers = all(as_number(label) is not None for label in labels)
    ordered = tuple(sorted(labels))
    codes = None if are_numbers else {label: code for code, label in enumerate(ordered)}

    def read() -> Iterator[Chunk]:
        for part, path in files.items():
            wanted = _Wanted(source, names[part], encoding, codes)
            yield from _chunks(wanted, rows_of(path, source, len(names[part])), path, part)
        yield Chunk({}, np.zeros(0), [], findings=tuple(found))

    if not are_numbers:
        return Source((spec,), "class", ordered, read)
    is_whole = len(labels) <= LABELS and all(float(label).is_integer() for label in labels)
    return Source((spec,), "integer" if is_whole else "number", None, read)


class _Wanted:
    """Which cells of a row become what."""

    def __init__(
        self,
        source: CsvSource,
        names: list[str],
        encoding: dict[str, Any],
        codes: dict[str, int] | None,
    ) -> None:
        place = {name: i for i, name in enumerate(names)}
        self.source, self.codes, self.encoding = source, codes, encoding
        self.columns = [(place[c["name"]], c | _codes(c)) for c in encoding["columns"]]
        self.label = place[source.label]
        self.group = None if source.group is None else place[source.group]


def _codes(column: dict[str, Any]) -> dict[str, Any]:
    values = column["values"]
    return {"codes": None if values is None else {value: i for i, value in enumerate(values)}}


def _chunks(wanted: _Wanted, rows: Iterator[Row], path: Path, part: str) -> Iterator[Chunk]:
    """Yield rows as values, ROWS at a time; rows without a label are left out."""
    held: list[Row] = []
    for line, cells in rows:
        if cells[wanted.label] in wanted.source.missing:
            continue
        held.append((line, cells))
        if len(held) == ROWS:
            yield _chunk(wanted, held, path, part)
            held = []
    if held:
        yield _chunk(wanted, held, path, part)


def _chunk(wanted: _Wanted, held: list[Row], path: Path, part: str) -> Chunk:
    missing = set(wanted.encoding["missing"])
    values = [
        [encode_cell(cells[i], column, missing) for i, column in wanted.columns]
        for _, cells in held
    ]
    said = [cells[wanted.label] for _, cells in held]
    codes = wanted.codes
    labels = np.array([float(label) if codes is None else codes[label] for label in said])
    return Chunk(
        {"features": np.array(values, np.float32)},
        labels.astype(np.float64 if codes is None else np.int64),
        [f"{path.name}:{line}" for line, _ in held],
        part or None,
        None if wanted.group is None else [cells[wanted.group] for _, cells in held],
    )


def _names(path: Path, source: CsvSource) -> list[str]:
    """Return the names of a file's columns."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; wanted a CSV file")
    if source.columns is not None:
        return list(source.columns)
    first = next(_lines(path, source), None)
    if first is None:
        raise ConfigError(f"{path}: the file is empty; wanted a header line and rows")
    names = [name.strip(source.strip) for name in first[1]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}:{first[0]}: two columns are called {', '.join(twice)}")
    return names


def _refuse_columns(source: CsvSource, files: dict[str, Path], names: dict[str, list[str]]) -> None:
    """Refuse names that no column has, and files of other columns."""
    problems = []
    known = next(iter(names.values()))
    asked = {"label": (source.label,), "drop": source.drop, "categorical": source.categorical}
    asked["group"] = () if source.group is None else (source.group,)
    for key, wanted in asked.items():
        problems += [
            f"data.source.{key}: {path} has no column {name!r}; it has {', '.join(known)}"
            for path in list(files.values())[:1]
            for name in wanted
            if name not in known
        ]
    for part, found in names.items():
        if set(found) != set(known):
            odd = ", ".join(sorted(set(found) ^ set(known)))
            problems.append(f"{files[part]}: not the columns of the first file: {odd}")
    if problems:
        raise ConfigError(*problems)


def rows_of(path: Path, source: CsvSource, width: int) -> Iterator[Row]:
    """Yield (line, stripped cells) of every row.

    Raises:
        ConfigError: rows of another length; the first are named.
    """
    wrong: list[str] = []
    count = 0
    lines = _lines(path, source)
    if source.columns is None:
        next(lines, None)
    is_empty = True
    for line, cells in lines:
        is_empty = False
        if len(cells) != width:
            count += 1
            if len(wrong) < NAMED:
                wrong.append(f"{path}:{line}: {len(cells)} values; wanted {width}")
            continue
        yield line, [cell.strip(source.strip) for cell in cells]
    if wrong:
        more = [f"{path}: and {count - len(wrong)} more rows"] if count > len(wrong) else []
        raise ConfigError(*wrong, *more)
    if is_empty:
        raise ConfigError(f"{path}: holds no row; wanted one a sample")


def _lines(path: Path, source: CsvSource) -> Iterator[Row]:
    """Yield (line, cells), empty lines left out."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open("rb") as file:
        reader = csv.reader(_decoded(file, path, source.encoding), delimiter=source.delimiter)
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
