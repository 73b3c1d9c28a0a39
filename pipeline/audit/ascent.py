"""Auto-PGD: gradient ascent whose step halves for each sample by itself when it no longer helps.

Croce and Hein 2020, algorithm 1 (arXiv:2003.01690): it needs no step size, which is what most
often makes an attack look weaker than it is. The ball may be of any space. NumPy around a function
that answers loss and gradient, so that it attacks whatever has one.

Legend: B samples; x is of any shape (B, ...).
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.whitebox import Loss
from pipeline.harden.apgd import FIRST_STEP, MOMENTUM, PROGRESS, checkpoints
from pipeline.terminal import show_progress

Gradient = Callable[[Array, Array, Loss], tuple[Array, Array, Array]]


class Space(Protocol):
    """Where an attacked sample may be: harden/ball.py, and what other inputs have in its place."""

    def start(self, x: Any, seed: Any) -> Any:
        """Return a random point near x."""

    def step(self, x: Any, gradient: Any, size: Any) -> Any:
        """Return x after a step of steepest ascent of `size` radii."""

    def clip(self, moved: Any, x: Any) -> Any:
        """Return the point near x that is nearest to `moved`."""


def ascend(
    gradient: Gradient, x: Array, labels: Array, *, ball: Space, steps: int, loss: Loss, seed: Array
) -> Array:
    """Return for each sample the input of the ball with the greatest loss that was met.

    One that is answered wrongly goes before all that are answered rightly.

    Args:
        gradient: `WhiteBox.gradient`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: where the attack moves.
        steps: gradients that are computed, the start's among them.
        loss: what is raised.
        seed: int32 (2,), of the random start.
    """
    at = before = np.asarray(ball.start(x, seed))
    size = np.full(len(x), FIRST_STEP, np.float32)
    risen, looked_at = np.zeros(len(x)), 0
    best = best_slope = at
    height = previous = np.full(len(x), -np.inf)
    had_size, had_height, is_best_right = size, height, np.ones(len(x), bool)
    looks = checkpoints(steps)
    for step in show_progress(range(steps), "steps", "gradient attack"):
        losses, is_right, slope = gradient(at, labels, loss)
        better = (is_best_right & ~is_right) | ((is_right == is_best_right) & (losses > height))
        best, best_slope = _where(better, at, best), _where(better, slope, best_slope)
        height, is_best_right = np.where(better, losses, height), is_best_right & is_right
        risen, previous = risen + (losses > previous), losses
        if step in looks:
            stuck = risen < PROGRESS * (step - looked_at)
            stuck |= (had_size == size) & (had_height >= height)
            had_size, had_height = size, height
            risen, looked_at = np.zeros(len(x)), step
            size = np.where(stuck, size / 2, size).astype(np.float32)
            at, slope = _where(stuck, best, at), _where(stuck, best_slope, slope)
        raised = np.asarray(ball.clip(ball.step(at, slope, _beside(size, at)), x))
        ahead = raised if step == 0 else at + MOMENTUM * (raised - at) + _rest(at, before)
        at, before = np.asarray(ball.clip(ahead, x)), at
    return best


def _rest(at: Array, before: Array) -> Array:
    return np.asarray((1 - MOMENTUM) * (at - before))


def _beside(each: Array, x: Array) -> Array:
    """Return a number of each sample in a shape that broadcasts with the samples."""
    return each.reshape(-1, *[1] * (x.ndim - 1))


def _where(chosen: Array, one: Array, other: Array) -> Array:
    """Return one's samples where chosen, the other's elsewhere."""
    return np.where(_beside(chosen, one), one, other)
