"""Attacks in the graph, unrolled: the inputs near a sample that a network gets wrong.

An unrolled loop costs half of a tf.while_loop on a CPU. The network is attacked as it will be used
(training=False: its own statistics, no dropout), and no gradient flows into the result.

Legend: B batch; x is of any shape (B, ...).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.config.space_schema import Reach
from pipeline.harden.apgd import apgd_ce
from pipeline.harden.ball import Ball
from pipeline.harden.objectives import Objective, ascent, cross_entropy

FIRST_STEP = 2.0  # radii: from any point of the ball every other is in reach
RANDOM_STEP = 1.25  # radii: that of Wong et al. 2020, table 1
NOISE = 2.0  # radii: that of de Jorge et al. 2022, section 5

Attack = Callable[..., Any]


def fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor = None,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs one step of a whole radius away from x.

    The fast gradient sign method of Goodfellow et al. 2015, section 4 (arXiv:1412.6572). Nets that
    train on it alone only look robust (Wong et al. 2020, section 5).

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        seed: unused: nothing is drawn.
        loss: of each sample, from labels and logits; it is raised.
    """
    _, gradient = ascent(model, x, labels, objective=loss)
    return tf.stop_gradient(ball.clip(ball.step(x, gradient, 1.0), x))


def rs_fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs one step away from a random start in the ball.

    Wong et al. 2020, algorithm 3, with its step of 1.25 epsilon (arXiv:2001.03994).

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        seed: int32 (2,), of the random start.
        loss: of each sample, from labels and logits; it is raised.
    """
    start = ball.start(x, seed)
    _, gradient = ascent(model, start, labels, objective=loss)
    return tf.stop_gradient(ball.clip(ball.step(start, gradient, RANDOM_STEP), x))


def n_fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs one step away from a noisy x; they may lie up to three radii away.

    N-FGSM, de Jorge et al. 2022, algorithm 1 (arXiv:2202.01181): noise of two radii, a step of one,
    and no projection, which is what keeps training on one step from collapsing. It is for training:
    what it finds is not within the ball, only within the range and around what may change.

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: its radius and range.
        seed: int32 (2,), of the noise.
        loss: of each sample, from labels and logits; it is raised.
    """
    noisy = ball.in_range(x + NOISE * ball.noise(x, seed))
    _, gradient = ascent(model, noisy, labels, objective=loss)
    return tf.stop_gradient(ball.in_range(ball.step(noisy, gradient, 1.0)))


def pgd(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    seed: Tensor,
    loss: Objective = cross_entropy,
    start: Tensor = None,
) -> Any:
    """Return inputs in the ball around x that raise the loss.

    Projected gradient descent from a random start: Madry et al. 2018, section 2.1
    (arXiv:1706.06083). Steps are not equal as there: they shorten linearly from 2 radii to nothing.
    On digits that fools 2 to 7 of 100 samples more than steps of 2.5 / steps do, at 3 to 50 steps,
    hardened or not (tests/harden).

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        steps: gradient steps.
        seed: int32 (2,), of the random start.
        loss: of each sample, from labels and logits; it is raised. `targeted` goes towards labels.
        start: inputs of the ball to begin at; None: random ones.
    """
    moved = ball.start(x, seed) if start is None else start
    for number in range(steps):
        _, gradient = ascent(model, moved, labels, objective=loss)
        size = FIRST_STEP * (1 - number / steps)
        moved = ball.clip(ball.step(moved, gradient, size), x)
    return tf.stop_gradient(moved)


REACH = frozenset(Reach.model_fields)  # settings of what is moved: the space knows them
ATTACKS: dict[str, Attack] = {
    "fgsm": fgsm,
    "rs_fgsm": rs_fgsm,
    "n_fgsm": n_fgsm,
    "pgd": pgd,
    "apgd_ce": apgd_ce,
}


def attack_of(settings: Mapping[str, Any], ball: Ball | None = None) -> Attack:
    """Return (model, x, labels, seed, share=1.0) -> adversarial x for a `harden.attack` section.

    `share` is that of the radius that an attacker is given, a number or a scalar tensor.

    Args:
        settings: of the section.
        ball: what can be made of x; None: x is a picture, and the section says it.
    """
    chosen, own = ATTACKS[settings["kind"]], ball_of(settings) if ball is None else ball
    rest = {name: settings[name] for name in settings.keys() - {"kind", "norm", "epsilon"} - REACH}

    def attack(model: Model, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
        near = replace(own, radius=own.radius * share)
        return chosen(model, x, labels, ball=near, seed=seed, **rest)

    return attack


def ball_of(settings: Mapping[str, Any]) -> Ball:
    """Return what the attacker of a `harden.attack` section may do to a model input in [0, 1]."""
    return Ball(settings["norm"], settings["epsilon"])
