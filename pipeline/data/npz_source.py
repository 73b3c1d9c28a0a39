"""Arrays in a .npz file, read a few samples at a time, compressed or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import NpzSource
from pipeline.data.array_forms import channels_last, flat_labels, form_findings, has_channels_first
from pipeline.data.csv_rows import refuse_width
from pipeline.data.npz_arrays import NpzArray, arrays_of, read_blocks, rows_of
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.documents.preprocess import SeriesEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.bounds import tensor_name
from pipeline.samples.columns import rows_input
from pipeline.samples.image import IMAGE_SCALES
from pipeline.samples.kind import Input, RowColumn
from pipeline.samples.series import BLANK

PARTS = ("train", "validation", "test")


def open_npz(source: NpzSource, base: Path, report: str | None) -> Source:
    """Look at the arrays and describe the source.

    Raises:
        ConfigError: a missing file or array, arrays of different lengths, or of an unknown form.
    """
    path = base / Path(source.path).expanduser()
    arrays = arrays_of(path)
    _refuse_alike(source.inputs)
    parts = _parts(source, path, arrays)
    inputs = tuple(
        _input(source, path, name, [arrays[f"{name}{end}"] for end in parts])
        for name in source.inputs
    )
    encoding, names = _label_kind(source, path, [arrays[f"{source.label}{end}"] for end in parts])
    return Source(inputs, encoding, names, lambda: _read(source, path, arrays, parts, names))


def _refuse_alike(names: tuple[str, ...]) -> None:
    """Refuse two arrays that a model would have by one name."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(tensor_name(name), name)
        if other != name:
            raise ConfigError(
                f"data.source.inputs: {other!r} and {name!r} are both {tensor_name(name)!r} for "
                "TensorFlow, which takes letters, digits, `_`, `.` and `-`; give one another name"
            )


def _parts(source: NpzSource, path: Path, arrays: dict[str, NpzArray]) -> dict[str, str | None]:
    """Return ending of an array's name -> part; the arrays of a part have one length."""
    wanted = [*source.inputs, source.label, *([source.group] if source.group else [])]
    ends: dict[str, str | None] = {f"_{part}": part for part in PARTS}
    there = {end: part for end, part in ends.items() if f"{source.label}{end}" in arrays}
    if source.label in arrays or not there:
        there = {"": None}
    problems = [
        f"data.source: {path} has no array {name}{end}; it has {', '.join(arrays)}"
        for end in there
        for name in wanted
        if f"{name}{end}" not in arrays
    ]
    if problems:
        raise ConfigError(*problems)
    for end in there:
        lengths = {f"{name}{end}": arrays[f"{name}{end}"].shape[:1] for name in wanted}
        if len(set(lengths.values())) > 1 or () in lengths.values():
            shown = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
            raise ConfigError(f"{path}: arrays of different lengths: {shown}")
    return there


def _input(source: NpzSource, path: Path, name: str, arrays: list[NpzArray]) -> Input:
    """Describe an input by the shape and type of its arrays."""
    first = arrays[0]
    if any(a.shape[1:] != first.shape[1:] or a.dtype != first.dtype for a in arrays):
        shown = ", ".join(f"{a.name} {a.dtype} {a.shape}" for a in arrays)
        raise ConfigError(f"{path}: arrays of different forms: {shown}")
    axes = len(first.shape) - 1
    if str(first.dtype) in IMAGE_SCALES and axes in (2, 3):
        return Input(tensor_name(name), "image")
    if first.dtype.kind not in "biuf" or axes not in (1, 2):
        raise ConfigError(
            f"{path}: {name} is {first.dtype} {first.shape}; wanted images (N, H, W[, C]) of uint8 "
            "or uint16, a table (N, C) or series (N, T, C) of numbers"
        )
    refuse_width(path, first.shape[-1])
    columns = tuple(f"{name}_{i}" for i in range(first.shape[-1]))
    cells: dict[str, Any] = {"missing": ["", "nan"], "delimiter": ","}
    if axes == 1:
        row = [RowColumn(column) for column in columns]
        return rows_input(
            tensor_name(name),
            row,
            cells | {"strip": " ", "number_format": "plain"},
            numbers=source.numbers,
        )
    length = first.shape[1]
    entry = SeriesEntry(
        name=tensor_name(name),
        length=length,
        fit="pad",
        stride=length,
        per_window_standardize=False,
        header=False,
        **cells,
        **BLANK,
    )
    return Input(
        tensor_name(name), "series", columns=columns, template=entry, numbers=source.numbers
    )


def _label_kind(
    source: NpzSource, path: Path, arrays: list[NpzArray]
) -> tuple[Literal["class", "integer", "number"], tuple[str, ...] | None]:
    """Return the kind of the labels, and the names of the classes."""
    dtype = arrays[0].dtype
    are_flat = all(len(array.shape) == 1 for array in arrays)
    if are_flat:
        is_known = dtype.kind in "biufU"
    else:
        blocks = (block for array in arrays for block in read_blocks(path, array))
        is_known = all(flat_labels(block) is not None for block in blocks)
        dtype = dtype if arrays[0].shape[1:] == (1,) else np.dtype(np.int64)
    if not is_known:
        shown = ", ".join(f"{a.name} {a.dtype} {a.shape}" for a in arrays)
        raise ConfigError(
            f"{path}: labels {shown}; wanted one number or word a sample, or one-hot rows"
        )
    if source.class_names is not None and dtype.kind != "U":
        if dtype.kind not in "biu":
            raise ConfigError(
                f"data.source.class_names: labels are {dtype}; wanted whole numbers or words"
            )
        return "class", source.class_names
    if dtype.kind == "U":
        blocks = (block for array in arrays for block in _label_blocks(path, array))
        words = {str(word) for block in blocks for word in np.unique(block)}
        return "class", tuple(sorted(words))
    return "number" if dtype.kind == "f" else "integer", None


def _read(
    source: NpzSource,
    path: Path,
    arrays: dict[str, NpzArray],
    parts: dict[str, str | None],
    names: tuple[str, ...] | None,
) -> Iterator[Chunk]:
    """Yield the samples of every part, ROWS at a time."""
    unknown = 0
    for end, part in parts.items():
        own = {name: arrays[f"{name}{end}"] for name in source.inputs}
        rows = min(rows_of(array) for array in own.values())  # of all arrays alike
        groups = None
        if source.group is not None:
            groups = read_blocks(path, arrays[f"{source.group}{end}"], rows)
        streams = {tensor_name(name): _samples(path, array, rows) for name, array in own.items()}
        count = 0
        for block in _label_blocks(path, arrays[f"{source.label}{end}"], rows):
            labels = _labels(block, names, path, count)
            values = {name: next(stream) for name, stream in streams.items()}
            unknown += sum(int(np.isnan(v).sum()) for v in values.values() if v.dtype.kind == "f")
            yield Chunk(
                values,
                labels,
                [f"{part or 'row'}:{count + i}" for i in range(len(labels))],
                part,
                None if groups is None else [str(group) for group in next(groups)],
            )
            count += len(labels)
    found = _form_findings(source, arrays, next(iter(parts)))
    yield Chunk({}, np.zeros(0), [], findings=found)
    if unknown:
        text = f"{unknown} values are missing (NaN): the median of train stands in."
        gaps = Finding("info", "missing_values", text, unknown)
        yield Chunk({}, np.zeros(0), [], findings=(gaps,))


def _form_findings(source: NpzSource, arrays: dict[str, NpzArray], end: str) -> tuple[Finding, ...]:
    """Return findings on forms and names of the arrays whose names have an ending."""
    images = {name: arrays[f"{name}{end}"] for name in source.inputs}
    shapes = {name: own.shape for name, own in images.items() if str(own.dtype) in IMAGE_SCALES}
    found = form_findings(shapes, source.label, arrays[f"{source.label}{end}"].shape)
    renamed = [f"{n!r} as {tensor_name(n)}" for n in source.inputs if tensor_name(n) != n]
    if not renamed:
        return found
    text = f"the model has {', '.join(renamed)}: TensorFlow refuses the array's name."
    return (*found, Finding("info", "renamed_inputs", text, len(renamed)))


def _labels(labels: Array, names: tuple[str, ...] | None, path: Path, first: int) -> Array:
    """Return labels as class ids where they have names; `first` is the number of the first one."""
    if names is None:
        return labels
    if labels.dtype.kind == "U":
        return np.searchsorted(np.array(names), labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(wrong):
        raise ConfigError(
            f"{path}: label {labels[wrong[0]]} of sample {first + wrong[0]} has none of the "
            f"{len(names)} data.source.class_names"
        )
    return labels.astype(np.int64)


def _samples(path: Path, array: NpzArray, rows: int) -> Iterator[Array]:
    """Yield samples in the form in which they are stored."""
    for block in read_blocks(path, array, rows):
        if str(block.dtype) in IMAGE_SCALES and block.ndim in (3, 4):
            own = channels_last(block) if has_channels_first(array.shape) else block
            yield own[..., None] if own.ndim == 3 else own
        else:
            yield block.astype(np.float32)


def _label_blocks(path: Path, array: NpzArray, rows: int | None = None) -> Iterator[Array]:
    """Yield labels (n,), whether they are stored so, as (n, 1) or one-hot."""
    for block in read_blocks(path, array, rows):
        flat = flat_labels(block)
        assert flat is not None  # see _label_kind
        yield flat
