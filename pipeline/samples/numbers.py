"""Columns and channels of numbers, some of them unknown (NaN): fit and encode one of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import (
    Channel,
    Column,
    NumberColumn,
    PiecewiseColumn,
    QuantileColumn,
    ScaledColumn,
)
from pipeline.documents.spec import RawUnit

KNOTS = 129  # of a quantile transform: half a step of int8 apart
INTERVALS = 32  # of a piecewise encoding; 16 and 48 learn as well
EDGE = 0.005  # fraction that a robust scaling cuts off either end
LONG, HEAVY = 5.0, 8.0  # deviations to the farthest value: int8 has 256 steps for all of them
TINY = float(np.finfo(np.float32).tiny) * 2**24
"""Counts as zero: smaller differences may be subnormal, which TensorFlow flushes and NumPy not."""


def describe_number(name: str, known: Array, encoding: str) -> NumberColumn:
    """Return a column of numbers of preprocess.json; see `CsvSource.numbers`.

    Args:
        name: of the column.
        known: values in train that are no NaN (n,).
        encoding: auto, standard, robust, quantile or piecewise.
    """
    if encoding == "piecewise":
        return PiecewiseColumn(name=name, **fit_piecewise(known))
    return describe_channel(name, known, encoding)


def describe_channel(name: str, known: Array, encoding: str) -> Channel:
    """Return a channel of numbers of preprocess.json; as `describe_number`, but never piecewise.

    Args:
        name: of the channel.
        known: values in train that are no NaN (n,).
        encoding: auto, standard, robust or quantile.
    """
    fitted = fit_number(known, encoding)
    is_ranked = fitted["encoding"] == "quantile"
    return QuantileColumn(name=name, **fitted) if is_ranked else ScaledColumn(name=name, **fitted)


def fit_number(known: Array, encoding: str) -> dict[str, Any]:
    """Return how a column of numbers is standardized: see `CsvSource.numbers`.

    Args:
        known: values in train that are no NaN (n,); none counts as zero.
        encoding: auto, standard, robust or quantile.
    """
    known = known if len(known) else np.zeros(1, np.float32)
    known = np.where(np.abs(known) < TINY, np.float32(0), known)
    low, middle, high = (float(q) for q in np.quantile(known, [EDGE, 0.5, 1 - EDGE]))
    spread = float(known.std(dtype=np.float64))
    reach = float(np.abs(known - middle).max()) / spread if spread else 0.0
    if encoding == "auto":
        encoding = "quantile" if reach > HEAVY else "robust" if reach > LONG else "standard"
    fitted: dict[str, Any] = {
        "encoding": encoding,
        "impute_value": float(np.float32(middle)),
        "width": 1,
    }
    if encoding == "quantile":
        return fitted | _quantiles(known)
    if encoding == "standard":
        low, high = float(known.min()), float(known.max())
        low, high = low - (high - low), high + (high - low)  # what lies far outside was never seen
    clipped = np.clip(known.astype(np.float64), low, high)
    deviation = float(clipped.std())
    return fitted | {
        "low": low,
        "high": high,
        "offset": float(clipped.mean()),
        "scale": 1 / deviation if deviation >= TINY else 1.0,
    }


def fit_piecewise(known: Array) -> dict[str, Any]:
    """Return the edges between which each stretch of a column goes from 0 to 1.

    Piecewise linear encoding with bins from quantiles (Gorishniy et al. 2022, arXiv:2203.05556,
    section 3.2); the outer bins end, so that integers know their range. Where most samples share a
    value, half of the edges are quantiles of the different values.

    Args:
        known: values in train that are no NaN (n,).
    """
    known = np.where(np.abs(known) < TINY, np.float32(0), known) if len(known) else np.zeros(1)
    different = np.unique(known).astype(np.float64)
    edges = np.unique(np.quantile(known.astype(np.float64), np.linspace(0, 1, INTERVALS + 1)))
    if len(edges) <= INTERVALS // 2:
        spread = np.quantile(different, np.linspace(0, 1, INTERVALS // 2 + 1))
        edges = np.unique(np.concatenate([edges, spread]))
    edges = np.unique(edges.astype(np.float32))  # apart in the type that they are kept in
    if len(edges) == 1:  # constant: it becomes 0
        edges = np.append(edges, edges + np.maximum(1, np.abs(edges) / 1024))
    impute_value = float(np.float32(np.median(known)))
    return {
        "encoding": "piecewise",
        "impute_value": impute_value,
        "width": len(edges) - 1,
        "edges": edges.tolist(),
    }


def _quantiles(known: Array) -> dict[str, Any]:
    """Return the knots of a transform to even ranks, of deviation 1; equal values share a rank."""
    shares = np.linspace(0, 1, KNOTS)
    values = np.quantile(known, shares).astype(np.float32)
    knots, first, counts = np.unique(values, return_index=True, return_counts=True)
    rank = (shares[first] + shares[first + counts - 1]) / 2
    return {"knots": knots.tolist(), "quantile_values": ((rank - 0.5) * np.sqrt(12)).tolist()}


def raw_unit_of(columns: Sequence[Column]) -> RawUnit | None:
    """Return how standardized columns become raw values again; None: one is not just scaled."""
    scaled = [column for column in columns if isinstance(column, ScaledColumn)]
    if len(scaled) < len(columns):
        return None
    return RawUnit(
        scale=tuple(1 / column.scale for column in scaled),
        offset=tuple(column.offset for column in scaled),
    )


def encode_number(tf: Namespace, values: Tensor, column: Channel) -> Any:
    """Return values of one column or channel, in any shape, standardized; float32."""
    values = tf.cast(values, tf.float32)
    x = tf.where(tf.math.is_nan(values), np.float32(column.impute_value), values)
    x = tf.cast(x, tf.float64)
    if isinstance(column, ScaledColumn):
        x = tf.clip_by_value(x, column.low, column.high)
        return tf.cast((x - column.offset) * column.scale, tf.float32)
    knots, values_at = np.array(column.knots), np.array(column.quantile_values)
    if len(knots) == 1:
        return tf.cast(tf.zeros_like(x) + values_at[0], tf.float32)
    x = tf.clip_by_value(x, knots[0], knots[-1])
    flat = tf.searchsorted(knots, tf.reshape(x, [-1]), side="right")
    place = tf.reshape(tf.clip_by_value(flat - 1, 0, len(knots) - 2), tf.shape(x))
    slopes = np.diff(values_at) / np.diff(knots)
    y = tf.gather(values_at, place) + (x - tf.gather(knots, place)) * tf.gather(slopes, place)
    return tf.cast(y, tf.float32)


def encode_piecewise(tf: Namespace, values: Tensor, column: PiecewiseColumn) -> Any:
    """Return how far into each stretch between two edges values (B,) are: 0 to 1, (B, K)."""
    values = tf.cast(values, tf.float32)
    x = tf.where(tf.math.is_nan(values), np.float32(column.impute_value), values)
    edges = np.array(column.edges)
    shares = (tf.cast(x, tf.float64)[:, None] - edges[:-1]) / np.diff(edges)
    return tf.cast(tf.clip_by_value(shares, 0.0, 1.0), tf.float32)
