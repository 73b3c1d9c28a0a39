"""Numbers of a fixed shape, all of them known, each column scaled to mean 0 and deviation 1."""

from collections.abc import Iterator

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.preprocess import TableEntry
from pipeline.samples.kind import (
    Fitted,
    Input,
    Kind,
    RawSamples,
    describe_input,
    invert_scaling,
    scale_values,
)

BLOCK = 4096  # samples that are read at once while a table is measured


def fit_table(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Fit the standardization of numbers: mean 0 and deviation 1.

    Statistics are taken along the last axis, one for each column; of an input without columns, over
    all values. A constant column keeps scale 1 and becomes 0.

    Args:
        spec: the input.
        samples: raw rows (N, …, columns), float32.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and the names of constant columns.
    """
    width = samples.shape[-1] if spec.columns is not None else 1
    lows, highs, total, count = np.inf, -np.inf, np.zeros(width), 0
    for rows in _blocks(samples, train, width):
        lows, highs = np.minimum(lows, rows.min(axis=0)), np.maximum(highs, rows.max(axis=0))
        total, count = total + rows.sum(axis=0), count + len(rows)
    is_constant = lows == highs
    mean = np.where(is_constant, lows, total / count)
    squares = sum(((rows - mean) ** 2).sum(axis=0) for rows in _blocks(samples, train, width))
    deviation = np.where(is_constant, 1.0, np.sqrt(squares / count))
    offset, scale = mean.astype(np.float32), (1 / deviation).astype(np.float32)
    columns = list(spec.columns) if spec.columns is not None else [spec.name]
    entry = TableEntry(
        **describe_input(spec, list(samples.shape), samples),
        offset=offset.tolist() if spec.columns is not None else float(offset[0]),
        scale=scale.tolist() if spec.columns is not None else float(scale[0]),
        columns=columns if spec.columns is not None else None,
    )
    return entry, [columns[i] for i in np.flatnonzero(is_constant)]


def _blocks(samples: RawSamples, positions: Array, width: int) -> Iterator[Array]:
    """Yield the values at some positions as rows of `width` float64."""
    for start in range(0, len(positions), BLOCK):
        taken = samples.take(positions[start : start + BLOCK])
        yield taken.reshape(-1, width).astype(np.float64)


TABLE = Kind(
    fit=fit_table,
    encode=scale_values,
    raw_unit=invert_scaling,
    form="table",
    has_limits=True,
    is_clipped=True,
    is_tabular=True,
    attacked_by="columns",
)
