"""Auto-PGD: each sample's step is halved when it stops helping, and its best point is kept.

Croce and Hein 2020, section 3 and algorithm 1 (arXiv:2003.01690), for a whole batch in the graph:
every sample has its own step and its own best point. Other than there, a sample that goes back to
its best point starts anew without momentum. The first point is random in the ball.

Legend: B batch; x is of any shape (B, ...).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.harden.ball import Ball
from pipeline.harden.objectives import Objective, ascent, cross_entropy

FIRST_STEP = 2.0  # radii
MOMENTUM = 0.75  # alpha: weight of the gradient's step against the last move
PROGRESS = 0.75  # rho: share of steps that must rise, else the step is halved
FIRST_PERIOD, SHORTER, LEAST_PERIOD = 0.22, 0.03, 0.06  # of the checkpoints, as shares of all steps


def apgd_ce(
    model: Model, x: Tensor, labels: Tensor, *, ball: Ball, steps: int, seed: Tensor
) -> Any:
    """Return the inputs of the ball where APGD found the cross-entropy highest.

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        steps: gradient steps.
        seed: int32 (2,), of the random start.
    """
    return apgd(model, x, labels, ball=ball, steps=steps, seed=seed, loss=cross_entropy)


def checkpoints(steps: int) -> list[int]:
    """Return the steps, from 1, after which the step size is looked at (section 3.1)."""
    shares = [0.0, FIRST_PERIOD]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - SHORTER, LEAST_PERIOD))
    found = [math.ceil(round(share * steps, 6)) for share in shares[1:] if share <= 1]
    return sorted(set(found))


@dataclass(frozen=True)
class _State:
    """Where each sample stands."""

    x: Any
    last: Any
    """The point before."""
    value: Any
    """Objective at x (B,)."""
    gradient: Any
    best: Any
    best_value: Any
    best_gradient: Any
    size: Any
    """Step in radii, (B, 1, ...)."""
    rises: Any
    """Steps since the last checkpoint that raised the objective (B,)."""
    halved: Any
    """Whether the step was halved at the last checkpoint (B,)."""
    checked_value: Any
    """Best objective at the last checkpoint (B,)."""


def apgd(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    seed: Tensor,
    loss: Objective,
) -> Any:
    """Return the inputs of the ball where APGD found an objective highest.

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        labels: class ids (B,).
        ball: what can be made of x.
        steps: gradient steps.
        seed: int32 (2,), of the random start.
        loss: of each sample, from labels and logits; it is raised.
    """
    state, checked = _first(model, x, labels, ball.start(x, seed), loss), 0
    due = checkpoints(steps)
    for number in range(1, steps + 1):
        weight = 1.0 if number == 1 else MOMENTUM  # there is no last move yet
        aim = ball.clip(ball.step(state.x, state.gradient, state.size), x)
        moved = state.x + weight * (aim - state.x) + (1 - weight) * (state.x - state.last)
        moved = ball.clip(moved, x)
        state = _seen(state, moved, *ascent(model, moved, labels, objective=loss))
        if number in due and number < steps:
            state, checked = _checked(state, number - checked), number
    return tf.stop_gradient(state.best)


def _first(model: Model, x: Tensor, labels: Tensor, start: Tensor, loss: Objective) -> _State:
    value, gradient = ascent(model, start, labels, objective=loss)
    size = tf.fill([tf.shape(x)[0], *[1] * (len(x.shape) - 1)], FIRST_STEP)
    return _State(
        x=start,
        last=start,
        value=value,
        gradient=gradient,
        best=start,
        best_value=value,
        best_gradient=gradient,
        size=size,
        rises=tf.zeros_like(value),
        halved=tf.zeros_like(value, tf.bool),
        checked_value=value,
    )


def _seen(state: _State, moved: Tensor, value: Any, gradient: Tensor) -> _State:
    """Return the state at a new point."""
    is_best = value > state.best_value
    return replace(
        state,
        x=moved,
        last=state.x,
        value=value,
        gradient=gradient,
        best=_where(is_best, moved, state.best),
        best_value=tf.where(is_best, value, state.best_value),
        best_gradient=_where(is_best, gradient, state.best_gradient),
        rises=state.rises + tf.cast(value > state.value, tf.float32),
    )


def _checked(state: _State, period: int) -> _State:
    """Halve the step of samples that do not get on, which go back to their best point.

    Either too few steps rose (condition 1), or with the same step the best did not get better
    (condition 2; not after a halving, for the smaller step has not been tried till then).
    """
    is_slow = state.rises < PROGRESS * period
    is_stuck = ~state.halved & (state.checked_value >= state.best_value)
    halve = is_slow | is_stuck
    return replace(
        state,
        x=_where(halve, state.best, state.x),
        last=_where(halve, state.best, state.last),
        value=tf.where(halve, state.best_value, state.value),
        gradient=_where(halve, state.best_gradient, state.gradient),
        size=_where(halve, state.size / 2, state.size),
        rises=tf.zeros_like(state.rises),
        halved=halve,
        checked_value=state.best_value,
    )


def _where(chosen: Any, one: Any, other: Any) -> Any:
    """Return `one` for the chosen samples (B,), else `other`; both (B, ...)."""
    return tf.where(tf.reshape(chosen, [-1, *[1] * (len(one.shape) - 1)]), one, other)
