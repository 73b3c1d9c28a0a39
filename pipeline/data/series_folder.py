"""Recordings of sensors, a CSV file each, in class subfolders: stretched, padded or windowed.

One recording is in memory at a time. What cannot be read is left out and reported with its line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import SeriesFolderSource
from pipeline.data.channels import channels_of
from pipeline.data.class_folders import Broken, Classes, Listed, file_name, leavings, without_root
from pipeline.data.csv_rows import Form, dialect_of, names_of
from pipeline.data.file_source import classes_of
from pipeline.data.recordings import window_names
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.documents.preprocess import SeriesEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.series import fit_series_length, read_numbers
from pipeline.samples.kind import Input
from pipeline.samples.series import BLANK

SUFFIXES = (".csv",)
MISSING = ("", "NA", "NaN", "nan", "null")


def open_series_folder(source: SeriesFolderSource, base: Path, report: str | None) -> Source:
    """List the recordings; they are read when the chunks are asked for.

    Raises:
        ConfigError: no such folder, a wrong layout, an empty class, unknown columns.
    """
    classes = classes_of(source, base, SUFFIXES, what="recording")
    names, found = _channels(source, classes)
    classes = replace(classes, findings=(*classes.findings, *found))
    form = Form(source.delimiter, columns=None if source.header else names)
    delimiter, written = dialect_of(Path(classes.listed[0].path), form)
    entry = SeriesEntry(
        name="series",
        length=source.length,
        fit=source.fit,
        stride=source.stride or max(1, source.length // 2),
        per_window_standardize=False,
        header=source.header,
        delimiter=delimiter,
        missing=list(MISSING),
        **BLANK | {"number_format": written},
    )
    spec = Input("series", "series", columns=names, template=entry, numbers=source.numbers)
    return Source((spec,), "class", tuple(classes.names), lambda: _read(classes, names, entry))


def _channels(
    source: SeriesFolderSource, classes: Classes
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the names of the channels, those asked for or all that are some, and what is odd."""
    first = Path(classes.listed[0].path)
    header = names_of(first, Form(source.delimiter))
    if not source.header:
        if source.columns is not None and len(source.columns) != len(header):
            raise ConfigError(
                f"data.source.columns: {len(source.columns)} names for the {len(header)} columns "
                f"of {first}; wanted one for each"
            )
        return _without_header(source, classes, header)
    files = [file.path for file in classes.listed]
    if source.columns is None:
        found = channels_of(files, Form(source.delimiter))
        return found.kept or tuple(header), found.findings
    wanted = source.columns
    absent = [name for name in wanted if name not in header]
    if absent:
        raise ConfigError(
            f"data.source.columns: {first} has no column {', '.join(absent)}; it has "
            f"{', '.join(header)}"
        )
    clocks = set(channels_of(files, Form(source.delimiter)).clocks).intersection(wanted)
    text = "Column {} rises steadily in every file: a clock says when, not what was measured."
    return wanted, tuple(Finding("warning", "clock", text.format(name), 1) for name in clocks)


def _without_header(
    source: SeriesFolderSource, classes: Classes, first: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return names for the columns of files without a header; all of them are channels.

    Raises:
        ConfigError: one of them is a clock: it can be left out by its name only.
    """
    names = source.columns or tuple(f"column_{i}" for i in range(len(first)))
    form = Form(source.delimiter, columns=names)
    found = channels_of([file.path for file in classes.listed], form)
    if found.clocks:
        raise ConfigError(
            f"data.source.columns: {', '.join(found.clocks)} rises steadily in every file: it is a "
            "clock and would be learned; write a header into the files, and leave it out of columns"
        )
    return names, ()


def _read(classes: Classes, names: Sequence[str], entry: SeriesEntry) -> Iterator[Chunk]:
    """Yield the samples of one recording after the other, then findings on what is left out."""
    broken: list[Broken] = []
    unknown = 0
    numbers = {name: number for number, name in enumerate(classes.names)}
    is_windowed = entry.fit == "window"
    for file in classes.listed:
        name = file_name(file.path, classes.root)
        try:
            rows = _rows(Path(file.path), names, entry)
        except (OSError, ValueError) as error:
            broken.append((file, without_root(error, classes.root)))
            continue
        unknown += int(np.isnan(rows).sum())
        samples = fit_series_length(rows, entry)
        count = len(samples)
        ids = window_names(name, count) if is_windowed else [name]
        yield Chunk(
            {"series": samples},
            np.full(count, numbers[file.label], np.int64),
            ids,
            file.part,
            _group(file, name, count, is_windowed=is_windowed),
        )
    found = leavings(classes, broken, "recording")
    if unknown:
        text = f"{unknown} values of recordings are missing: the median of train stands in."
        found = (*found, Finding("info", "missing_values", text, unknown))
    yield Chunk({}, np.zeros(0, np.int64), [], findings=found)


def _group(file: Listed, name: str, count: int, *, is_windowed: bool) -> list[str] | None:
    """Return what each sample of a recording stays with: windows at least with one another."""
    group = name if file.group is None and is_windowed else file.group
    return None if group is None else [group] * count


def _rows(path: Path, names: Sequence[str], entry: SeriesEntry) -> Array:
    """Return the rows of a recording (T, C) float32.

    Raises:
        ValueError: it is empty, or a row is not as wanted; the line is named.
    """
    named = entry.model_copy(update={"columns": names})
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = names if entry.header else None
        rows = [row for _, row in read_numbers(file, path.name, named, header)]
    if not rows:
        raise ValueError("holds no row")
    return np.array(rows, np.float32)
