"""Attacks: inside the ball and the range, stronger than chance, and right on a linear model."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.harden.attacks import ATTACKS, attack_of, fgsm, pgd, rs_fgsm
from pipeline.harden.ball import Ball
from pipeline.harden.objectives import OBJECTIVES, logits_ratio, margin, target_closeness
from pipeline.harden.pgd import FIRST_STEP, review_numbers

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


def settings_of(kind: str, epsilon: float, norm: str = "linf") -> dict[str, Any]:
    steps = {"steps": 5} if kind in ("pgd", "apgd_ce") else {}
    return {"kind": kind, "norm": norm, "epsilon": epsilon} | steps


def distance(found: Any, x: Any, norm: str) -> float:
    order = np.inf if norm == "linf" else 2
    return float(np.linalg.norm((found - x).numpy().reshape(len(x), -1), order, axis=1).max())


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", list(ATTACKS))
@settings(max_examples=10)
@given(seed=st.integers(0, 100), epsilon=st.floats(0.001, 0.5), share=st.floats(0.01, 1.0))
def test_the_result_stays_in_the_ball_and_in_the_range(
    kind: str, norm: str, seed: int, epsilon: float, share: float
) -> None:
    x, labels = batch(seed)
    found = attack_of(settings_of(kind, epsilon, norm))(linear, x, labels, SEED, share)
    reach = 3 if kind == "n_fgsm" else 1  # its noise of two radii is not taken back
    assert distance(found, x, norm) <= reach * share * epsilon + 1e-6
    assert float(tf.reduce_min(found)) >= 0
    assert float(tf.reduce_max(found)) <= 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", list(ATTACKS))
def test_the_loss_rises_and_the_seed_decides(kind: str, norm: str) -> None:
    x, labels = batch(3, 64)
    attack = attack_of(settings_of(kind, 0.1, norm))
    found = attack(linear, x, labels, SEED)
    assert float(tf.reduce_mean(loss(found, labels))) > float(tf.reduce_mean(loss(x, labels)))
    np.testing.assert_array_equal(found, attack(linear, x, labels, SEED))


def test_pgd_equals_a_slow_one_with_the_closed_gradient() -> None:
    x, labels = batch(5)
    epsilon, steps = 0.1, 4
    start = x + tf.random.stateless_uniform(tf.shape(x), SEED, -epsilon, epsilon)
    low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
    slow = np.clip(start, low, high)
    for number in range(steps):
        size = FIRST_STEP * (1 - number / steps) * epsilon
        shares = tf.nn.softmax(linear(slow, False)).numpy() - np.eye(3)[labels.numpy()]
        gradient = (shares @ WEIGHTS.numpy().T).reshape(slow.shape)
        slow = np.clip(slow + size * np.sign(gradient), low, high).astype(np.float32)
    found = pgd(linear, x, labels, ball=Ball("linf", epsilon), steps=steps, seed=SEED)
    np.testing.assert_allclose(found, slow, atol=1e-6)


def test_pgd_is_at_least_as_strong_as_one_step() -> None:
    x, labels = batch(7, 256)
    ball = Ball("linf", 0.1)
    strong = pgd(linear, x, labels, ball=ball, steps=10, seed=SEED)
    weak = rs_fgsm(linear, x, labels, ball=ball, seed=SEED)
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


def test_fgsm_is_a_whole_step_along_the_sign_of_the_cross_entropy() -> None:
    x, labels = batch(11)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = loss(x, labels)
    wanted = tf.clip_by_value(x + 0.05 * tf.sign(tape.gradient(total, x)), 0, 1)
    found = fgsm(linear, x, labels, ball=Ball("linf", 0.05))
    np.testing.assert_allclose(found, wanted, atol=1e-7)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_net_that_is_sure_is_attacked_as_one_that_is_not(norm: str) -> None:
    """Logits times ten thousand saturate the softmax; the direction is the same."""
    x, labels = batch(13)
    labels = tf.argmax(linear(x, False), axis=1)
    ball = Ball("linf" if norm == "linf" else "l2", 0.1)

    def sure(z: Any, training: bool) -> Any:
        return 1e4 * linear(z, training)

    found = fgsm(sure, x, labels, ball=ball, loss=margin)
    np.testing.assert_allclose(found, fgsm(linear, x, labels, ball=ball, loss=margin), atol=1e-6)
    moved = fgsm(sure, x, labels, ball=ball)
    assert (margin(labels, linear(moved, False)) > margin(labels, linear(x, False))).numpy().all()


@pytest.mark.parametrize("name", ["margin", "logits_ratio"])
def test_margins_are_above_zero_where_the_decision_is_wrong(name: str) -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(200, 4)).astype(np.float32), rng.integers(0, 4, 200)
    found = OBJECTIVES[name](tf.constant(labels), tf.constant(logits)).numpy()
    np.testing.assert_array_equal(found > 0, logits.argmax(1) != labels)


def test_the_logits_ratio_knows_no_scale_and_needs_three_classes() -> None:
    logits, labels = tf.constant([[1.0, 2.0, 4.0], [0.0, 3.0, 1.0]]), tf.constant([2, 0])
    np.testing.assert_allclose(logits_ratio(labels, logits), [-2 / 3, 1.0])
    np.testing.assert_allclose(logits_ratio(labels, 50 * logits), [-2 / 3, 1.0], rtol=1e-5)
    with pytest.raises(ValueError, match="3 classes or more; came 2"):
        logits_ratio(labels[:1] * 0, logits[:1, :2])


def test_a_targeted_attack_goes_to_the_class_that_is_wanted() -> None:
    x, _ = batch(17, 64)
    wanted = tf.fill((64,), 1)
    found = pgd(
        linear, x, wanted, ball=Ball("linf", 1.0), steps=20, seed=SEED, loss=target_closeness
    )
    assert (tf.argmax(linear(found, False), axis=1).numpy() == 1).mean() > 0.95


def bent(x: Any, training: bool) -> Any:
    """A net whose loss has several hills in the ball."""
    return tf.sin(6 * (tf.reshape(x, (-1, 12)) @ WEIGHTS))


def test_apgd_is_at_least_as_strong_as_pgd_and_keeps_its_best() -> None:
    x, labels = batch(19, 256)
    asked = {"ball": Ball("linf", 0.1), "steps": 20, "seed": SEED}

    def mean_loss(found: Any) -> float:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, bent(found, False))
        return float(tf.reduce_mean(losses))

    best, last = (mean_loss(ATTACKS[kind](bent, x, labels, **asked)) for kind in ("apgd_ce", "pgd"))
    assert best >= last
    longer = mean_loss(ATTACKS["apgd_ce"](bent, x, labels, **asked | {"steps": 40}))
    assert longer >= best - 1e-3


def test_checkpoints_come_closer_and_closer() -> None:
    """The periods of section 3.1: 22 steps, then 3 less each time, at least 6."""
    assert review_numbers(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert review_numbers(1) == [1]
