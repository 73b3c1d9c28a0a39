"""Adaptive attacks: they know the input sanitization on the device, and its detector.

Rounding has no gradient: an attack that stops there reports robustness that does not exist (Athalye
et al. 2018, arXiv:1802.00420, section 4). Here gradients pass through the rounding as if it were
not done (backward pass differentiable approximation, BPDA, section 4.1), and through a median to
the value that it is, or as if it were not done either: each succeeds where the other fails.

Legend: B batch, K classes; x_unit are images (B, H, W, C) in [0, 1], before sanitization.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Tensor
from pipeline.audit.file_queries import is_squeezed
from pipeline.audit.gradient_attack import AttackBudget
from pipeline.data.squeeze import median_filter, squeeze_inputs
from pipeline.documents.preprocess import Entry, ImageEntry, Sanitize
from pipeline.harden.ball import Ball
from pipeline.harden.objectives import Objective, value_and_gradient
from pipeline.harden.pgd import ascend
from pipeline.ondevice.sanitize import reduce_bit_depth

BATCH = 256
STEP_RATIO = 2.5  # steps * step = 2.5 radii: every point of the ball is in reach
ROUNDING = 1e-6  # of a raw value: 51 / 255 of 255 may come out a hair below 51
CLOSE = 4.0  # weight of the distance that a detector measures, against the loss of both outputs


def front_of(entry: Entry) -> Callable[[Any], Any]:
    """Return images (B, H, W, C) in [0, 1] -> model inputs, with BPDA where they are squeezed."""
    if not is_squeezed(entry):
        return lambda x: x
    assert isinstance(entry, ImageEntry)
    return lambda x: squeezed_unit(x, entry, through_median=False)


def squeezed_unit(x_unit: Any, entry: ImageEntry, *, through_median: bool) -> Any:
    """Return images as the device's model gets them, float32 in [0, 1], with a gradient.

    Args:
        x_unit: (B, H, W, C) float32 in [0, 1]; rounded to the nearest raw value.
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
        clean_raw: the clean samples, unsigned integers.
        epsilon: largest change of a value, as a fraction of the range.
    """
    top = float(np.iinfo(clean_raw.dtype).max)
    reach, clean = np.floor(epsilon * top + ROUNDING), clean_raw.astype(np.float64)
    moved = np.clip(np.round(x_unit.astype(np.float64) * top), clean - reach, clean + reach)
    return np.clip(moved, 0, top).astype(clean_raw.dtype)


def adaptive_attacks(
    head: Any, x_unit: Array, labels: Array, *, entry: ImageEntry, by: AttackBudget
) -> dict[str, Array]:
    """Return attack -> adversarial images (n, H, W, C), float32 in [0, 1].

    unaware: ignores the sanitization. bpda: knows it. bpda_median: the same, with the gradient of
    the median. both: misclassified with and without sanitization. undetected: the same wrong
    outputs with and without it, which no detector flags. levels: searches among the levels that
    values can be rounded to, so that no rounding is left (linf, without a median).

    Args:
        head: model from inputs by name to logits.
        x_unit: clean images.
        labels: class ids (n,).
        entry: the image input of preprocess.json.
        by: what the attacker may do; each attack is PGD from one random start.
    """

    def plain(x: Tensor) -> Any:
        return head({entry.name: x}, training=False)

    def through(x: Tensor, *, through_median: bool = False) -> Any:
        return plain(squeezed_unit(x, entry, through_median=through_median))

    target = _second_best(lambda x: plain(x) + through(x), x_unit, labels)
    losses: dict[str, tuple[Objective, Array]] = {
        "unaware": (lambda y, x: _loss(y, plain(x)), labels),
        "bpda": (lambda y, x: _loss(y, through(x)), labels),
        "both": (lambda y, x: _loss(y, through(x)) + _loss(y, plain(x)), labels),
        "undetected": (lambda y, x: _undetected(y, through(x), plain(x)), target),
    }
    rule = _rule_of(entry)
    if rule.median is not None:
        losses["bpda_median"] = (lambda y, x: _loss(y, through(x, through_median=True)), labels)
    found = {
        name: _attack(loss, (x_unit, by.epsilon), targets, by, name)
        for name, (loss, targets) in losses.items()
    }
    if rule.median is None and rule.bit_depth is not None and by.norm == "linf":
        middle, reach = _levels_in_reach(x_unit, entry, by.epsilon)
        found["levels"] = _attack(losses["unaware"][0], (middle, reach), labels, by, "levels")
    return found


def _levels_in_reach(x_unit: Array, entry: ImageEntry, epsilon: float) -> tuple[Array, Array]:
    """Return the middle of the levels that each value can be rounded to, and half their span."""
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


def _undetected(target: Any, one: Any, other: Any) -> Any:
    """Return an objective (B,) that grows as two outputs become the target class, and the same."""
    distance = tf.reduce_sum(tf.abs(tf.nn.softmax(one) - tf.nn.softmax(other)), axis=1)
    return -_loss(target, one) - _loss(target, other) - CLOSE * distance


def _second_best(logits: Tensor, x: Array, labels: Array) -> Array:
    """Return the most likely wrong class (n,) of each sample."""
    parts = [logits(tf.constant(x[s : s + BATCH])).numpy() for s in range(0, len(x), BATCH)]
    scores = np.concatenate(parts)
    scores[np.arange(len(x)), labels] = -np.inf
    return np.asarray(scores.argmax(axis=1), np.int32)


def _identity(x: Tensor, training: bool) -> Any:
    """Stand in for a model where the loss is one of the input itself."""
    return x


def _attack(
    loss: Objective, around: tuple[Array, Any], labels: Array, by: AttackBudget, name: str
) -> Array:
    """Return the inputs (n, ...) with the highest loss of those that PGD evaluates.

    Madry et al. 2018 (arXiv:1706.06083); there the last input counts, but behind rounding the loss
    goes up and down from step to step. `around` are inputs, and how far each value moves.
    """
    x, steps, seed = around[0], by.steps, by.derive_seed(name)
    radius, targets = np.broadcast_to(np.float32(around[1]), x.shape), np.asarray(labels, np.int32)

    @tf.function
    def search(x: Tensor, radius: Any, labels: Tensor, seed: Tensor) -> Any:
        def evaluate(at: Tensor) -> tuple[Any, Any, Any]:
            return value_and_gradient(_identity, at, labels, objective=loss)

        ball, sizes = Ball(by.norm, radius), [STEP_RATIO / steps] * (steps + 1)
        start = ball.start(x, seed)
        return ascend(evaluate, x, ball=ball, start=start, sizes=sizes, returns_best=True)

    parts = []
    for start in range(0, len(x), BATCH):
        arrays = [values[start : start + BATCH] for values in (x, radius, targets)]
        filled = [np.resize(part, (BATCH, *part.shape[1:])) for part in arrays]  # one graph for all
        moved = search(*map(tf.constant, filled), tf.constant([seed, start]))
        parts.append(moved.numpy()[: len(arrays[0])])
    return np.concatenate(parts)
