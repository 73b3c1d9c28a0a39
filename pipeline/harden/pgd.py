"""Projected gradient ascent: the one loop of every gradient attack, in a graph or eager.

Madry et al. 2018, section 2.1 (arXiv:1706.06083). The step sizes are given; where the loop reviews
them (Auto-PGD, Croce and Hein 2020, algorithm 1, arXiv:2003.01690) each sample's size is halved
when it no longer helps, and steps have momentum.

Legend: B batch; x is of any shape (B, ...).
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Tensor
from pipeline.harden.ball import Ball

FIRST_STEP = 2.0  # radii: from any point of the ball every other is in reach
MOMENTUM = 0.75  # alpha: weight of the gradient's step against the last move
PROGRESS = 0.75  # rho: fraction of steps that must raise the objective, else the size is halved
FIRST_PERIOD, SHORTER, MIN_PERIOD = 0.22, 0.03, 0.06  # of the reviews, as fractions of all steps

Evaluate = Callable[[Any], tuple[Any, Any, Any]]


def ascend(
    evaluate: Evaluate,
    x: Tensor,
    *,
    ball: Ball,
    start: Tensor,
    sizes: Iterable[float],
    reviews: Collection[int] = (),
    returns_best: bool = False,
) -> Any:
    """Return points of the ball around x that raise an objective (B, ...).

    Args:
        evaluate: point (B, ...) -> its objective (B,), whether it is misclassified (B,), and the
            gradient of the objective (B, ...).
        x: float32; not modified.
        ball: what can be made of x.
        start: point of the ball to begin at.
        sizes: step after each evaluation, in radii.
        reviews: evaluations, counted from 0, after which a sample's step may be halved; empty:
            never, and without momentum.
        returns_best: whether the best evaluated point of each sample counts, a misclassified one
            before all others; the last step is then not evaluated. Else the last point counts.
    """
    at = before = start
    best, history = None, None
    for number, size in enumerate(sizes):
        value, is_wrong, gradient = evaluate(at)
        if returns_best:
            best = _better(best, _Best(at, value, is_wrong, gradient))
        if reviews:
            assert best is not None  # Auto-PGD returns its best point
            history = _History.begin(value) if history is None else history.add(value)
            if number in reviews:
                history = history.review(best.value, number)
                at = _where(history.is_halved, best.x, at)
                gradient = _where(history.is_halved, best.gradient, gradient)
            size = size * _beside(history.scale, at)
        moved = ball.clip(ball.step(at, gradient, size), x)
        if reviews:
            kept = (1 - MOMENTUM) * (at - before)
            moved = ball.clip(moved if number == 0 else at + MOMENTUM * (moved - at) + kept, x)
        at, before = moved, at
    return at if best is None else best.x


def review_numbers(steps: int) -> list[int]:
    """Return the evaluations, from 0, at which Auto-PGD reviews step sizes (section 3.1)."""
    fractions = [0.0, FIRST_PERIOD]
    while fractions[-1] < 1:
        fractions.append(fractions[-1] + max(fractions[-1] - fractions[-2] - SHORTER, MIN_PERIOD))
    numbers = [math.ceil(round(part * steps, 6)) for part in fractions[1:] if part <= 1]
    return sorted(set(numbers))


@dataclass(frozen=True)
class _Best:
    """The best point of each sample, and what was evaluated there."""

    x: Any
    value: Any
    is_wrong: Any
    gradient: Any


def _better(best: _Best | None, new: _Best) -> _Best:
    """Return of each sample the better point: a misclassified one, else the greater objective."""
    if best is None:
        return new
    is_new = (new.is_wrong & ~best.is_wrong) | (
        (new.is_wrong == best.is_wrong) & (new.value > best.value)
    )
    return _Best(
        _where(is_new, new.x, best.x),
        tf.where(is_new, new.value, best.value),
        best.is_wrong | new.is_wrong,
        _where(is_new, new.gradient, best.gradient),
    )


@dataclass(frozen=True)
class _History:
    """What Auto-PGD knows of each sample (B,)."""

    value: Any
    """Last objective."""
    rises: Any
    """Evaluations since the last review that raised the objective."""
    scale: Any
    """Factor of the step size."""
    is_halved: Any
    """Whether the last review halved the size."""
    best_value: Any
    """Best objective at the last review."""
    reviewed: int = 0

    @staticmethod
    def begin(value: Any) -> "_History":
        """Return the history after the first evaluation."""
        one = tf.ones_like(value)
        return _History(value, one, one, tf.zeros_like(value, tf.bool), -np.inf * one)

    def add(self, value: Any) -> "_History":
        """Return the history after one more evaluation."""
        rises = self.rises + tf.cast(value > self.value, tf.float32)
        return replace(self, value=value, rises=rises)

    def review(self, best_value: Any, number: int) -> "_History":
        """Return the history with the size halved of samples that make no progress.

        Too few evaluations raised the objective (condition 1), or the best did not improve with an
        unchanged size (condition 2).
        """
        is_slow = self.rises < PROGRESS * (number - self.reviewed)
        is_halved = is_slow | (~self.is_halved & (self.best_value >= best_value))
        return replace(
            self,
            rises=tf.zeros_like(self.rises),
            scale=tf.where(is_halved, self.scale / 2, self.scale),
            is_halved=is_halved,
            best_value=best_value,
            reviewed=number,
        )


def _beside(each: Any, x: Any) -> Any:
    """Return a number of each sample (B,) in a shape that broadcasts with the samples."""
    return tf.reshape(each, [-1, *[1] * (len(x.shape) - 1)])


def _where(is_one: Any, one: Any, other: Any) -> Any:
    """Return `one` for some samples (B,), else `other`; both (B, ...)."""
    return tf.where(_beside(is_one, one), one, other)
