"""Attacks in the graph, unrolled: the inputs near a sample that a network gets wrong.

An unrolled loop costs half of a tf.while_loop on a CPU. The network is attacked as it will be used
(training=False: its own statistics, no dropout), and no gradient flows into the result.

Legend: B batch; x is in [0, 1], of any shape (B, ...).
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

STEP_RATIO = (
    2.5  # steps * step = 2.5 epsilon: every point of the ball is in reach (Madry et al., C)
)


def pgd(model: Any, x_unit: Any, labels: Any, *, epsilon: float, steps: int, seed: Any) -> Any:
    """Return inputs in the Linf ball around `x_unit` that raise the loss.

    Projected gradient descent from a random start: Madry et al. 2018, section 2.1
    (arXiv:1706.06083); clipped to the ball and to [0, 1] at each step.

    Args:
        model: from x to logits, called with `training=False`.
        x_unit: float32 in [0, 1]; not modified.
        labels: class ids (B,).
        epsilon: radius of the ball, in the unit of x.
        steps: gradient steps, each of 2.5 * epsilon / steps.
        seed: int32 (2,), of the random start.
    """
    step = STEP_RATIO * epsilon / steps
    low, high = tf.maximum(x_unit - epsilon, 0.0), tf.minimum(x_unit + epsilon, 1.0)
    start = x_unit + tf.random.stateless_uniform(tf.shape(x_unit), seed, -epsilon, epsilon)
    x = tf.clip_by_value(start, low, high)
    for _ in range(steps):
        x = tf.clip_by_value(x + step * tf.sign(_gradient(model, x, labels)), low, high)
    return tf.stop_gradient(x)


def fgsm(model: Any, x_unit: Any, labels: Any, *, epsilon: float, seed: Any) -> Any:
    """Return inputs one signed step away from a random start in the Linf ball.

    R+FGSM with the step of Wong et al. 2020, algorithm 3: 1.25 epsilon (arXiv:2001.03994); the
    plain sign step of Goodfellow et al. 2015 (arXiv:1412.6572) trains nets that only look robust.

    Args:
        model: from x to logits, called with `training=False`.
        x_unit: float32 in [0, 1]; not modified.
        labels: class ids (B,).
        epsilon: radius of the ball, in the unit of x.
        seed: int32 (2,), of the random start.
    """
    low, high = tf.maximum(x_unit - epsilon, 0.0), tf.minimum(x_unit + epsilon, 1.0)
    start = x_unit + tf.random.stateless_uniform(tf.shape(x_unit), seed, -epsilon, epsilon)
    x = tf.clip_by_value(start, low, high)
    x = tf.clip_by_value(x + 1.25 * epsilon * tf.sign(_gradient(model, x, labels)), low, high)
    return tf.stop_gradient(x)


def _gradient(model: Any, x: Any, labels: Any) -> Any:
    """Return the gradient of the cross-entropy with regard to the input."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=False))
        )
    return tape.gradient(loss, x)


ATTACKS: dict[str, Callable[..., Any]] = {"pgd": pgd, "fgsm": fgsm}


def attack_of(settings: Mapping[str, Any]) -> Callable[[Any, Any, Any, Any], Any]:
    """Return (model, x, labels, seed) -> adversarial x for a `harden.attack` section."""
    chosen = ATTACKS[settings["kind"]]
    rest = {name: value for name, value in settings.items() if name != "kind"}
    return lambda model, x, labels, seed: chosen(model, x, labels, seed=seed, **rest)
