"""Steps: weights of classes, mixtures of samples, a student and its teacher."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.task import of_one
from pipeline.train import step
from tests.conftest import loss_of_name


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


def net(seed: int, units: int = 3) -> Any:
    keras.utils.set_random_seed(seed)
    x = keras.Input((4,), name="x")
    logits = keras.layers.Dense(units, name="logits")(x)
    return keras.Model({"x": x}, keras.layers.Activation("softmax")(logits))


def softmax(z: Any) -> Any:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def batch(rng: np.random.Generator, count: int = 6) -> tuple[Any, Any]:
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return {"x": tf.constant(x)}, tf.constant(rng.integers(0, 3, count), tf.int32)


@pytest.mark.parametrize(("temperature", "weight"), [(1.0, 0.5), (4.0, 0.7), (4.0, 1.0)])
def test_a_student_minimises_hintons_formula(
    temperature: float, weight: float, rng: np.random.Generator
) -> None:
    student, teacher = net(1), net(2)
    loss = of_one(loss_of_name("categorical_crossentropy"))
    inputs, labels = batch(rng)
    taught = step.distilling_step(student, loss, teacher, temperature, weight)
    found, _ = taught(inputs, {"class": labels}, tf.constant([0, 0]))
    z, told = (np.log(np.asarray(m(inputs), np.float64)) for m in (student, teacher))
    p, q = softmax(z / temperature), softmax(told / temperature)
    apart = (q * np.log(q / p)).sum(axis=1)
    plain = -z[np.arange(len(z)), np.asarray(labels)]
    wanted = (1 - weight) * plain + weight * temperature**2 * apart
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_sample_without_a_label_is_learned_from_the_teacher_alone(
    rng: np.random.Generator,
) -> None:
    student, teacher = net(1), net(2)
    taught = step.distilling_step(
        student, of_one(loss_of_name("categorical_crossentropy")), teacher, 2.0, 0.3
    )
    inputs, labels = batch(rng)
    hidden = tf.where(tf.range(len(labels)) < 3, -1, labels)
    found, told = taught(inputs, {"class": hidden}, tf.constant([0, 0]))
    whole, _ = taught(inputs, {"class": labels}, tf.constant([0, 0]))
    z, other = (np.log(np.asarray(m(inputs), np.float64)) for m in (student, teacher))
    p, q = softmax(z / 2), softmax(other / 2)
    np.testing.assert_allclose(found[:3], 4 * (q * np.log(q / p)).sum(1)[:3], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[3:], whole[3:])
    agrees = z.argmax(1) == np.where(np.arange(len(z)) < 3, other.argmax(1), labels)
    np.testing.assert_array_equal(told["accuracy"], agrees)


def test_a_teacher_is_not_changed(rng: np.random.Generator) -> None:
    student, teacher = net(1), net(2)
    taught = step.distilling_step(
        student, of_one(loss_of_name("categorical_crossentropy")), teacher, 4.0, 0.7
    )
    inputs, labels = batch(rng)
    with tf.GradientTape() as tape:
        losses, _ = taught(inputs, {"class": labels}, tf.constant([0, 0]))
    gradients = tape.gradient(losses, [w.value for w in teacher.trainable_variables])
    assert gradients == [None, None]


def test_mixup_is_the_loss_of_both_on_the_mixture(rng: np.random.Generator) -> None:
    model, loss = net(1), of_one(loss_of_name("categorical_crossentropy"))
    inputs, labels = batch(rng, 40)
    seed = tf.constant([3, 4])
    found, _ = step.mixed_up(step.plain_step(model, loss), loss, 0.4)(
        inputs, {"class": labels}, seed
    )
    share, order = (np.asarray(x) for x in step._mixture(40, 0.4, seed))
    x, y = np.asarray(inputs["x"]), np.asarray(labels)
    mixed = share[:, None] * x + (1 - share[:, None]) * x[order]
    logs = np.log(np.asarray(model({"x": mixed})))
    rows = np.arange(40)
    wanted = -share * logs[rows, y] - (1 - share) * logs[rows, y[order]]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_shares_of_mixup_are_drawn_from_beta() -> None:
    share, order = step._mixture(20_000, 0.4, tf.constant([1, 2]))
    assert float(tf.reduce_mean(share)) == pytest.approx(0.5, abs=0.01)
    assert float(tf.math.reduce_variance(share)) == pytest.approx(0.25 / 1.8, abs=0.005)
    assert sorted(np.asarray(order)) == list(range(20_000))
