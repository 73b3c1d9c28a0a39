"""Attack a network of which all is known, and note who withstands what.

One and the same plan is carried out on the float reference, on the model that a file is made from
and on a file's twin; a `judge` says who withstands: the network itself, or the file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.ascent import ascend
from pipeline.audit.whitebox import Loss, WhiteBox
from pipeline.harden.ball import Ball
from pipeline.seeds import fold_seed

Judge = Callable[[Array], Array]

LOSSES: tuple[Loss, ...] = ("cross_entropy", "margin")
CURVE = (0.25, 0.5, 1.0, 2.0)  # shares of epsilon
ALONG: Loss = "margin"  # what the curve and the checks raise: it has a slope where others saturate
FEWER = 5  # what the steps are divided by, to see whether more of them help the attacker
SURELY = 10  # steps: where any input is in reach a few get there
AGAIN = 60  # for those that a few do not reach, as where a file of few steps answers flatly


@dataclass(frozen=True)
class Attack:
    """What an attacker may do."""

    norm: Literal["linf", "l2"]
    epsilon: float
    """Largest change: of a value under Linf, of all together under L2, values being in [0, 1]."""
    steps: int
    restarts: int
    queries: int
    """Answers for each sample in a search without gradients."""
    seed: int

    def of(self, *purpose: str | int) -> int:
        """Return the seed of one purpose."""
        return fold_seed(self.seed, *purpose)


@dataclass(frozen=True)
class Attacked:
    """Who withstands what; each mask is (n,), and holds only where the clean answer is right."""

    clean: Array
    masks: dict[str, Array]
    """Name -> mask: `noise`, a `loss/restart`, `fewer`, and `epsilon * share`."""
    found: dict[str, Array]
    """`loss/restart` -> inputs (n, *shape)."""

    @property
    def robust(self) -> Array:
        """Who withstands every restart of every loss."""
        return np.logical_and.reduce([self.masks[name] for name in self.found])

    def at(self, share: float) -> Array:
        """Return who withstands one restart of ALONG at a share of epsilon."""
        return self.masks[f"{ALONG}/0" if share == 1.0 else _at(share)]


def _at(share: float) -> str:
    return f"epsilon * {share:g}"


def carry_out(
    box: WhiteBox, judge: Judge, x: Array, *, labels: Array, by: Attack, purpose: str
) -> Attacked:
    """Attack a network with all that the audit reports of it.

    Args:
        box: where the gradients come from.
        judge: inputs (n, *shape) -> whether each is answered rightly (n,).
        x: clean inputs (n, *shape), float32 in [0, 1].
        labels: class ids (n,).
        by: what the attacker may do.
        purpose: tells the random starts of one attack from those of another.
    """
    clean = judge(x)
    masks: dict[str, Array] = {"noise": clean & judge(noisy(x, by))}
    found = {}
    for name, inputs in restarts(box, x, labels, by=by, purpose=purpose):
        found[name], masks[name] = inputs, clean & judge(inputs)

    def along(radius: float, steps: int, *told: str | int) -> Array:
        seed, ball = _pair(by.of(purpose, *told)), Ball(by.norm, radius)
        asked: dict[str, Any] = {"ball": ball, "steps": max(1, steps), "loss": ALONG, "seed": seed}
        return clean & judge(ascend(box.gradient, x, labels, **asked))

    masks["fewer"] = along(by.epsilon, by.steps // FEWER, ALONG, 0)
    for part in CURVE:
        if part != 1.0:
            masks[_at(part)] = along(part * by.epsilon, by.steps, "curve", str(part))
    whole = unbounded_radius(x, by)
    left = along(whole, SURELY, "unbounded")
    if left.any():
        inputs, seed = x.copy(), _pair(by.of(purpose, "unbounded", "again"))
        ball = Ball(by.norm, whole)
        inputs[left] = ascend(
            box.gradient, x[left], labels[left], ball=ball, steps=AGAIN, loss=ALONG, seed=seed
        )
        left = left & judge(inputs)
    masks[_at(whole / by.epsilon)] = left
    return Attacked(clean, masks, found)


def restarts(
    box: WhiteBox, x: Array, labels: Array, *, by: Attack, purpose: str
) -> Iterator[tuple[str, Array]]:
    """Yield `loss/restart` and the adversarial examples (n, *shape) that each restart found."""
    for loss in LOSSES:
        for place in range(by.restarts):
            yield (
                f"{loss}/{place}",
                ascend(
                    box.gradient,
                    x,
                    labels,
                    ball=Ball(by.norm, by.epsilon),
                    steps=by.steps,
                    loss=loss,
                    seed=_pair(by.of(purpose, loss, place)),
                ),
            )


def unbounded_radius(x: Array, by: Attack) -> float:
    """Return the radius at which every input of [0, 1] is in reach."""
    return 1.0 if by.norm == "linf" else float(np.sqrt(np.prod(x.shape[1:])))


def noisy(x: Array, by: Attack) -> Array:
    """Return inputs with random noise of the whole size of epsilon, cut to [0, 1]."""
    generator = np.random.Generator(np.random.Philox(by.of("noise")))
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
