"""Attacks of training, in the graph: the inputs near a sample that a network gets wrong.

An unrolled loop costs half of a tf.while_loop on a CPU. The network is attacked as it will be used
(training=False: its own statistics, no dropout), and no gradient flows into the result. Every
attack takes:

    model   from x to logits, called with `training=False`
    x       (B, ...), float32; not modified
    labels  class ids (B,)
    ball    what can be made of x
    seed    int32 (2,), of what is drawn
    loss    of each sample, from labels and logits; it is raised
    steps   gradient steps, where an attack has several
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.config.space_schema import Reach
from pipeline.harden.ball import Ball
from pipeline.harden.objectives import Objective, cross_entropy, value_and_gradient
from pipeline.harden.pgd import FIRST_STEP, ascend, review_numbers
from pipeline.harden.word_substitution import ThreatModel, WordSubstitution

RANDOM_STEP = 1.25  # radii: that of Wong et al. 2020, table 1
NOISE = 2.0  # radii: that of de Jorge et al. 2022, section 5

TrainingAttack = Callable[..., Any]


def fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor = None,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs (B, ...) one step of a whole radius away from x; nothing is drawn.

    The fast gradient sign method of Goodfellow et al. 2015, section 4 (arXiv:1412.6572). Nets that
    train on it alone only look robust (Wong et al. 2020, section 5).
    """
    return _raise(model, x, labels, loss=loss, ball=ball, start=x, sizes=[1.0])


def rs_fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs (B, ...) one step away from a random start in the ball.

    Wong et al. 2020, algorithm 3, with its step of 1.25 epsilon (arXiv:2001.03994).
    """
    start = ball.start(x, seed)
    return _raise(model, x, labels, loss=loss, ball=ball, start=start, sizes=[RANDOM_STEP])


def n_fgsm(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seed: Tensor,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs (B, ...) one step from a noisy x, at most three radii away.

    N-FGSM, de Jorge et al. 2022, algorithm 1 (arXiv:2202.01181): noise of two radii, a step of one,
    and no projection, which is what keeps training on one step from collapsing. It is for training:
    its result is not within the ball, only within the range and around what may change.
    """
    noisy = ball.in_range(x + NOISE * ball.noise(x, seed))
    _, _, gradient = value_and_gradient(model, noisy, labels, objective=loss)
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
    """Return inputs (B, ...) in the ball around x that raise the loss.

    Projected gradient descent from a random start: Madry et al. 2018, section 2.1
    (arXiv:1706.06083). Steps are not equal as there: they shorten linearly from 2 radii to nothing.
    On digits that misclassifies 2 to 7 of 100 samples more than steps of 2.5 / steps do, at 3 to 50
    steps, hardened or not (tests/harden). A `start` of None is random.
    """
    start = ball.start(x, seed) if start is None else start
    sizes = [FIRST_STEP * (1 - number / steps) for number in range(steps)]
    return _raise(model, x, labels, loss=loss, ball=ball, start=start, sizes=sizes)


def apgd_ce(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    seed: Tensor,
    loss: Objective = cross_entropy,
) -> Any:
    """Return inputs (B, ...) of the ball where Auto-PGD has the highest loss, randomly started.

    Croce and Hein 2020, section 3 and algorithm 1 (arXiv:2003.01690).
    """
    return _raise(
        model,
        x,
        labels,
        loss=loss,
        ball=ball,
        start=ball.start(x, seed),
        sizes=[FIRST_STEP] * (steps + 1),
        reviews=review_numbers(steps),
        returns_best=True,
    )


def _raise(model: Model, x: Tensor, labels: Tensor, *, loss: Objective, **rule: Any) -> Any:
    """Return inputs that `ascend` gives by the gradient of a loss."""

    def evaluate(at: Tensor) -> tuple[Any, Any, Any]:
        return value_and_gradient(model, at, labels, objective=loss)

    return tf.stop_gradient(ascend(evaluate, x, **rule))


REACH = frozenset(Reach.model_fields)  # settings of the threat model
ATTACKS: dict[str, TrainingAttack] = {
    "fgsm": fgsm,
    "rs_fgsm": rs_fgsm,
    "n_fgsm": n_fgsm,
    "pgd": pgd,
    "apgd_ce": apgd_ce,
}


def attack_of(settings: Mapping[str, Any], ball: Ball | None = None) -> TrainingAttack:
    """Return (model, x, labels, seed, share=1.0) -> adversarial x for a `harden.attack` section.

    `share` is the fraction of the radius that the attack has, a number or a scalar tensor.

    Args:
        settings: of the section.
        ball: what can be made of x; None: x is an image in [0, 1], and the section says it.
    """
    own = Ball(settings["norm"], settings["epsilon"]) if ball is None else ball
    names = settings.keys() - {"kind", "norm", "epsilon"} - REACH
    chosen, rest = ATTACKS[settings["kind"]], {name: settings[name] for name in names}

    def attack(model: Model, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
        near = replace(own, radius=own.radius * share)
        return chosen(model, x, labels, ball=near, seed=seed, **rest)

    return attack


def attack_in(threat: ThreatModel, settings: Mapping[str, Any]) -> TrainingAttack:
    """Return (model, x, labels, seed, share=1.0) -> possible adversarial points.

    Args:
        threat: what the attack may change, and how far.
        settings: of a `harden.attack` section; of texts, the threat model has all of it.
    """
    if isinstance(threat, WordSubstitution):
        return threat.attack()
    return threat.attack(attack_of(settings, threat.ball()))
