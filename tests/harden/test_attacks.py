"""Attacks: inside the ball and the range, stronger than chance, and right on a linear model."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.harden.attacks import ATTACKS, STEP_RATIO, attack_of, pgd
from pipeline.harden.ball import Ball

SEED = tf.constant([1, 2])
WEIGHTS = tf.constant(np.random.default_rng(0).normal(size=(12, 3)), tf.float32)


def linear(x: Any, training: bool) -> Any:
    return tf.reshape(x, (-1, 12)) @ WEIGHTS


def batch(seed: int, n: int = 16) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2, 2, 3), dtype=np.float32)
    return tf.constant(x), tf.constant(rng.integers(0, 3, n))


def loss(x: Any, labels: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, linear(x, False))


def settings_of(kind: str, epsilon: float) -> dict[str, Any]:
    return {"kind": kind, "epsilon": epsilon} | ({"steps": 5} if kind == "pgd" else {})


@pytest.mark.parametrize("kind", list(ATTACKS))
@settings(max_examples=15)
@given(seed=st.integers(0, 100), epsilon=st.floats(0.001, 0.5))
def test_the_result_stays_in_the_ball_and_in_the_range(
    kind: str, seed: int, epsilon: float
) -> None:
    x, labels = batch(seed)
    found = attack_of(settings_of(kind, epsilon))(linear, x, labels, SEED)
    assert float(tf.reduce_max(tf.abs(found - x))) <= epsilon + 1e-6
    assert float(tf.reduce_min(found)) >= 0
    assert float(tf.reduce_max(found)) <= 1


@pytest.mark.parametrize("kind", list(ATTACKS))
def test_the_loss_rises_and_the_seed_decides(kind: str) -> None:
    x, labels = batch(3, 64)
    attack = attack_of(settings_of(kind, 0.1))
    found = attack(linear, x, labels, SEED)
    assert float(tf.reduce_mean(loss(found, labels))) > float(tf.reduce_mean(loss(x, labels)))
    np.testing.assert_array_equal(found, attack(linear, x, labels, SEED))


def test_pgd_equals_a_slow_one_with_the_closed_gradient() -> None:
    x, labels = batch(5)
    epsilon, steps = 0.1, 4
    start = x + tf.random.stateless_uniform(tf.shape(x), SEED, -epsilon, epsilon)
    low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
    slow = np.clip(start, low, high)
    for _ in range(steps):
        shares = tf.nn.softmax(linear(slow, False)).numpy() - np.eye(3)[labels.numpy()]
        gradient = (shares @ WEIGHTS.numpy().T).reshape(slow.shape)
        slow = np.clip(slow + STEP_RATIO * epsilon / steps * np.sign(gradient), low, high).astype(
            np.float32
        )
    found = pgd(linear, x, labels, ball=Ball("linf", epsilon), steps=steps, seed=SEED)
    np.testing.assert_allclose(found, slow, atol=1e-6)


def test_pgd_is_at_least_as_strong_as_one_step() -> None:
    x, labels = batch(7, 256)
    strong = attack_of({"kind": "pgd", "epsilon": 0.1, "steps": 10})(linear, x, labels, SEED)
    weak = attack_of({"kind": "fgsm", "epsilon": 0.1})(linear, x, labels, SEED)
    strong_loss, weak_loss = (float(tf.reduce_mean(loss(z, labels))) for z in (strong, weak))
    assert strong_loss >= weak_loss - 1e-4


def test_no_gradient_flows_into_the_result() -> None:
    x, labels = batch(9)
    weight = tf.Variable(WEIGHTS)
    with tf.GradientTape() as tape:
        found = pgd(
            lambda z, training: tf.reshape(z, (-1, 12)) @ weight,
            x, labels, ball=Ball("linf", 0.1), steps=2, seed=SEED,
        )  # fmt: skip
        total = tf.reduce_sum(found)
    assert tape.gradient(total, weight) is None
