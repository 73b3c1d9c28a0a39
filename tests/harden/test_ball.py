"""Balls: every point that they give is one that an attacker can make."""

from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.harden.ball import Ball, Norm

RADIUS = np.array([0.0, 0.1, 0.5, 2.0], np.float32)
LOW, HIGH = np.array([0, 0, -1, -3], np.float32), np.array([1, 1, 1, 3], np.float32)


def distance(ball: Ball, moved: Any, x: Any) -> Any:
    """Return the norm of each change in radii; a value that may not change counts infinitely."""
    change = np.asarray(moved - x, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(change == 0, 0, np.abs(change) / ball.radius)
    return shares.max(axis=1) if ball.norm == "linf" else np.sqrt((shares**2).sum(axis=1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_every_point_is_within_the_radius_and_the_range(norm: str, seed: int) -> None:
    ball = Ball(cast(Norm, norm), RADIUS, LOW, HIGH)
    rng = np.random.default_rng(seed)
    x = tf.constant(rng.uniform(LOW, HIGH, (32, 4)), tf.float32)
    gradient = tf.constant(rng.normal(size=(32, 4)), tf.float32)
    start = ball.start(x, tf.constant([seed, 1]))
    for moved in (start, ball.clip(ball.step(start, gradient, 1.0), x)):
        assert distance(ball, moved, x).max() <= 1 + 1e-5
        assert (np.asarray(moved) >= LOW - 1e-6).all()
        assert (np.asarray(moved) <= HIGH + 1e-6).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_step_goes_up_and_is_as_long_as_asked(norm: str) -> None:
    ball = Ball(cast(Norm, norm), RADIUS, LOW, HIGH)
    gradient = tf.constant(np.random.default_rng(0).normal(size=(8, 4)), tf.float32)
    x = tf.zeros((8, 4))
    moved = ball.step(x, gradient, 0.25)
    np.testing.assert_allclose(distance(ball, moved, x), 0.25, rtol=1e-4)
    assert (tf.reduce_sum((moved - x) * gradient, axis=1).numpy() > 0).all()


def test_a_zero_gradient_moves_nothing() -> None:
    x = tf.ones((2, 4)) * 0.5
    for norm in ("linf", "l2"):
        np.testing.assert_array_equal(Ball(cast(Norm, norm), 0.1).step(x, tf.zeros((2, 4)), 1.0), x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e-8, 1.0, 1e15])
def test_a_small_gradient_makes_a_whole_step(norm: str, scale: float) -> None:
    ball = Ball(cast(Norm, norm), 0.5)
    gradient = tf.constant(np.random.default_rng(0).normal(size=(8, 4)) * scale, tf.float32)
    x = tf.zeros((8, 4))
    np.testing.assert_allclose(distance(ball, ball.step(x, gradient, 1.0), x), 1.0, rtol=1e-4)


def test_each_sample_may_have_a_step_of_its_own() -> None:
    x, sizes = tf.zeros((3, 4)), tf.constant([[0.1], [0.5], [2.0]])
    moved = Ball("l2", 0.5).step(x, tf.ones((3, 4)), sizes)
    np.testing.assert_allclose(distance(Ball("l2", 0.5), moved, x), sizes[:, 0], rtol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_fills_the_ball_and_spares_what_may_not_change(norm: str) -> None:
    ball = Ball(cast(Norm, norm), RADIUS, LOW, HIGH)
    x = tf.zeros((4000, 4))
    shares = distance(ball, x + ball.noise(x, tf.constant([1, 2])), x)
    assert shares.max() <= 1 + 1e-5
    assert shares.max() > 0.9
    assert (ball.noise(x, tf.constant([1, 2]))[:, 0].numpy() == 0).all()
