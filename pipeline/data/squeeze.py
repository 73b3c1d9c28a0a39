"""Feature squeezing in TensorFlow: what ondevice/sanitize.py does to raw samples, to the bit.

The same whole numbers and the same comparisons, so that both give the same bits. The network is
trained on squeezed samples, as on the device.

Legend: B batch, K values in a window.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Namespace, Tensor
from pipeline.documents.preprocess import Entry
from pipeline.ondevice.sanitize import symmetric_indices, value_limits
from pipeline.samples import KINDS


def squeeze_inputs(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    """Return raw samples (B, ...) as the device sees them: within their limits, and squeezed.

    Args:
        tf: TensorFlow, which is loaded by then.
        raw: samples in their type in training.
        entry: an input of preprocess.json; without `sanitize` nothing is done.
    """
    rule = entry.sanitize
    if rule is None:
        return raw
    kind, limits = KINDS[entry.kind], value_limits(entry)
    if kind.is_clipped and limits is not None:
        low, high = np.array(limits, raw.dtype.as_numpy_dtype).T
        raw = tf.clip_by_value(raw, low, high)
    if rule.median is not None:
        raw = median_filter(tf, raw, rule.median, axes=kind.smoothing_axes)
    if rule.levels is not None:
        return _nearest_level(tf, raw, rule.levels)
    return raw if rule.bit_depth is None else _fewer_bits(tf, raw, rule.bit_depth)


def median_filter(tf: Namespace, raw: Tensor, window: int, *, axes: int) -> Any:
    """Return the median of the values around each; see `smooth` of the runner.

    The gradient of a median goes to the value that it is.

    Args:
        tf: TensorFlow, which is loaded by then.
        raw: samples (B, ...) of whole numbers, or floats with NaN where a value is not known.
        window: odd; values along each axis.
        axes: 2 for pictures, 1 for what runs over time.
    """
    padded = raw
    for axis in range(1, axes + 1):
        padded = tf.gather(padded, symmetric_indices(int(raw.shape[axis]), window), axis=axis)
    height = int(raw.shape[1])
    near = [padded[:, i : i + height] for i in range(window)]
    if axes == 2:
        width = int(raw.shape[2])
        near = [part[:, :, i : i + width] for part in near for i in range(window)]
    stacked = tf.stack(near, axis=-1)
    if not raw.dtype.is_floating:
        return tf.math.top_k(stacked, k=len(near) // 2 + 1).values[..., -1]
    return _known_median(tf, raw, stacked)


def _known_median(tf: Namespace, raw: Tensor, stacked: Any) -> Any:
    """Return the lower middle of the known values (..., K); unknown where `raw` is."""
    is_known = tf.logical_not(tf.math.is_nan(stacked))
    rising = tf.sort(tf.where(is_known, stacked, np.inf), axis=-1)
    place = tf.maximum(tf.reduce_sum(tf.cast(is_known, tf.int32), axis=-1) - 1, 0) // 2
    found = tf.gather(rising, place, batch_dims=len(raw.shape))
    return tf.where(tf.math.is_nan(raw), raw, found)


def _fewer_bits(tf: Namespace, raw: Tensor, bits: int) -> Any:
    """Return integers in 2^bits levels; see `fewer_bits` of the on-device runner."""
    limits = np.iinfo(raw.dtype.as_numpy_dtype)
    top, x = int(limits.max), tf.cast(raw, tf.int64)
    if limits.min == 0:
        most = 2**bits - 1
        levels = (2 * x * most + top) // (2 * top)
        return tf.cast((2 * levels * top + most) // (2 * most), raw.dtype)
    step = (top + 1) // 2 ** (bits - 1)
    return tf.cast(tf.minimum((x + step // 2) // step * step, top), raw.dtype)


def _nearest_level(tf: Namespace, raw: Tensor, levels: list[list[float] | None]) -> Any:
    """Return numbers (B, ..., C) as the nearest level of their column; NaN stays."""
    if len(levels) == 1:
        return raw if levels[0] is None else _to_levels(tf, raw, levels[0])
    columns = [
        raw[..., place] if own is None else _to_levels(tf, raw[..., place], own)
        for place, own in enumerate(levels)
    ]
    return tf.stack(columns, axis=-1)


def _to_levels(tf: Namespace, values: Tensor, levels: list[float]) -> Any:
    own = np.array(levels, np.float32)
    middles = (own[1:].astype(np.float64) + own[:-1]) / 2
    flat = tf.reshape(tf.cast(values, tf.float64), [-1])
    place = tf.reshape(tf.searchsorted(middles, flat, side="right"), tf.shape(values))
    found = tf.cast(tf.gather(own, tf.minimum(place, len(own) - 1)), values.dtype)
    return tf.where(tf.math.is_nan(values), values, found)
