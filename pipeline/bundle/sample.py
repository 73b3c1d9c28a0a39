"""One test sample of a bundle in the form that a person would try: a picture, a sound, a row."""

import csv
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import write_arrays
from pipeline.documents.preprocess import (
    AudioEntry,
    CategoryColumn,
    CodesEntry,
    Column,
    ColumnsEntry,
    Entry,
    SeriesEntry,
)
from pipeline.samples import KINDS

NO_CATEGORY = "(none of them)"


def sample_name(entries: Sequence[Entry]) -> str:
    """Return the name of the sample's file."""
    kinds = [KINDS[entry.kind] for entry in entries]
    if len(entries) > 1 and not all(kind.is_row_of_cells for kind in kinds):
        return "sample.npz"
    if kinds[0].has_fixed_range and entries[0].raw_dtype != "uint8":
        return "sample.npz"
    return f"sample.{kinds[0].file_suffix}"


def write_sample(folder: Path, raw: Mapping[str, Array], entries: Sequence[Entry]) -> None:
    """Write a sample so that run_on_device.py reads the same raw values back.

    Args:
        folder: of the bundle.
        raw: name -> raw values of one sample, in the shape of its entry, no batch axis.
        entries: of preprocess.json.
    """
    path = folder / sample_name(entries)
    entry = entries[0]
    values = raw[entry.name]
    if path.suffix == ".npz":
        write_arrays(path, {name: x[None] for name, x in raw.items()})
    elif path.suffix == ".png":
        from PIL import Image

        Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values).save(path)
    elif isinstance(entry, AudioEntry):
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, entry.sample_rate, 0, "NONE", "not compressed"))
            file.writeframes(values.astype("<i2").tobytes())
    elif path.suffix == ".txt":
        text = bytes(values).rstrip(b"\0").decode("utf-8", "replace")
        path.write_text(" ".join(text.splitlines()) + "\n")
    elif isinstance(entry, ColumnsEntry | CodesEntry):
        _write_row(path, raw, [e for e in entries if isinstance(e, ColumnsEntry | CodesEntry)])
    elif isinstance(entry, SeriesEntry):
        _write_series(path, values, entry)
    else:
        np.savetxt(path, values.reshape(1, -1), delimiter=",", fmt="%.9g")


def _write_row(
    path: Path, raw: Mapping[str, Array], entries: Sequence[ColumnsEntry | CodesEntry]
) -> None:
    """Write a header and a row, each cell as it stood in the table."""
    cells = {
        column.name: _cell(value, column, entry.missing[0])
        for entry in entries
        for column, value in zip(entry.columns, raw[entry.name], strict=True)
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=entries[0].delimiter, lineterminator="\n")
        writer.writerows([cells.keys(), cells.values()])


def _cell(value: Any, column: Column, missing: str) -> str:
    if np.isnan(value):
        return missing
    if not isinstance(column, CategoryColumn):
        return str(value)
    return str(column.values[int(value)]) if value >= 0 else NO_CATEGORY


def _write_series(path: Path, values: Array, entry: SeriesEntry) -> None:
    """Write the rows of a recording under the names of its channels."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=entry.delimiter, lineterminator="\n")
        if entry.header:
            writer.writerow([column.name for column in entry.columns])
        for row in values:
            writer.writerow([entry.missing[0] if np.isnan(x) else str(x) for x in row])
