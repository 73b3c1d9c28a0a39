"""Rows of a table with a header: numbers and categories, NaN where a cell is empty.

`columns` holds numbers and categories, which become one-hot; `codes` holds only categories, each
with a learned vector.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import (
    CategoryColumn,
    CodesEntry,
    Column,
    ColumnsEntry,
    PiecewiseColumn,
)
from pipeline.samples.kind import (
    FITTED,
    Fitted,
    Input,
    Kind,
    Numbers,
    RawSamples,
    RowColumn,
    describe_input,
    thin_positions,
)
from pipeline.samples.numbers import (
    describe_number,
    encode_number,
    encode_piecewise,
    raw_unit_of,
)

RARE = 5  # training samples of a category, below which it is in the out-of-vocabulary bucket


def rows_input(
    name: str,
    row: Sequence[RowColumn],
    cells: Mapping[str, Any],
    *,
    kind: Literal["columns", "codes"] = "columns",
    numbers: Numbers = "auto",
) -> Input:
    """Return an input whose samples are rows of cells."""
    names = tuple(column.name for column in row)
    return Input(name, kind, columns=names, row=tuple(row), cells=cells, numbers=numbers)


def fit_columns(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Return how a table of numbers and categories becomes a model input.

    Numbers with heavy tails are spread by rank: only scaled, they leave most of an integer's range
    to a few samples. Categories that are rare in train share an index with new and missing ones.

    Args:
        spec: the input; its row names the columns.
        samples: raw rows (N, columns), float32, NaN for a missing value.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and the names of constant columns.
    """
    columns: list[Column] = []
    constant: list[str] = []
    values = samples.take(thin_positions(train, FITTED))
    for (name, words), seen in zip(spec.row, values.T, strict=True):
        known = seen[~np.isnan(seen)]
        if words is not None:
            fitted = fit_category(known, len(words))
            columns.append(CategoryColumn(name=name, values=words, **fitted))
            continue
        columns.append(describe_number(name, known, spec.numbers))
        constant += [name] if len(np.unique(known)) < 2 else []
    width = sum(column.width for column in columns)
    shared = describe_input(spec, [width], samples)
    return ColumnsEntry(**shared, **spec.cells, columns=columns), constant


def fit_codes(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Fit an encoding of categories as row numbers of one embedding table, a range for each column.

    Args:
        spec: the input; its row names the columns.
        samples: raw rows (N, columns), category numbers, NaN for a missing value.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and no constant columns.
    """
    offset = 0
    columns: list[CategoryColumn] = []
    values = samples.take(thin_positions(train, FITTED))
    for (name, words), seen in zip(spec.row, values.T, strict=True):
        assert words is not None  # codes are only categories
        fitted = fit_category(seen[~np.isnan(seen)], len(words))
        columns.append(CategoryColumn(name=name, values=words, offset=offset, **fitted))
        offset += fitted["width"]
    shared = describe_input(spec, [len(columns)], samples)
    return CodesEntry(**shared, **spec.cells, columns=columns, vocabulary_size=offset), []


def fit_category(known: Array, values: int) -> dict[str, Any]:
    """Return the index of each category; the last is for rare, new and missing ones.

    Args:
        known: (n,), category numbers in train, no NaN.
        values: number of categories.
    """
    counts = np.bincount(known[known >= 0].astype(np.int64), minlength=values)
    kept = np.flatnonzero(counts >= RARE)
    indices = np.full(len(counts), len(kept))
    indices[kept] = np.arange(len(kept))
    return {"category_index": indices.tolist(), "width": len(kept) + 1}


def encode_columns(tf: Namespace, raw: Tensor, entry: ColumnsEntry) -> Any:
    """Return a table's rows (B, C) as (B, D): numbers standardized, categories one-hot."""
    parts = []
    for i, column in enumerate(entry.columns):
        if isinstance(column, CategoryColumn):
            parts.append(tf.one_hot(category_index(tf, raw[:, i], column), column.width))
        elif isinstance(column, PiecewiseColumn):
            parts.append(encode_piecewise(tf, raw[:, i], column))
        else:
            parts.append(encode_number(tf, raw[:, i], column)[:, None])
    return tf.concat(parts, axis=1)


def encode_codes(tf: Namespace, raw: Tensor, entry: CodesEntry) -> Any:
    """Return categories (B, C) as rows of one table of vectors, (B, C) int32."""
    columns = enumerate(entry.columns)
    return tf.stack(
        [category_index(tf, raw[:, i], c) + (c.offset or 0) for i, c in columns], axis=1
    )


def splice_columns(
    tf: Namespace,
    rows_BC: Any,
    base_BD: Any,
    *,
    entry: ColumnsEntry | CodesEntry,
    moved: Sequence[int],
) -> Any:
    """Return the model input (B, D) of rows that differ from those of `base` in few columns.

    An attack prepares its rows once a step; tables have many columns, and few of them move.

    Args:
        tf: TensorFlow.
        rows_BC: raw rows.
        base_BD: model input of the rows that they were.
        entry: of preprocess.json.
        moved: indices of the columns that may differ, ascending.
    """
    if not moved:
        return base_BD
    columns = entry.columns
    own = entry.model_copy(update={"columns": [columns[i] for i in moved]})
    encode: Any = encode_codes if isinstance(entry, CodesEntry) else encode_columns
    new_BM = encode(tf, tf.gather(rows_BC, list(moved), axis=1), own)
    widths = [1 if isinstance(entry, CodesEntry) else column.width for column in columns]
    pieces, at_base, at_new = [], 0, 0
    for is_moved, group in groupby(range(len(columns)), key=lambda i: i in moved):
        width = sum(widths[i] for i in group)
        piece = new_BM[:, at_new : at_new + width] if is_moved else base_BD[:, at_base:][:, :width]
        pieces.append(piece)
        at_base, at_new = at_base + width, at_new + width * is_moved
    return tf.concat(pieces, axis=1)


def category_index(tf: Namespace, values: Tensor, column: CategoryColumn) -> Any:
    """Return the index (B,) int32 of each category; the last is for rare, new and missing ones."""
    values = tf.cast(values, tf.float32)
    code = tf.cast(tf.where(tf.math.is_nan(values), -1.0, values), tf.int32)
    indices = np.array([column.width - 1, *column.category_index], np.int32)  # code -1: last
    return tf.gather(indices, code + 1)


def _raw_axes(entry: ColumnsEntry | CodesEntry) -> list[Any]:
    return [len(entry.columns)]


COLUMNS = Kind(
    fit=fit_columns,
    encode=encode_columns,
    raw_unit=lambda entry: raw_unit_of(entry.columns),
    form="table",
    has_limits=True,
    has_unknown=True,
    is_tabular=True,
    is_row_of_cells=True,
    attacked_by="columns",
    raw_axes=_raw_axes,
)
CODES = Kind(
    fit=fit_codes,
    encode=encode_codes,
    form="table",
    is_augmentable=False,
    levels_from=None,
    has_unknown=True,
    embedding_pool="flatten",
    is_tabular=True,
    is_row_of_cells=True,
    attacked_by="columns",
    raw_axes=_raw_axes,
)
