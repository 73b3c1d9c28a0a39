"""The gradient attack of the audit, and the further runs that its checks and the curve need.

The same plan is run on the trained model, on the model that a file is made from and on a file's
differentiable copy; `is_correct` says which inputs stay correct, of the model itself or of a file.

Legend: n samples; x is (n, *shape), float32 in [0, 1].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.whitebox import Loss, WhiteBox, auto_pgd
from pipeline.harden.ball import Ball
from pipeline.seeds import fold_seed

IsCorrect = Callable[[Array], Array]

LOSSES: tuple[Loss, ...] = ("cross_entropy", "margin")
CURVE = (0.25, 0.5, 1.0, 2.0)  # fractions of epsilon
CURVE_LOSS: Loss = "margin"  # of the curve and the checks: it has a slope where others saturate
FEWER = 5  # what the steps are divided by, to see whether more of them help the attacker
UNBOUNDED_STEPS = 10  # where any input is in reach a few are enough
MORE_STEPS = 60  # for samples that a few leave, as where the outputs of a file have few levels


@dataclass(frozen=True)
class AttackBudget:
    """What an attacker may do to an image."""

    norm: Literal["linf", "l2"]
    epsilon: float
    """Largest change: of a value under Linf, of all together under L2, values being in [0, 1]."""
    steps: int
    restarts: int
    queries: int
    """Queries for each sample in a search without gradients."""
    seed: int

    def derive_seed(self, *purpose: str | int) -> int:
        """Return the seed of one purpose."""
        return fold_seed(self.seed, *purpose)


@dataclass(frozen=True)
class GradientResult:
    """Which samples stay correct; each mask is (n,), and False where the clean input is wrong."""

    clean: Array
    masks: dict[str, Array]
    """`noise`, a `loss/restart`, `fewer`, or `epsilon * fraction` -> mask."""
    examples: dict[str, Array]
    """`loss/restart` -> adversarial examples (n, *shape)."""

    @property
    def robust(self) -> Array:
        """Which samples (n,) stay correct under every restart of every loss."""
        return np.logical_and.reduce([self.masks[name] for name in self.examples])

    def at(self, fraction: float) -> Array:
        """Return which (n,) stay correct under a restart of CURVE_LOSS at a fraction of epsilon."""
        return self.masks[f"{CURVE_LOSS}/0" if fraction == 1.0 else _at(fraction)]


def _at(fraction: float) -> str:
    return f"epsilon * {fraction:g}"


def attack_by_gradients(
    box: WhiteBox,
    is_correct: IsCorrect,
    x: Array,
    *,
    labels: Array,
    by: AttackBudget,
    purpose: str,
) -> GradientResult:
    """Attack a network with all that the audit reports of it.

    Args:
        box: where the gradients come from.
        is_correct: inputs (n, *shape) -> whether each is correct (n,).
        x: clean inputs.
        labels: class ids (n,).
        by: what the attacker may do.
        purpose: tells the random starts of one attack from those of another.
    """
    clean = is_correct(x)
    masks: dict[str, Array] = {"noise": clean & is_correct(add_noise(x, by))}
    found = {}
    for name, inputs in run_restarts(box, x, labels, by=by, purpose=purpose):
        found[name], masks[name] = inputs, clean & is_correct(inputs)

    def attack(chosen: Array, radius: float, steps: int, *seed: str | int) -> Array:
        """Return which of some samples, all others aside, one restart leaves correct."""
        moved = x.copy()
        moved[chosen] = auto_pgd(
            box,
            x[chosen],
            labels[chosen],
            ball=Ball(by.norm, radius),
            steps=max(1, steps),
            loss=CURVE_LOSS,
            seed=_pair(by.derive_seed(purpose, *seed)),
        )
        return chosen & clean & is_correct(moved)

    every = np.ones(len(x), bool)
    masks["fewer"] = attack(every, by.epsilon, by.steps // FEWER, CURVE_LOSS, 0)
    for part in CURVE:
        if part != 1.0:
            masks[_at(part)] = attack(every, part * by.epsilon, by.steps, "curve", str(part))
    whole = unbounded_radius(x, by)
    left = attack(every, whole, UNBOUNDED_STEPS, "unbounded")
    if left.any():
        left = attack(left, whole, MORE_STEPS, "unbounded", "again")
    masks[_at(whole / by.epsilon)] = left
    return GradientResult(clean, masks, found)


def run_restarts(
    box: WhiteBox, x: Array, labels: Array, *, by: AttackBudget, purpose: str
) -> Iterator[tuple[str, Array]]:
    """Yield `loss/restart` and its adversarial examples (n, *shape), of every restart."""
    for loss in LOSSES:
        for index in range(by.restarts):
            seed = _pair(by.derive_seed(purpose, loss, index))
            ball = Ball(by.norm, by.epsilon)
            yield (
                f"{loss}/{index}",
                auto_pgd(box, x, labels, ball=ball, steps=by.steps, loss=loss, seed=seed),
            )


def unbounded_radius(x: Array, by: AttackBudget) -> float:
    """Return the radius at which every input in [0, 1] is in reach of x (n, *shape)."""
    return 1.0 if by.norm == "linf" else float(np.sqrt(np.prod(x.shape[1:])))


def add_noise(x: Array, by: AttackBudget) -> Array:
    """Return x (n, *shape) with random noise of the size of epsilon, clipped to [0, 1]."""
    generator = np.random.Generator(np.random.Philox(by.derive_seed("noise")))
    if by.norm == "linf":
        change = by.epsilon * np.asarray(2 * generator.integers(0, 2, x.shape) - 1, np.float32)
    else:
        drawn = generator.standard_normal(x.shape, np.float32)
        axes = tuple(range(1, x.ndim))
        length = np.sqrt(np.square(drawn).sum(axis=axes, keepdims=True))
        change = drawn * (by.epsilon / length)
    return np.asarray(np.clip(x + change, 0, 1), np.float32)


def _pair(seed: int) -> Array:
    """Return a seed in the two numbers that stateless random operations take."""
    return np.array([seed & 0x7FFFFFFF, (seed >> 31) & 0x7FFFFFFF], np.int32)
