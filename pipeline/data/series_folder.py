"""Recordings of sensors, a CSV file each, in class subfolders: stretched, padded or windowed.

One recording is in memory at a time. What cannot be read is left out and reported with its line.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import SeriesFolderSource
from pipeline.data.class_folders import Classes, file_name, leavings, list_classes, without_root
from pipeline.data.csv_rows import Form, names_of
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
    classes = list_classes(base / Path(source.path).expanduser(), SUFFIXES, "recording")
    names = _channels(source, classes)
    entry = SeriesEntry(
        name="series",
        length=source.length,
        fit=source.fit,
        stride=source.stride or max(1, source.length // 2),
        per_window_standardize=False,
        header=source.header,
        delimiter=source.delimiter,
        missing=list(MISSING),
        **BLANK,
    )
    spec = Input("series", "series", columns=names, template=entry, numbers=source.numbers)
    return Source((spec,), "class", tuple(classes.names), lambda: _read(classes, names, entry))


def _channels(source: SeriesFolderSource, classes: Classes) -> tuple[str, ...]:
    """Return the names of the channels: those asked for, or those of the first file."""
    first = Path(classes.listed[0].path)
    header = names_of(first, Form(source.delimiter))
    if not source.header:
        if source.columns is not None and len(source.columns) != len(header):
            raise ConfigError(
                f"data.source.columns: {len(source.columns)} names for the {len(header)} columns "
                f"of {first}; wanted one for each"
            )
        return source.columns or tuple(f"column_{i}" for i in range(len(header)))
    wanted = source.columns or tuple(header)
    absent = [name for name in wanted if name not in header]
    if absent:
        raise ConfigError(
            f"data.source.columns: {first} has no column {', '.join(absent)}; it has "
            f"{', '.join(header)}"
        )
    return wanted


def _read(classes: Classes, names: Sequence[str], entry: SeriesEntry) -> Iterator[Chunk]:
    """Yield the samples of one recording after the other, then findings on what is left out."""
    broken: list[str] = []
    unknown = 0
    numbers = {name: number for number, name in enumerate(classes.names)}
    is_windowed = entry.fit == "window"
    for file in classes.listed:
        name = file_name(file.path, classes.root)
        try:
            rows = _rows(Path(file.path), names, entry)
        except (OSError, ValueError) as error:
            broken.append(f"{name} ({without_root(error, classes.root)})")
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
            [name] * count if is_windowed else None,
        )
    found = leavings(classes, broken, "recording")
    if unknown:
        text = f"{unknown} values of recordings are missing: the median of train stands in."
        found = (*found, Finding("info", "missing_values", text, unknown))
    yield Chunk({}, np.zeros(0, np.int64), [], findings=found)


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
