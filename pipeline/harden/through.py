"""Attacks that know of the squeezing on the device, and of the detector that is built on it.

What is rounded has no gradient: an attack that stops there reports a robustness that is not there
(Athalye et al. 2018, arXiv:1802.00420, section 4). Here gradients pass through the rounding as if
it were not done (backward pass differentiable approximation, section 4.1), and through a median to
the value that it is, or as if it were not done either: each finds samples that the other misses.

Legend: B batch, K classes; x_unit are images (B, H, W, C) in [0, 1], not squeezed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Tensor
from pipeline.data.squeeze import median_filter, squeeze_inputs
from pipeline.documents.preprocess import ImageEntry, Sanitize
from pipeline.harden.ball import Ball
from pipeline.ondevice.sanitize import reduce_bit_depth
from pipeline.seeds import fold_seed

Loss = Callable[[Any, Any], Any]

BATCH = 256
STEP_RATIO = 2.5  # steps * step = 2.5 radii: every point of the ball is in reach
ROUNDING = 1e-6  # of a raw value: 51 / 255 of 255 may come out a hair below 51
CLOSE = 4.0  # weight of the distance that a detector sees, against the loss of both answers


def squeezed_unit(x_unit: Any, entry: ImageEntry, *, through_median: bool) -> Any:
    """Return images as the device's model gets them, float32 in [0, 1], with a gradient.

    Args:
        x_unit: (B, H, W, C) float32 in [0, 1]; what is between two raw values goes to the nearer.
        entry: an image input of preprocess.json.
        through_median: whether the gradient goes to the median; else as if nothing were squeezed.
    """
    top = float(np.iinfo(entry.raw_dtype).max)
    raw = tf.cast(tf.round(tf.stop_gradient(x_unit) * top), entry.raw_dtype)
    exact = tf.cast(squeeze_inputs(tf, raw, entry), tf.float32) * np.float32(entry.scale)
    window = _rule_of(entry).median
    soft = (
        median_filter(tf, x_unit, window, axes=2)
        if through_median and window is not None
        else x_unit
    )
    return soft + tf.stop_gradient(exact - soft)


def _rule_of(entry: ImageEntry) -> Sanitize:
    """Return how an input is squeezed, which it is."""
    assert entry.sanitize is not None
    return entry.sanitize


def raw_within(x_unit: Array, clean_raw: Array, epsilon: float) -> Array:
    """Return adversarial images as a device takes them: whole numbers within epsilon of the clean.

    Args:
        x_unit: (n, H, W, C) in [0, 1].
        clean_raw: the samples that they were made from, unsigned integers.
        epsilon: largest change, as a share of the range.
    """
    top = float(np.iinfo(clean_raw.dtype).max)
    reach, clean = np.floor(epsilon * top + ROUNDING), clean_raw.astype(np.float64)
    found = np.clip(np.round(x_unit.astype(np.float64) * top), clean - reach, clean + reach)
    return np.clip(found, 0, top).astype(clean_raw.dtype)


def attacks_through(
    head: Any, x_unit: Array, labels: Array, *, entry: ImageEntry, by: Mapping[str, Any]
) -> dict[str, Array]:
    """Return name of an attack -> the images (n, H, W, C) that it finds, float32 in [0, 1].

    naive: does not know of the squeezing. through: does. median: does, with the gradient of the
    median. both: fools the model with and without squeezing. alike: makes it give one and the same
    wrong answer with and without, which no detector sees. levels: searches among the levels that
    the values can be brought to, so that nothing is rounded on the way; only without a median.

    Args:
        head: model from inputs by name to logits.
        x_unit: images that are not squeezed.
        labels: class ids (n,).
        entry: the image input of preprocess.json.
        by: epsilon, steps and seed of the attacks, each PGD under the largest norm.
    """

    def plain(x: Tensor) -> Any:
        return head({entry.name: x}, training=False)

    def through(x: Tensor, *, through_median: bool = False) -> Any:
        return plain(squeezed_unit(x, entry, through_median=through_median))

    wanted = _second_best(lambda x: plain(x) + through(x), x_unit, labels)
    losses: dict[str, tuple[Loss, Array]] = {
        "naive": (lambda x, y: _loss(y, plain(x)), labels),
        "through": (lambda x, y: _loss(y, through(x)), labels),
        "both": (lambda x, y: _loss(y, through(x)) + _loss(y, plain(x)), labels),
        "alike": (lambda x, y: _alike(y, through(x), plain(x)), wanted),
    }
    rule = _rule_of(entry)
    if rule.median is not None:
        losses["median"] = (lambda x, y: _loss(y, through(x, through_median=True)), labels)
    found = {
        name: _found(loss, (x_unit, by["epsilon"]), targets, by, name)
        for name, (loss, targets) in losses.items()
    }
    if rule.median is None and rule.bit_depth is not None:
        middle, reach = _levels_in_reach(x_unit, entry, by["epsilon"])
        found["levels"] = _found(losses["naive"][0], (middle, reach), labels, by, "levels")
    return found


def _levels_in_reach(x_unit: Array, entry: ImageEntry, epsilon: float) -> tuple[Array, Array]:
    """Return the middle of the levels that each value can be brought to, and how far they reach.

    What an attacker can make of a value behind the rounding is exactly what lies between them.
    """
    dtype, bits = np.dtype(entry.raw_dtype), _rule_of(entry).bit_depth
    assert bits is not None
    top = int(np.iinfo(dtype).max)
    raw, reach = np.round(x_unit * top).astype(np.int64), int(epsilon * top + ROUNDING)
    low, high = (
        reduce_bit_depth(np.clip(raw + side, 0, top).astype(dtype), bits).astype(np.float32) / top
        for side in (-reach, reach)
    )
    return np.asarray((low + high) / 2), np.asarray((high - low) / 2)


def _loss(labels: Tensor, logits: Tensor) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _alike(wanted: Any, one: Any, other: Any) -> Any:
    """Return what grows as two answers both become the wanted class, and become the same."""
    apart = tf.reduce_sum(tf.abs(tf.nn.softmax(one) - tf.nn.softmax(other)), axis=1)
    return -_loss(wanted, one) - _loss(wanted, other) - CLOSE * apart


def _second_best(logits: Tensor, x: Array, labels: Array) -> Array:
    """Return the wrong class (n,) that each sample is nearest to."""
    parts = [logits(tf.constant(x[s : s + BATCH])).numpy() for s in range(0, len(x), BATCH)]
    scores = np.concatenate(parts)
    scores[np.arange(len(x)), labels] = -np.inf
    return np.asarray(scores.argmax(axis=1), np.int32)


def _found(
    loss: Loss, around: tuple[Array, Any], labels: Array, by: Mapping[str, Any], name: str
) -> Array:
    """Return the inputs with the highest loss of those that PGD passes (n, ...).

    Madry et al. 2018 (arXiv:1706.06083); there the last input counts, but behind what is rounded
    the loss goes up and down from step to step. `around` are inputs, and how far each value moves.
    """
    x, ascend, seed = around[0], _ascender(loss, int(by["steps"])), fold_seed(by["seed"], name)
    radius, targets = np.broadcast_to(np.float32(around[1]), x.shape), np.asarray(labels, np.int32)
    found = []
    for start in range(0, len(x), BATCH):
        parts = [values[start : start + BATCH] for values in (x, radius, targets)]
        filled = [np.resize(part, (BATCH, *part.shape[1:])) for part in parts]  # one graph for all
        moved = ascend(*map(tf.constant, filled), tf.constant([seed, start]))
        found.append(moved.numpy()[: len(parts[0])])
    return np.concatenate(found)


def _ascender(loss: Loss, steps: int) -> Any:
    """Return the compiled (x, radius, labels, seed) -> inputs within it that raise the loss."""

    @tf.function
    def ascend(x: Tensor, radius: Any, labels: Tensor, seed: Tensor) -> Any:
        ball = Ball("linf", radius)
        moved = best = ball.start(x, seed)
        highest = tf.fill(tf.shape(labels), -np.inf)
        for _ in range(steps):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(moved)
                values = loss(moved, labels)
            best, highest = _higher((best, highest), (moved, values))
            gradient = tape.gradient(values, moved)
            moved = ball.clip(ball.step(moved, gradient, STEP_RATIO / steps), x)
        return _higher((best, highest), (moved, loss(moved, labels)))[0]

    return ascend


def _higher(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return of each sample the input with the higher loss, and that loss."""
    is_other = other[1] > one[1]
    inner = [-1, *[1] * (len(one[0].shape) - 1)]
    return tf.where(tf.reshape(is_other, inner), other[0], one[0]), tf.maximum(one[1], other[1])
