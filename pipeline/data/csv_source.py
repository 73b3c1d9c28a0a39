"""A table in one CSV file, or in files for train, validation and test; read twice, row by row.

The first reading collects the columns' values and every wrong row; the second yields chunks.
Cells become values by the function that ships in the device runner.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import CsvSource
from pipeline.data.columns import Column, judge
from pipeline.data.csv_rows import (
    Form,
    Row,
    dialect_of,
    files_of,
    names_of,
    refuse_columns,
    rows_of,
)
from pipeline.data.given_parts import read_part
from pipeline.data.label_encoder import LabelEncoding, Labels
from pipeline.data.moments import moment, read_moment
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.errors import ConfigError
from pipeline.ondevice.columns import encode_cell
from pipeline.samples.columns import rows_input
from pipeline.samples.kind import Input, RowColumn

ROWS = 4096  # of a chunk


def open_csv(source: CsvSource, base: Path, report: str | None) -> Source:
    """Read the table once and describe it.

    Raises:
        ConfigError: a file that is missing, is empty or has another encoding, a row of another
            length, a missing column, a cell that is no number; every cell is named.
    """
    table = _table(source, base, report)
    columns, labels, unlabeled = _survey(table)
    unseen = {source.label, source.group, source.time, source.split, *source.drop}
    inputs = [column for column in columns if column.name not in unseen]
    kinds, found = judge(inputs, source.categorical)
    kept = [column for column in inputs if kinds[column.name] != "left out"]
    if not kept:
        raise ConfigError(f"{source.path}: no column is left to learn from besides {source.label}")
    if unlabeled:
        text = f"{unlabeled} rows have no {source.label} and were left out."
        found.append(Finding("warning", "rows_without_label", text, unlabeled))
    described = [
        RowColumn(
            column.name,
            sorted(column.values or ()) if kinds[column.name] == "category" else None,
        )
        for column in kept
    ]
    inputs_made = _inputs(table, described)
    encoding = labels.encoding("data.source.label", source.labels_alike)
    return _described(table, inputs_made, encoding, [*found, *encoding.findings])


@dataclass(frozen=True)
class _Table:
    """Where the rows are, and what their columns are called."""

    source: CsvSource
    form: Form
    files: dict[str, Path]
    names: dict[str, list[str]]
    report: str | None


def _table(source: CsvSource, base: Path, report: str | None) -> _Table:
    files = files_of(source, base)
    form = Form(source.delimiter, source.encoding, source.columns, source.strip, numbers=True)
    names = {part: names_of(path, form) for part, path in files.items()}
    keys = ("label", "group", "split", "time", "drop", "categorical")
    asked = {key: getattr(source, key) for key in keys}
    listed = {
        f"data.source.{key}": (name,) if isinstance(name, str) else name or ()
        for key, name in asked.items()
    }
    listed["data.report_groups"] = () if report is None else (report,)
    refuse_columns(listed, files, names)
    return _Table(source, form, files, names, report)


def _survey(table: _Table) -> tuple[list[Column], Labels, int]:
    """Read every cell once: values of each column, labels, rows without a label."""
    source = table.source
    columns = {name: Column(name) for name in next(iter(table.names.values()))}
    labels = Labels()
    unlabeled, missing = 0, set(source.missing)
    for part, path in table.files.items():
        names = table.names[part]
        for line, cells in rows_of(path, table.form, len(names)):
            row = dict(zip(names, cells, strict=True))
            label = row[source.label]
            if label in missing:
                unlabeled += 1
                continue
            labels.see(path, line, label)
            if source.split is not None:
                read_part(path, line, source.split, cell=row[source.split])
            if source.time is not None:
                read_moment(
                    path, line, source.time, cell=row[source.time], time_format=source.time_format
                )
            for name, column in columns.items():
                column.see(path.name, line, row[name], is_missing=row[name] in missing)
    return list(columns.values()), labels, unlabeled


def _inputs(table: _Table, described: list[RowColumn]) -> tuple[Input, ...]:
    """Return one input of numbers and one-hot columns, or two: numbers, and codes to embed."""
    source = table.source
    delimiter, written = dialect_of(next(iter(table.files.values())), table.form)
    cells = {
        "missing": list(source.missing),
        "strip": source.strip,
        "delimiter": delimiter,
        "number_format": written,
    }
    codes: list[RowColumn] = []
    if source.categories == "embedding":
        codes = [column for column in described if column.categories is not None]
    are_codes = source.categories == "embedding"
    rest = [c for c in described if not are_codes or c.categories is None]
    found = []
    if rest:
        found.append(rows_input("features", rest, cells, numbers=source.numbers))
    if codes:
        found.append(rows_input("categories", codes, cells, kind="codes"))
    return tuple(found)


def _described(
    table: _Table, inputs: tuple[Input, ...], encoding: LabelEncoding, found: list[Finding]
) -> Source:
    """Return the described source."""

    def read() -> Iterator[Chunk]:
        for part, path in table.files.items():
            reader = _Reader(table, part, inputs, encoding)
            yield from reader.chunks(rows_of(path, table.form, len(table.names[part])))
        yield Chunk({}, np.zeros(0), [], findings=tuple(found))

    return Source(inputs, encoding.kind, encoding.names, read)


class _Reader:
    """Which cells of a row of one part become what."""

    def __init__(
        self, table: _Table, part: str, inputs: tuple[Input, ...], encoding: LabelEncoding
    ) -> None:
        self.table, self.part, self.encoding = table, part, encoding
        self.place = {name: i for i, name in enumerate(table.names[part])}
        self.missing = set(table.source.missing)
        self.columns = {
            spec.name: [(self.place[name], _codes(words)) for name, words in spec.row]
            for spec in inputs
        }

    def chunks(self, rows: Iterator[Row]) -> Iterator[Chunk]:
        """Yield rows as values, ROWS at a time; rows without a label are left out."""
        held: list[Row] = []
        label = self.place[self.table.source.label]
        for line, cells in rows:
            if cells[label] in self.missing:
                continue
            held.append((line, cells))
            if len(held) == ROWS:
                yield self._chunk(held)
                held = []
        if held:
            yield self._chunk(held)

    def _chunk(self, held: list[Row]) -> Chunk:
        source, file = self.table.source, self.table.files[self.part]
        return Chunk(
            {name: self._values(held, columns) for name, columns in self.columns.items()},
            self.encoding.of(self._cells(held, source.label) or []),
            [f"{file.name}:{line}" for line, _ in held],
            self.part or None,
            self._cells(held, source.group),
            _moments(self._cells(held, source.time), source.time_format),
            self._cells(held, self.table.report),
            parts=None if source.split is None else self._parts(held, source.split, file),
        )

    def _parts(self, held: list[Row], column: str, file: Path) -> list[str]:
        at = self.place[column]
        return [read_part(file, line, column, cell=cells[at]) for line, cells in held]

    def _cells(self, held: list[Row], name: str | None) -> list[str] | None:
        return None if name is None else [cells[self.place[name]] for _, cells in held]

    def _values(self, held: list[Row], columns: list[tuple[int, dict[str, int] | None]]) -> Array:
        values = [
            [encode_cell(cells[i], codes, self.missing) for i, codes in columns]
            for _, cells in held
        ]
        return np.array(values, np.float32)


def _codes(words: list[str] | None) -> dict[str, int] | None:
    return None if words is None else {word: i for i, word in enumerate(words)}


def _moments(cells: list[str] | None, time_format: str | None) -> Array | None:
    """Return the moment of each row, which begins and ends at once."""
    if cells is None:
        return None
    return np.array([[moment(cell, time_format)] * 2 for cell in cells], np.float64)
