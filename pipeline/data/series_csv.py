"""Timestamped series in CSV files, cut into windows; a window's rows are in memory at a time.

The target of a window is a label, whether it touches a listed anomaly, or how much the first
value changes over the `horizon` rows after it: the naive forecast, no change, is then zero.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import SeriesCsvSource
from pipeline.data.columns import as_number
from pipeline.data.csv_rows import Form, names_of, refuse_columns, rows_of
from pipeline.data.label_encoder import LabelEncoding, Labels
from pipeline.data.moments import moment, refuse_moment
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.data.source_fingerprint import series_files
from pipeline.documents.preprocess import SeriesEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.numbers import last_known_value
from pipeline.samples.kind import Input
from pipeline.samples.series import BLANK

WINDOWS = 512  # of a chunk
CLASSES = ("anomaly", "normal")
WRONG = 10  # cells that a message names

Span = tuple[float, float]


@dataclass(frozen=True)
class _Series:
    """The files, and how they are read."""

    source: SeriesCsvSource
    files: dict[str, Path]
    """Name -> file; a series each."""
    form: Form
    encoding: LabelEncoding | None
    """How labels are encoded; None: there are none."""
    spans: dict[str, list[Span]] | None
    """Name of a file -> its anomalies."""


@dataclass
class _Seen:
    """Counts while windows are cut."""

    unanswered: int = 0
    unknown: int = 0
    backwards: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)


def open_series_csv(source: SeriesCsvSource, base: Path, report: str | None) -> Source:
    """Find the files, read their labels, and describe the source.

    Raises:
        ConfigError: no file, a column that is not there, a cell that is no number or moment, a
            windows file of another form; every line is named.
    """
    files = series_files(source.path, base)
    form = Form(source.delimiter)
    names = {name: names_of(path, form) for name, path in files.items()}
    asked = {
        "data.source.timestamp": (source.timestamp,),
        "data.source.values": source.values,
        "data.source.label": () if source.label is None else (source.label,),
    }
    for name, path in files.items():
        refuse_columns(asked, {name: path}, {name: names[name]})
    labels = _survey(source, files, form)
    spans = _spans(base / Path(source.windows_path), files) if source.windows_path else None
    entry = SeriesEntry(
        name="series",
        length=source.window,
        fit="window",
        stride=source.stride,
        per_window_standardize=source.relative,
        header=True,
        delimiter=source.delimiter,
        missing=list(source.missing),
        **BLANK,
    )
    columns, numbers = source.values, source.numbers
    spec = Input("series", "series", columns=columns, template=entry, numbers=numbers)
    encoding = (
        None if source.label is None else labels.encoding("data.source.label", source.labels_alike)
    )
    series = _Series(source, files, form, encoding, spans)
    if spans is not None:
        return Source((spec,), "class", CLASSES, lambda: _read(series))
    if encoding is None:
        return Source((spec,), "change", None, lambda: _read(series))
    return Source((spec,), encoding.kind, encoding.names, lambda: _read(series))


def _survey(source: SeriesCsvSource, files: dict[str, Path], form: Form) -> Labels:
    """Read every cell once: refuse those that are no numbers or moments, and return the labels."""
    labels = Labels()
    wrong: list[str] = []
    for path in files.values():
        names = names_of(path, form)
        for line, cells in rows_of(path, form, len(names)):
            row = dict(zip(names, cells, strict=True))
            refuse_moment(path, line, source.timestamp, cell=row[source.timestamp])
            wrong += [
                f"{path}:{line}: {name}: wanted a number, got {row[name]!r}; repair it, or add it "
                "to data.source.missing"
                for name in source.values
                if row[name] not in source.missing and as_number(row[name]) is None
            ]
            if len(wrong) >= WRONG:
                raise ConfigError(*wrong[:WRONG])
            if source.label is not None and row[source.label]:
                labels.see(path, line, row[source.label])
    if wrong:
        raise ConfigError(*wrong)
    return labels


def _spans(path: Path, files: dict[str, Path]) -> dict[str, list[Span]]:
    """Return name of a file -> its anomalies in seconds, from a JSON file.

    Raises:
        ConfigError: it is not there, no JSON, of another form, or names none of the files.
    """
    where = f"data.source.windows_path: {path}"
    try:
        said = json.loads(path.read_text())
        pairs = {key: [(moment(a), moment(b)) for a, b in spans] for key, spans in said.items()}
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{where}: wanted JSON, name of a file -> list of [start, end]; {error}"
        ) from error
    found = {
        name: next((spans for key, spans in pairs.items() if file.absolute().match(key)), None)
        for name, file in files.items()
    }
    missing = [name for name, spans in found.items() if spans is None]
    if len(missing) == len(files):
        raise ConfigError(f"{where}: names none of the files, such as {missing[0]}")
    return {name: spans or [] for name, spans in found.items()}


def _read(series: _Series) -> Iterator[Chunk]:
    """Yield the windows of one series after the other, then the findings."""
    seen = _Seen()
    for name, path in series.files.items():
        held: list[tuple[Any, ...]] = []
        count = 0
        for window in _windows(series, name, path, seen):
            count += 1
            held.append(window)
            if len(held) == WINDOWS:
                yield _chunk(held, name)
                held = []
        if held:
            yield _chunk(held, name)
        if not count:
            seen.short.append(name)
    spelt = () if series.encoding is None else series.encoding.findings
    yield Chunk({}, np.zeros(0), [], findings=(*spelt, *_findings(seen)))


def _windows(
    series: _Series, name: str, path: Path, seen: _Seen
) -> Iterator[tuple[Array, float, str, Span]]:
    """Yield (rows, target, id, first and last moment) of each window that has a target."""
    source = series.source
    ahead = source.horizon if series.spans is None and source.label is None else 0
    names = names_of(path, series.form)
    place = {column: i for i, column in enumerate(names)}
    values = [place[column] for column in source.values]
    held: deque[tuple[list[float], float, str, int]] = deque(maxlen=source.window + ahead)
    for number, (line, cells) in enumerate(rows_of(path, series.form, len(names))):
        numbers = [_value(cells[i], source.missing) for i in values]
        seen.unknown += sum(value != value for value in numbers)
        at = moment(cells[place[source.timestamp]])
        if held and at < held[-1][1]:
            seen.backwards.append(f"{name}:{line}")
        label = "" if source.label is None else cells[place[source.label]]
        held.append((numbers, at, label, line))
        if len(held) < source.window + ahead or (number + 1 - len(held)) % source.stride:
            continue
        rows = np.array([row for row, *_ in held][: source.window], np.float32)
        answer = _answer(series, name, rows, list(held))
        if answer is None or answer != answer:
            seen.unanswered += 1
            continue
        end = held[source.window - 1]
        yield rows, answer, f"{name}:{end[3]}", (held[0][1], held[-1][1])


def _value(cell: str, missing: tuple[str, ...]) -> float:
    return float("nan") if cell in missing else float(cell)


def _answer(series: _Series, name: str, rows: Array, held: list[Any]) -> float | None:
    """Return the target of a window; None or NaN where it is unknown."""
    if series.spans is not None:
        start, end = held[0][1], held[-1][1]
        touches = any(a <= end and start <= b for a, b in series.spans[name])
        return float(CLASSES.index("anomaly" if touches else "normal"))
    if series.encoding is None:
        return float(np.float32(held[-1][0][0]) - last_known_value(rows[:, 0]))
    label = held[-1][2]
    if not label:
        return None
    return float(series.encoding.of([label])[0])


def _chunk(held: list[tuple[Any, ...]], name: str) -> Chunk:
    return Chunk(
        {"series": np.stack([rows for rows, *_ in held])},
        np.array([answer for _, answer, *_ in held]),
        [sample_id for _, _, sample_id, _ in held],
        None,
        [name] * len(held),
        np.array([span for *_, span in held], np.float64),
    )


def _findings(seen: _Seen) -> Iterator[Finding]:
    """Yield the findings on the series."""
    if seen.unknown:
        text = f"{seen.unknown} values are missing: the median of train stands in."
        yield Finding("info", "missing_values", text, seen.unknown)
    if seen.unanswered:
        text = f"{seen.unanswered} windows have no target and were left out."
        yield Finding("info", "windows_without_answer", text, seen.unanswered)
    if seen.backwards:
        count = len(seen.backwards)
        text = f"{count} rows are older than the row before, the first at {seen.backwards[0]}."
        yield Finding("warning", "backwards_in_time", text, count)
    if seen.short:
        text = f"{len(seen.short)} series are too short for a window: {', '.join(seen.short[:5])}."
        yield Finding("warning", "short_series", text, len(seen.short))
