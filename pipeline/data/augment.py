"""Training-only changes, vectorised over the batch; every draw is a function of the seed.

Legend: B batch, H height, W width, C channels, T steps. A sound is a picture of its bands: rows
are time (T), columns are pitch.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from pipeline.arrays import Tensor
from pipeline.data.per_replica_random import draw_per_replica

UNIFORM, NORMAL = tf.random.stateless_uniform, tf.random.stateless_normal

WAVES = 4  # of a time warp: half waves over the whole series, so that speed changes smoothly


def augment(x: Tensor, changes: Sequence[Mapping[str, Any]], seed: Tensor) -> Any:
    """Return the batch with every change applied, in order.

    Args:
        x: model inputs (B, …), float32: images in [0, 1], bands or series of deviation 1.
        changes: sections of `data.augment`, each with its `kind`; mixup is part of the step.
        seed: int32 (2,); the same seed gives the same batch.
    """
    for number, change in enumerate(changes):
        if change["kind"] == "mixup":
            continue
        settings = {name: value for name, value in change.items() if name != "kind"}
        own_seed = tf.random.experimental.stateless_fold_in(seed, number)
        x = AUGMENT[change["kind"]](x, seed=own_seed, **settings)
    return x


def translate(x_BHWC: Tensor, *, fraction: float, whole: bool = False, seed: Tensor) -> Any:
    """Shift each image by up to `fraction` of height and width, filled with zero.

    Args:
        x_BHWC: images.
        fraction: largest shift in each direction.
        whole: by whole pixels, which leaves edges sharp; else bilinear.
        seed: int32 (2,).
    """
    batch, height, width = tf.shape(x_BHWC)[0], x_BHWC.shape[1], x_BHWC.shape[2]
    shares = draw_per_replica(UNIFORM, (batch, 2), seed, -fraction, fraction)
    down, right = shares[:, 0] * height, shares[:, 1] * width
    if whole:
        down, right = tf.round(down), tf.round(right)
    one, zero = tf.ones(batch), tf.zeros(batch)
    return _moved(x_BHWC, [one, zero, -right, zero, one, -down])


def _moved(x_BHWC: Tensor, rows: list[Any]) -> Any:
    """Return images whose pixel (x, y) is read at (ax + by + c, dx + ey + f), bilinear.

    Args:
        x_BHWC: images.
        rows: a, b, c, d, e, f, each (B,).
    """
    zero = tf.zeros_like(rows[0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x_BHWC,
        transforms=tf.stack([*rows, zero, zero], axis=1),
        output_shape=[x_BHWC.shape[1], x_BHWC.shape[2]],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )


def flip(x_BHWC: Tensor, *, seed: Tensor) -> Any:
    """Flip each image left to right with probability one half.

    Args:
        x_BHWC: float32 images; not modified.
        seed: int32 (2,).
    """
    is_mirrored = draw_per_replica(UNIFORM, (tf.shape(x_BHWC)[0], 1, 1, 1), seed) < 0.5
    return tf.where(is_mirrored, x_BHWC[:, :, ::-1], x_BHWC)


def rotate(x_BHWC: Tensor, *, degrees: float, seed: Tensor) -> Any:
    """Rotate each image about its center by up to `degrees` either way; outside of it is zero.

    Args:
        x_BHWC: float32 images; not modified.
        degrees: largest angle, in degrees.
        seed: int32 (2,).
    """
    most = degrees * math.pi / 180
    angle = draw_per_replica(UNIFORM, (tf.shape(x_BHWC)[0],), seed, -most, most)
    cos, sin = tf.cos(angle), tf.sin(angle)
    y, x = (x_BHWC.shape[1] - 1) / 2, (x_BHWC.shape[2] - 1) / 2
    return _moved(x_BHWC, [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y])


def crop(x_BHWC: Tensor, *, least: float, seed: Tensor) -> Any:
    """Crop a random window of each image, and resize it to the image's size, bilinearly.

    Args:
        x_BHWC: float32 images; not modified.
        least: smallest side of the window, as a fraction of the image's, in (0, 1].
        seed: int32 (2,).
    """
    parts = draw_per_replica(UNIFORM, (3, tf.shape(x_BHWC)[0]), seed, axis=1)
    side = least + (1 - least) * parts[0]
    zero = tf.zeros_like(side)
    down = parts[1] * (1 - side) * (x_BHWC.shape[1] - 1)
    right = parts[2] * (1 - side) * (x_BHWC.shape[2] - 1)
    return _moved(x_BHWC, [side, zero, right, zero, side, down])


def cutout(x_BHWC: Tensor, *, fraction: float, seed: Tensor) -> Any:
    """Fill a square of each image with zero; part of it may lie outside (DeVries and Taylor 2017).

    Args:
        x_BHWC: float32 images; not modified.
        fraction: side of the square, as a fraction of the image's shorter side.
        seed: int32 (2,).
    """
    height, width = x_BHWC.shape[1], x_BHWC.shape[2]
    half = fraction * min(height, width) / 2
    middle = draw_per_replica(UNIFORM, (tf.shape(x_BHWC)[0], 2), seed)
    rows = tf.abs(tf.range(height, dtype=tf.float32) + 0.5 - middle[:, :1] * height) < half
    columns = tf.abs(tf.range(width, dtype=tf.float32) + 0.5 - middle[:, 1:] * width) < half
    is_cut = rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(is_cut, 0.0, x_BHWC)


def color(
    x_BHWC: Tensor, *, brightness: float, contrast: float, saturation: float, seed: Tensor
) -> Any:
    """Change saturation, contrast and brightness of each image, within [0, 1].

    Args:
        x_BHWC: float32 images in [0, 1]; not modified.
        brightness: largest value added or subtracted.
        contrast: largest change of the factor around the image's mean gray.
        saturation: largest change of the factor around each pixel's gray.
        seed: int32 (2,).
    """
    parts = draw_per_replica(UNIFORM, (3, tf.shape(x_BHWC)[0], 1, 1, 1), seed, -1.0, 1.0, axis=1)
    gray = tf.reduce_mean(x_BHWC, axis=3, keepdims=True)
    x = gray + (1 + saturation * parts[0]) * (x_BHWC - gray)
    mean = tf.reduce_mean(gray, axis=(1, 2), keepdims=True)
    x = mean + (1 + contrast * parts[1]) * (x - mean)
    return tf.clip_by_value(x + brightness * parts[2], 0.0, 1.0)


def time_shift(x_BT: Tensor, *, fraction: float, seed: Tensor) -> Any:
    """Shift each sample in time (axis 1) by whole steps, filled with zero.

    Args:
        x_BT: float32 (B, T, …); not modified.
        fraction: largest shift, as a fraction of T.
        seed: int32 (2,).
    """
    batch, steps = tf.shape(x_BT)[0], x_BT.shape[1]
    most = fraction * steps
    moved_by = draw_per_replica(UNIFORM, (batch, 1), seed, -most, most)
    source = tf.range(steps)[None, :] - tf.cast(tf.round(moved_by), tf.int32)
    is_known = (source >= 0) & (source < steps)
    moved = tf.gather(x_BT, tf.clip_by_value(source, 0, steps - 1), batch_dims=1)
    return tf.where(_beside(is_known, x_BT), moved, 0.0)


def _beside(x_BT: Tensor, other: Any) -> Any:
    """Return values of each step in as many dimensions as another tensor has."""
    return tf.reshape(x_BT, (-1, x_BT.shape[1], *[1] * (len(other.shape) - 2)))


def noise(x: Tensor, *, deviation: float, seed: Tensor) -> Any:
    """Add normal noise to each value.

    Args:
        x: float32 (B, …); not modified.
        deviation: standard deviation of the noise, in the unit of `x`.
        seed: int32 (2,).
    """
    return x + draw_per_replica(NORMAL, tf.shape(x), seed, 0.0, deviation)


def spec_augment(x_BTFC: Any, *, time: float, bands: float, masks: int, seed: Tensor) -> Any:
    """Mask random spans of time and frequency with zero, without time warping (Park et al. 2019).

    Args:
        x_BTFC: spectrograms of T frames and F bins; not modified.
        time: longest span of time, as a fraction of T.
        bands: longest span of frequency, as a fraction of F.
        masks: number of spans of each.
        seed: int32 (2,).
    """
    for number in range(masks):
        for axis, share in ((1, time), (2, bands)):
            own = tf.random.experimental.stateless_fold_in(seed, 2 * number + axis)
            parts = draw_per_replica(UNIFORM, (2, tf.shape(x_BTFC)[0], 1), own, axis=1)
            size = x_BTFC.shape[axis]
            length = parts[0] * share * size
            start = parts[1] * (size - length)
            place = tf.range(size, dtype=tf.float32)[None, :]
            is_blank = (place >= tf.floor(start)) & (place < tf.floor(start) + tf.round(length))
            shape = [-1, 1, 1, 1]
            shape[axis] = size
            x_BTFC = tf.where(tf.reshape(is_blank, shape), 0.0, x_BTFC)
    return x_BTFC


def scale(x_BTC: Any, *, deviation: float, seed: Tensor) -> Any:
    """Multiply each channel of each series by a factor around 1.

    Args:
        x_BTC: float32 series; not modified.
        deviation: standard deviation of the factor.
        seed: int32 (2,).
    """
    shape = (tf.shape(x_BTC)[0], 1, x_BTC.shape[2])
    return x_BTC * (1 + draw_per_replica(NORMAL, shape, seed, 0.0, deviation))


def time_warp(x_BTC: Any, *, strength: float, seed: Tensor) -> Any:
    """Resample each series at a speed that changes smoothly around 1, from its start to its end.

    The speed is 1 plus a few half waves of random height, at least a tenth; steps between two are
    interpolated. Um et al. draw a cubic spline instead, which is as smooth.

    Args:
        x_BTC: float32 series; not modified.
        strength: standard deviation of the waves' heights.
        seed: int32 (2,).
    """
    batch, steps = tf.shape(x_BTC)[0], x_BTC.shape[1]
    heights = draw_per_replica(NORMAL, (batch, WAVES), seed, 0.0, strength)
    phase = tf.range(steps - 1, dtype=tf.float32)[:, None] * math.pi / max(1, steps - 1)
    waves = tf.cos(phase * tf.range(1, WAVES + 1, dtype=tf.float32))
    speed = tf.maximum(1 + tf.linalg.matmul(heights, waves, transpose_b=True), 0.1)
    way = tf.concat([tf.zeros((batch, 1)), tf.cumsum(speed, axis=1)], axis=1)
    place = way / way[:, -1:] * (steps - 1)
    low = tf.clip_by_value(tf.cast(tf.floor(place), tf.int32), 0, max(0, steps - 2))
    share = (place - tf.cast(low, tf.float32))[:, :, None]
    before = tf.gather(x_BTC, low, batch_dims=1)
    after = tf.gather(x_BTC, tf.minimum(low + 1, steps - 1), batch_dims=1)
    return before + share * (after - before)


AUGMENT: dict[str, Any] = {
    "translate": translate,
    "flip": flip,
    "rotate": rotate,
    "crop": crop,
    "cutout": cutout,
    "color": color,
    "mixup": None,  # of samples and losses together: a part of the step
    "time_shift": time_shift,
    "noise": noise,
    "spec_augment": spec_augment,
    "scale": scale,
    "time_warp": time_warp,
}
