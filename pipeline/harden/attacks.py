"""Attacks in the graph, unrolled: the inputs near a sample that a network gets wrong.

An unrolled loop costs half of a tf.while_loop on a CPU. The network is attacked as it will be used
(training=False: its own statistics, no dropout), and no gradient flows into the result.

Legend: B batch; x is of any shape (B, ...).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from pipeline.config.space_schema import Reach
from pipeline.harden.ball import Ball

STEP_RATIO = (
    2.5  # steps * step = 2.5 epsilon: every point of the ball is in reach (Madry et al., C)
)


def pgd(model: Any, x: Any, labels: Any, *, ball: Ball, steps: int, seed: Any) -> Any:
    """Return inputs in the ball around x that raise the loss.

    Projected gradient descent from a random start: Madry et al. 2018, section 2.1
    (arXiv:1706.06083).

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        steps: gradient steps, each of 2.5 / steps radii.
        seed: int32 (2,), of the random start.
    """
    moved = ball.start(x, seed)
    for _ in range(steps):
        gradient = _gradient(model, moved, labels)
        moved = ball.clip(ball.step(moved, gradient, STEP_RATIO / steps), x)
    return tf.stop_gradient(moved)


def fgsm(model: Any, x: Any, labels: Any, *, ball: Ball, seed: Any) -> Any:
    """Return inputs one signed step away from a random start in the ball.

    R+FGSM with the step of Wong et al. 2020, algorithm 3: 1.25 epsilon (arXiv:2001.03994); the
    plain sign step of Goodfellow et al. 2015 (arXiv:1412.6572) trains nets that only look robust.

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        seed: int32 (2,), of the random start.
    """
    moved = ball.start(x, seed)
    moved = ball.clip(ball.step(moved, _gradient(model, moved, labels), 1.25), x)
    return tf.stop_gradient(moved)


def _gradient(model: Any, x: Any, labels: Any) -> Any:
    """Return the gradient of the cross-entropy with regard to the input."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=False))
        )
    return tape.gradient(loss, x)


ATTACKS: dict[str, Callable[..., Any]] = {"pgd": pgd, "fgsm": fgsm}
REACH = frozenset(Reach.model_fields)  # settings of what is moved: the space knows them


def attack_of(settings: Mapping[str, Any], ball: Ball | None = None) -> Callable[..., Any]:
    """Return (model, x, labels, seed, share=1.0) -> adversarial x for a `harden.attack` section.

    Args:
        settings: of the section.
        ball: what can be made of x, where x is no image; None: epsilon of [0, 1] everywhere.
    """
    chosen = ATTACKS[settings["kind"]]
    own = Ball("linf", settings["epsilon"]) if ball is None else ball
    rest = {name: settings[name] for name in settings.keys() - {"kind", "epsilon"} - REACH}

    def attack(model: Any, x: Any, labels: Any, seed: Any, share: Any = 1.0) -> Any:
        near = replace(own, radius=own.radius * share)
        return chosen(model, x, labels, ball=near, seed=seed, **rest)

    return attack
