"""Timestamped series in CSV files, cut into windows; a window's rows are in memory at a time.

The target of a window is a label, whether it touches a listed anomaly, or how much the first
value changes over the `horizon` rows after it: the naive forecast, no change, is then zero.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import SeriesCsvSource
from pipeline.data.anomaly_spans import Span, read_spans
from pipeline.data.columns import as_number
from pipeline.data.csv_rows import Form, dialect_of, names_of, refuse_columns, rows_of
from pipeline.data.given_parts import read_part
from pipeline.data.group_names import MEASURED
from pipeline.data.label_encoder import LabelEncoding, Labels
from pipeline.data.moments import moment, read_moment
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.data.source_fingerprint import series_parts
from pipeline.data.time_steps import Odd, Steps
from pipeline.documents.preprocess import SeriesEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.numbers import last_known_value
from pipeline.samples.kind import Input
from pipeline.samples.series import BLANK

WINDOWS = 512  # of a chunk
CLASSES = ("anomaly", "normal")
WRONG = 10  # cells that a message names


@dataclass(frozen=True)
class _Series:
    """The files, and how they are read."""

    source: SeriesCsvSource
    files: dict[str, Path]
    """Name -> file; a series each."""
    parts: dict[str, str]
    """Name of a file -> train, validation or test; empty: not given."""
    form: Form
    encoding: LabelEncoding | None
    """How labels are encoded; None: there are none."""
    spans: dict[str, list[Span]] | None
    """Name of a file -> its anomalies."""
    usual: dict[str, float | None]
    """Name of a file -> usual seconds from row to row."""
    findings: tuple[Finding, ...] = ()
    """On columns that are not used."""


def open_series_csv(source: SeriesCsvSource, base: Path, report: str | None) -> Source:
    """Find the files, read their labels, and describe the source.

    Raises:
        ConfigError: no file, a column that is not there, a cell that is no number or moment, a
            windows file of another form; every line is named.
    """
    parted = series_parts(source, base)
    files = {name: path for name, (path, _) in parted.items()}
    form = Form(source.delimiter, numbers=True)
    names = {name: names_of(path, form) for name, path in files.items()}
    for name, path in files.items():
        refuse_columns(_columns_of(source), {name: path}, {name: names[name]})
    labels, usual = _survey(source, files, form)
    spans = read_spans(base / Path(source.windows_path), files) if source.windows_path else None
    delimiter, written = dialect_of(next(iter(files.values())), form)
    entry = SeriesEntry(
        name="series",
        length=source.window,
        fit="window",
        stride=source.stride,
        per_window_standardize=source.relative,
        header=True,
        delimiter=delimiter,
        missing=list(source.missing),
        **BLANK | {"number_format": written},
    )
    columns, numbers = source.values, source.numbers
    spec = Input("series", "series", columns=columns, template=entry, numbers=numbers)
    encoding = (
        None if source.label is None else labels.encoding("data.source.label", source.labels_alike)
    )
    parts = {name: part for name, (_, part) in parted.items()}
    series = _Series(source, files, parts, form, encoding, spans, usual, _unused(source, names))
    if spans is not None:
        return Source((spec,), "class", CLASSES, lambda: _read(series))
    if encoding is None:
        return Source((spec,), "change", None, lambda: _read(series))
    return Source((spec,), encoding.kind, encoding.names, lambda: _read(series))


def _columns_of(source: SeriesCsvSource) -> dict[str, tuple[str, ...]]:
    """Return key of the config -> columns that it names."""
    single = ("timestamp", "time_of_day", "group", "split", "label")
    asked = {f"data.source.{key}": getattr(source, key) for key in single}
    named = {key: () if name is None else (name,) for key, name in asked.items()}
    return named | {"data.source.series": source.series, "data.source.values": source.values}


def _survey(
    source: SeriesCsvSource, files: dict[str, Path], form: Form
) -> tuple[Labels, dict[str, float | None]]:
    """Read every cell once: refuse no numbers and no moments; return labels, steps."""
    labels = Labels()
    wrong: list[str] = []
    usual: dict[str, float | None] = {}
    for file, path in files.items():
        names, steps = names_of(path, form), Steps()
        for line, cells in rows_of(path, form, len(names)):
            row = dict(zip(names, cells, strict=True))
            cell = _time_cell(row, source)
            column, written = source.timestamp, source.time_format
            steps.add(read_moment(path, line, column, cell=cell, time_format=written))
            wrong += [
                f"{path}:{line}: {name}: wanted a number, got {row[name]!r}; repair it, or add it "
                "to data.source.missing"
                for name in source.values
                if row[name] not in source.missing and as_number(row[name]) is None
            ]
            if len(wrong) >= WRONG:
                raise ConfigError(*wrong[:WRONG])
            if source.split is not None:
                read_part(path, line, source.split, cell=row[source.split])
            if source.label is not None and row[source.label]:
                labels.see(path, line, row[source.label])
        usual[file] = steps.usual
    if wrong:
        raise ConfigError(*wrong)
    return labels, usual


def _unused(source: SeriesCsvSource, names: dict[str, list[str]]) -> tuple[Finding, ...]:
    """Return a finding for each unused column that is named after who or what was measured."""
    used = {*source.values, *source.series, source.label, source.group, source.timestamp}
    used.add(source.split)
    found = [name for name in next(iter(names.values())) if name not in used]
    text = "Column {} looks like who or what was measured: data.source.group keeps it together."
    return tuple(
        Finding("warning", "unused_group", text.format(name), 1)
        for name in found
        if source.group is None and MEASURED.match(name)
    )


def _time_cell(row: Mapping[str, str], source: SeriesCsvSource) -> str:
    """Return the moment of a row, from one cell or two."""
    if source.time_of_day is None:
        return row[source.timestamp]
    return f"{row[source.timestamp]} {row[source.time_of_day]}"


def _read(series: _Series) -> Iterator[Chunk]:
    """Yield the windows of one series after the other, then the findings."""
    seen = Odd()
    for name, path in series.files.items():
        held: list[_Window] = []
        count = 0
        for window in _windows(series, name, path, seen):
            count += 1
            held.append(window)
            if len(held) == WINDOWS:
                yield _chunk(held)
                held = []
        if held:
            yield _chunk(held)
        if not count:
            seen.short.append(name)
    spelt = () if series.encoding is None else series.encoding.findings
    yield Chunk({}, np.zeros(0), [], findings=(*spelt, *series.findings, *seen.findings()))


@dataclass(frozen=True)
class _Row:
    """A row of a series."""

    numbers: list[float]
    at: float
    """Seconds."""
    label: str
    line: int


@dataclass(frozen=True)
class _Window:
    """A window with its target."""

    rows: Array
    """(window, channels) float32."""
    target: float
    name: str
    span: Span
    group: str
    part: str


def _windows(series: _Series, name: str, path: Path, seen: Odd) -> Iterator[_Window]:
    """Yield each window that has a target."""
    source = series.source
    ahead = source.horizon if series.spans is None and source.label is None else 0
    usual = series.usual[name]
    held: deque[_Row] = deque(maxlen=source.window + ahead)
    number, last = 0, None
    for cells, row in _rows(series, path):
        part = series.parts[name]
        if source.split is not None:
            part = read_part(path, row.line, source.split, cell=cells[source.split])
        key = (part, *(cells[column] for column in source.series))
        if key != last:
            held.clear()
            number, last = 0, key
        if held:
            seen.see_step(row.at - held[-1].at, usual, f"{name}:{row.line}")
        seen.unknown += sum(value != value for value in row.numbers)
        held.append(row)
        number += 1
        if len(held) < source.window + ahead or (number - len(held)) % source.stride:
            continue
        if not seen.takes([own.at for own in held], usual, source.max_gap_s):
            continue
        values = np.array([own.numbers for own in held][: source.window], np.float32)
        target = _target(series, name, values, list(held))
        if target is None or target != target:
            seen.unlabeled += 1
            continue
        seen.mixed += len({own.label for own in held}) > 1
        end = held[source.window - 1].line
        group = name if source.group is None else cells[source.group]
        yield _Window(values, target, f"{name}:{end}", (held[0].at, held[-1].at), group, part)


def _rows(series: _Series, path: Path) -> Iterator[tuple[dict[str, str], _Row]]:
    """Yield (cells by column, row) of a file."""
    source = series.source
    names = names_of(path, series.form)
    for line, cells in rows_of(path, series.form, len(names)):
        row = dict(zip(names, cells, strict=True))
        numbers = [_value(row[column], source.missing) for column in source.values]
        at = moment(_time_cell(row, source), source.time_format)
        label = "" if source.label is None else row[source.label]
        yield row, _Row(numbers, at, label, line)


def _value(cell: str, missing: tuple[str, ...]) -> float:
    return float("nan") if cell in missing else float(cell)


def _target(series: _Series, name: str, rows: Array, held: list[_Row]) -> float | None:
    """Return the target of a window, rows (T, C); None or NaN where it is unknown."""
    if series.spans is not None:
        start, end = held[0].at, held[-1].at
        touches = any(a <= end and start <= b for a, b in series.spans[name])
        return float(CLASSES.index("anomaly" if touches else "normal"))
    if series.encoding is None:
        return float(np.float32(held[-1].numbers[0]) - last_known_value(rows[:, 0]))
    label = held[-1].label
    return float(series.encoding.of([label])[0]) if label else None


def _chunk(held: list[_Window]) -> Chunk:
    return Chunk(
        {"series": np.stack([window.rows for window in held])},
        np.array([window.target for window in held]),
        [window.name for window in held],
        None,
        [window.group for window in held],
        np.array([window.span for window in held], np.float64),
        parts=[window.part for window in held] if any(window.part for window in held) else None,
    )
