"""Losses against their closed formulas in float64."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from tests.conftest import loss_of_name

seeds = st.integers(0, 10_000)


@given(seed=seeds, n=st.integers(1, 8), k=st.integers(2, 6))
def test_cross_entropy_equals_its_formula(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (n, k)), rng.integers(0, k, n)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = -np.log(shares[np.arange(n), labels])
    found = loss_of_name("categorical_crossentropy")(tf.constant(labels), tf.constant(logits))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@given(seed=seeds, n=st.integers(1, 8))
def test_squared_and_absolute_error_equal_their_formulas(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(size=(n, 1)), rng.normal(size=n)
    found = loss_of_name("mse")(tf.constant(labels), tf.constant(values))
    np.testing.assert_allclose(found, (values[:, 0] - labels) ** 2)
    found = loss_of_name("mae")(tf.constant(labels), tf.constant(values))
    np.testing.assert_allclose(found, np.abs(values[:, 0] - labels))


def test_cross_entropy_gradient_is_softmax_minus_one_hot() -> None:
    logits = tf.Variable([[1.0, -2.0, 0.5]], dtype=tf.float64)
    with tf.GradientTape() as tape:
        loss = loss_of_name("categorical_crossentropy")(tf.constant([2]), logits)
    wanted = tf.nn.softmax(logits) - tf.one_hot([2], 3, dtype=tf.float64)
    np.testing.assert_allclose(tape.gradient(loss, logits), wanted, rtol=1e-12)


def draw(seed: int, n: int, k: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (n, k)), rng.integers(0, k, n)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return tf.constant(labels), tf.constant(logits), labels, shares


@given(seed=seeds, n=st.integers(1, 8), k=st.integers(2, 6), smoothing=st.floats(0, 0.9))
def test_label_smoothing_spreads_the_label_evenly(
    seed: int, n: int, k: int, smoothing: float
) -> None:
    labels, logits, ids, shares = draw(seed, n, k)
    told = (1 - smoothing) * np.eye(k)[ids] + smoothing / k
    found = loss_of_name("categorical_crossentropy", label_smoothing=smoothing)(labels, logits)
    np.testing.assert_allclose(found, -(told * np.log(shares)).sum(axis=1), rtol=1e-7)


@given(seed=seeds, n=st.integers(1, 8), smoothing=st.floats(0, 0.9))
def test_binary_cross_entropy_equals_its_formula(seed: int, n: int, smoothing: float) -> None:
    labels, logits, ids, shares = draw(seed, n, 2)
    q, p = (1 - smoothing) * ids + smoothing / 2, shares[:, 1]
    found = loss_of_name("binary_crossentropy", label_smoothing=smoothing)(labels, logits)
    np.testing.assert_allclose(found, -q * np.log(p) - (1 - q) * np.log(1 - p), rtol=1e-7)


def test_binary_cross_entropy_of_three_classes_says_what_is_wanted() -> None:
    labels, logits, _, _ = draw(0, 4, 3)
    with pytest.raises(ConfigError, match="is for two classes and there are 3; wanted categorical"):
        loss_of_name("binary_crossentropy")(labels, logits)


@given(seed=seeds, n=st.integers(1, 8), k=st.integers(2, 6), gamma=st.floats(0, 5))
def test_focal_equals_its_formula(seed: int, n: int, k: int, gamma: float) -> None:
    labels, logits, ids, shares = draw(seed, n, k)
    p = shares[np.arange(n), ids]
    found = loss_of_name("focal", focal_gamma=gamma)(labels, logits)
    np.testing.assert_allclose(found, -((1 - p) ** gamma) * np.log(p), rtol=1e-6, atol=1e-12)


def test_focal_with_gamma_zero_is_cross_entropy() -> None:
    labels, logits, _, _ = draw(1, 8, 4)
    one = loss_of_name("focal", focal_gamma=0.0)(labels, logits)
    np.testing.assert_allclose(one, loss_of_name("categorical_crossentropy")(labels, logits))


@given(seed=seeds, n=st.integers(1, 8), k=st.integers(2, 6), q=st.floats(0.01, 1))
def test_generalized_cross_entropy_equals_its_formula(seed: int, n: int, k: int, q: float) -> None:
    labels, logits, ids, shares = draw(seed, n, k)
    found = loss_of_name("generalized_crossentropy", generalized_q=q)(labels, logits)
    wanted = (1 - shares[np.arange(n), ids] ** q) / q
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


def test_generalized_cross_entropy_lies_between_cross_entropy_and_absolute_error() -> None:
    labels, logits, ids, shares = draw(1, 8, 4)
    near = loss_of_name("generalized_crossentropy", generalized_q=1e-9)(labels, logits)
    np.testing.assert_allclose(near, loss_of_name("categorical_crossentropy")(labels, logits), 1e-6)
    far = loss_of_name("generalized_crossentropy", generalized_q=1.0)(labels, logits)
    np.testing.assert_allclose(far, 1 - shares[np.arange(8), ids])


@given(seed=seeds, n=st.integers(1, 8), delta=st.floats(0.1, 3))
def test_huber_equals_its_formula(seed: int, n: int, delta: float) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(0, 2, (n, 1)), rng.normal(size=n)
    error = np.abs(values[:, 0] - labels)
    wanted = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))
    found = loss_of_name("huber", huber_delta=delta)(tf.constant(labels), tf.constant(values))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
