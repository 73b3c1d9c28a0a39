"""Time series: rows of channels (T, C), NaN where a value is not known."""

from typing import Any

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import Channel, SeriesEntry
from pipeline.samples.kind import (
    FITTED,
    Fitted,
    Input,
    Kind,
    RawSamples,
    describe_input,
    thin_positions,
)
from pipeline.samples.numbers import describe_channel, encode_number, raw_unit_of

BLANK: dict[str, Any] = {
    "shape": [],
    "raw_dtype": "float32",
    "floor": 0.0,
    "columns": [],
    "number_format": "plain",
}
"""Fields of an entry that the fit fills in."""
FLAT = 1e-3  # of the usual deviation of a window: what varies less counts as constant


def fit_series(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Fit the standardization of each channel of a series, or of a window by its own values.

    Args:
        spec: the input; its template says whether a window is standardized by itself.
        samples: raw windows (N, T, C), float32, NaN for a missing value.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and the names of constant channels.
    """
    series, names = spec.template, list(spec.columns or ())
    assert isinstance(series, SeriesEntry)  # sources of series state it
    values = samples.take(thin_positions(train, max(1, FITTED // samples.shape[0])))
    columns: list[Channel] = []
    constant: list[str] = []
    for i, name in enumerate(names):
        seen = values[..., i].ravel()
        known = seen[~np.isnan(seen)]
        columns.append(describe_channel(name, known, spec.numbers))
        constant += [name] if len(np.unique(known)) < 2 else []
    centered = values - _known_mean(values)
    usual = np.sqrt(_known_mean(centered.astype(np.float64) ** 2))
    floor = FLAT * float(np.median(usual)) or FLAT
    shared = describe_input(spec, list(samples.shape), samples)
    return series.model_copy(update=shared | {"columns": columns, "floor": floor}), constant


def _known_mean(values: Array) -> Array:
    """Return the mean (N, 1, C) over each window, without NaN; zero where all are NaN."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(
        known.sum(axis=1, keepdims=True), 1
    )


def encode_series(tf: Namespace, raw: Tensor, entry: SeriesEntry) -> Tensor:
    """Return recordings (B, T, C) with each channel standardized."""
    if entry.per_window_standardize:
        return _standardize_windows(tf, raw, entry)
    columns = enumerate(entry.columns)
    return tf.stack([encode_number(tf, raw[..., i], column) for i, column in columns], axis=-1)


def _standardize_windows(tf: Namespace, raw: Tensor, entry: SeriesEntry) -> Tensor:
    """Return windows less their own mean, over their own deviation."""
    is_known = tf.logical_not(tf.math.is_nan(raw))
    x = tf.where(is_known, tf.cast(raw, tf.float64), 0.0)
    count = tf.maximum(tf.reduce_sum(tf.cast(is_known, tf.float64), axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(x, axis=1, keepdims=True) / count
    centered = tf.where(is_known, x - mean, 0.0)
    deviation = tf.sqrt(tf.reduce_sum(centered**2, axis=1, keepdims=True) / count)
    return tf.cast(centered / tf.maximum(deviation, entry.floor), tf.float32)


SERIES = Kind(
    fit=fit_series,
    encode=encode_series,
    raw_unit=lambda entry: None if entry.per_window_standardize else raw_unit_of(entry.columns),
    form="series",
    smoothing_axes=1,
    has_limits=True,
    has_unknown=True,
    has_channels=True,
    near_duplicate_distance=0.05,
)
