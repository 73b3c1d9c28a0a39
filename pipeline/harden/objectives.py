"""What an attack raises: how wrong the network is about each sample, from labels and logits.

Objectives are compared and stepped along only within one sample, so that any growing function of a
loss does; these keep their gradient where the network is sure of itself.

Legend: B batch; K classes.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor

Objective = Callable[[Any, Any], Any]

FAR = -1e30  # a logit that no class has
TINY = 1e-12  # of a distance of logits that may be zero


def cross_entropy(labels: Tensor, logits: Tensor) -> Any:
    """Return log(p_others / p_label) of each sample (B,), which orders as the cross-entropy does.

    The cross-entropy is log(1 + exp(this)), so that both have the same direction of steepest
    ascent. But where a net is sure, its own gradient vanishes in float32, and an attack that
    follows it reports robustness that is not there (Carlini and Wagner 2017, arXiv:1608.04644,
    section 5); this one's does not.

    Args:
        labels: class ids (B,).
        logits: (B, K), K at least 2.
    """
    own, others = _split(labels, logits)
    return tf.reduce_logsumexp(others, axis=1) - own


def margin(labels: Tensor, logits: Tensor) -> Any:
    """Return the greatest other logit less that of the label, for each sample (B,).

    Carlini and Wagner 2017 (arXiv:1608.04644), f6 without its floor: misclassified above zero.

    Args:
        labels: class ids (B,).
        logits: (B, K), K at least 2.
    """
    own, others = _split(labels, logits)
    return tf.reduce_max(others, axis=1) - own


def logits_ratio(labels: Tensor, logits: Tensor) -> Any:
    """Return the margin over the distance of the first and third logit, for each sample (B,).

    The difference of logits ratio, DLR (Croce and Hein 2020, arXiv:2003.01690, equation 6): it
    does not change where all logits are scaled.

    Args:
        labels: class ids (B,).
        logits: (B, K), K at least 3.

    Raises:
        ValueError: there are two classes only; `margin` is for them.
    """
    if logits.shape[-1] < 3:
        raise ValueError(f"the logits ratio is of 3 classes or more; came {logits.shape[-1]}")
    logits = tf.cast(logits, tf.float32)
    first, _, third = tf.unstack(tf.math.top_k(logits, 3).values, axis=1)
    return margin(labels, logits) / (first - third + TINY)


def target_closeness(labels: Tensor, logits: Tensor) -> Any:
    """Return how near each sample is to the target class (B,): `labels` are those classes."""
    return -cross_entropy(labels, logits)


OBJECTIVES: dict[str, Objective] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "logits_ratio": logits_ratio,
    "targeted": target_closeness,
}


def value_and_gradient(
    model: Model, x: Tensor, labels: Tensor, *, objective: Objective
) -> tuple[Any, Any, Any]:
    """Return what `pgd.ascend` evaluates: the objective (B,), False (B,), and the gradient by x.

    No point counts as misclassified, so that the objective alone orders them.

    Args:
        model: from x to logits, called with `training=False`.
        x: (B, ...).
        labels: class ids (B,).
        objective: from labels and logits to (B,).
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        values = objective(labels, model(x, training=False))
    return values, tf.zeros_like(values, tf.bool), tape.gradient(values, x)


def _split(labels: Tensor, logits: Tensor) -> tuple[Any, Any]:
    """Return the logit of the label (B,), and all logits (B, K) with that one far below."""
    logits = tf.cast(logits, tf.float32)
    is_own = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool)
    own = tf.reduce_sum(tf.where(is_own, logits, 0.0), axis=1)
    return own, tf.where(is_own, FAR, logits)
