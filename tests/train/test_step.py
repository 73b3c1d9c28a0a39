"""Losses against their closed formulas in float64, schedules against theirs, weights of classes."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import AdamW
from pipeline.train import schedule, step

seeds = st.integers(0, 10_000)


@given(seed=seeds, n=st.integers(1, 8), k=st.integers(2, 6))
def test_cross_entropy_equals_its_formula(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (n, k)), rng.integers(0, k, n)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = -np.log(shares[np.arange(n), labels])
    found = step.categorical_crossentropy(tf.constant(labels), tf.constant(logits))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@given(seed=seeds, n=st.integers(1, 8))
def test_squared_and_absolute_error_equal_their_formulas(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(size=(n, 1)), rng.normal(size=n)
    found = step.squared_error(tf.constant(labels), tf.constant(values))
    np.testing.assert_allclose(found, (values[:, 0] - labels) ** 2)
    found = step.absolute_error(tf.constant(labels), tf.constant(values))
    np.testing.assert_allclose(found, np.abs(values[:, 0] - labels))


def test_cross_entropy_gradient_is_softmax_minus_one_hot() -> None:
    logits = tf.Variable([[1.0, -2.0, 0.5]], dtype=tf.float64)
    with tf.GradientTape() as tape:
        loss = step.categorical_crossentropy(tf.constant([2]), logits)
    wanted = tf.nn.softmax(logits) - tf.one_hot([2], 3, dtype=tf.float64)
    np.testing.assert_allclose(tape.gradient(loss, logits), wanted, rtol=1e-12)


def test_balanced_weights_make_every_class_count_the_same() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    weights = step.class_weights("balanced", labels, ("a", "b"))
    assert weights is not None
    assert weights[0] * 8 == pytest.approx(weights[1] * 2)
    assert weights[labels].mean() == pytest.approx(1)


def test_named_weights_are_those_given_and_unknown_names_are_refused() -> None:
    from pipeline.errors import ConfigError

    labels = np.array([0, 1])
    assert step.class_weights({"b": 3.0}, labels, ("a", "b")).tolist() == [1, 3]  # type: ignore[union-attr]
    assert step.class_weights(None, labels, ("a", "b")) is None
    with pytest.raises(ConfigError, match=r"train\.class_weights\.c.*a, b"):
        step.class_weights({"c": 3.0}, labels, ("a", "b"))


@pytest.mark.parametrize(("warmup", "total"), [(0, 10), (4, 20)])
def test_cosine_equals_its_formula(warmup: int, total: int) -> None:
    rate = schedule.cosine(keras, peak=0.5, warmup_steps=warmup, total_steps=total)
    for at in range(total + 1):
        done = (at - warmup) / (total - warmup)
        wanted = 0.5 * at / warmup if at < warmup else 0.25 * (1 + math.cos(math.pi * done))
        assert float(rate(at)) == pytest.approx(wanted, abs=1e-6)


def test_weight_decay_leaves_biases_and_scales_alone() -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    for weight in model.trainable_weights:
        weight.assign(tf.ones_like(weight))
    optimizer = schedule.optimizer(keras, AdamW(weight_decay=0.5), 0.1)
    optimizer.build(model.trainable_variables)
    zeros = [tf.zeros_like(v) for v in model.trainable_variables]
    optimizer.apply_gradients(zip(zeros, model.trainable_variables, strict=True))
    changed = {v.path.split("/")[-1]: float(np.asarray(v).max()) for v in model.trainable_variables}
    assert changed.pop("kernel") == pytest.approx(1 - 0.1 * 0.5)
    assert set(changed.values()) == {1.0}
