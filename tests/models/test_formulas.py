"""Networks against their closed formulas, in float64 NumPy: answers, losses and gradients.

Legend: x input, z what a unit gives, h hidden values, p probabilities; rows are samples.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models import MODELS
from pipeline.models.blocks import logits_model
from tests.conftest import loss_of_name, make_spec

EXACT = 1e-10
N, C = 5, 3


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def made(rng: np.random.Generator, shape: list[int], outputs: int, task: str, **model: Any) -> Any:
    """Return a network with random weights everywhere that training changes."""
    x = {"name": "x", "shape": shape, "dtype": "float32"}
    spec = make_spec(model, [x], {"task": task, "units": outputs})
    exact = tuple(entry.model_copy(update={"dtype": "float64"}) for entry in spec.inputs)
    network = MODELS[spec.model.kind](keras, spec.model_copy(update={"inputs": exact}))
    for weight in network.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return network


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    raised = np.exp(z - z.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def gradients(network: Any, x: np.ndarray, labels: np.ndarray, loss: Any) -> list[np.ndarray]:
    """Return the gradients of the summed loss, as the training step takes them."""
    head = logits_model(keras, network)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(tf.constant(labels), head(x, training=True)))
    return [np.asarray(g) for g in tape.gradient(total, network.trainable_weights)]


def test_one_neuron_of_two_classes(rng: np.random.Generator) -> None:
    """s = 1 / (1 + exp(-z)); binary cross-entropy; its gradient is (s - y) x."""
    unit = made(rng, [C], 2, "classification", kind="perceptron")
    x, y = rng.normal(size=(N, C)), rng.integers(0, 2, N)
    w, b = (weight.numpy() for weight in unit.trainable_weights)
    s = sigmoid(x @ w + b)[:, 0]
    np.testing.assert_allclose(unit(x), np.stack([1 - s, s], axis=1), rtol=EXACT)
    loss = loss_of_name("categorical_crossentropy")(tf.constant(y), logits_model(keras, unit)(x))
    wanted = -(y * np.log(s) + (1 - y) * np.log(1 - s))
    np.testing.assert_allclose(loss, wanted, rtol=EXACT)
    by_w, by_b = gradients(unit, x, y, loss_of_name("categorical_crossentropy"))
    np.testing.assert_allclose(by_w, x.T @ (s - y)[:, None], rtol=EXACT)
    np.testing.assert_allclose(by_b, [(s - y).sum()], rtol=EXACT)


def test_one_neuron_for_a_quantity(rng: np.random.Generator) -> None:
    """Squared error (z - y)^2; its gradient is 2 (z - y) x."""
    unit = made(rng, [C], 1, "regression", kind="perceptron")
    x, y = rng.normal(size=(N, C)), rng.normal(size=N)
    w, b = (weight.numpy() for weight in unit.trainable_weights)
    z = (x @ w + b)[:, 0]
    np.testing.assert_allclose(unit(x)[:, 0], z, rtol=EXACT)
    np.testing.assert_allclose(loss_of_name("mse")(tf.constant(y), unit(x)), (z - y) ** 2)
    by_w, by_b = gradients(unit, x, y, loss_of_name("mse"))
    np.testing.assert_allclose(by_w, 2 * x.T @ (z - y)[:, None], rtol=EXACT)
    np.testing.assert_allclose(by_b, [2 * (z - y).sum()], rtol=EXACT)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "leaky_relu"])
def test_two_layers_by_the_delta_rule(rng: np.random.Generator, activation: str) -> None:
    """delta_2 = p - y; delta_1 = (delta_2 W_2^T) f'(z_1); dW = x^T delta (Rumelhart 1986)."""
    forms: dict[str, Any] = {
        "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
        "leaky_relu": (lambda z: np.where(z > 0, z, z / 8), lambda z: np.where(z > 0, 1, 1 / 8)),
    }
    f, slope = forms[activation]
    form = {"units": [6], "activation": activation, "negative_slope": 1 / 8}
    net = made(rng, [C], 4, "classification", kind="mlp", **form)
    x, labels = rng.normal(size=(N, C)), rng.integers(0, 4, N)
    w1, b1, w2, b2 = (weight.numpy() for weight in net.trainable_weights)
    z1 = x @ w1 + b1
    h = f(z1)
    p = softmax(h @ w2 + b2)
    np.testing.assert_allclose(net(x), p, rtol=EXACT)
    loss = loss_of_name("categorical_crossentropy")(
        tf.constant(labels), logits_model(keras, net)(x)
    )
    np.testing.assert_allclose(loss, -np.log(p[np.arange(N), labels]), rtol=EXACT)
    delta_2 = p - np.eye(4)[labels]
    delta_1 = (delta_2 @ w2.T) * slope(z1)
    wanted = [x.T @ delta_1, delta_1.sum(axis=0), h.T @ delta_2, delta_2.sum(axis=0)]
    for found, want in zip(
        gradients(net, x, labels, loss_of_name("categorical_crossentropy")), wanted, strict=True
    ):
        np.testing.assert_allclose(found, want, rtol=1e-8, atol=EXACT)


def test_hard_swish_is_its_formula(rng: np.random.Generator) -> None:
    net = made(rng, [C], 1, "regression", kind="mlp", units=[6], activation="hard_swish")
    x = 3 * rng.normal(size=(N, C))
    w1, b1, w2, b2 = (weight.numpy() for weight in net.trainable_weights)
    z = x @ w1 + b1
    wanted = (z * np.clip(z + 3, 0, 6) / 6) @ w2 + b2
    np.testing.assert_allclose(net(x), wanted, rtol=1e-6)


def test_an_lstm_is_its_formula(rng: np.random.Generator) -> None:
    """c = f c + i g, h = o tanh(c), gates in the order i, f, g, o (Gers et al. 2000)."""
    net = made(rng, [7, C], 1, "regression", kind="rnn", cell="lstm", units=[4])
    w, u, b, w2, b2 = (weight.numpy() for weight in net.trainable_weights)
    x = rng.normal(size=(N, 7, C))
    h, c = np.zeros((N, 4)), np.zeros((N, 4))
    for t in range(7):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(net(x), h @ w2 + b2, rtol=1e-8)


def test_attention_is_its_formula(rng: np.random.Generator) -> None:
    """softmax(Q K^T / sqrt(d)) V in each head (Vaswani et al. 2017, equation 1)."""
    steps, width, heads = 6, 8, 2
    settings = {"width": width, "heads": heads, "blocks": 1}
    net = made(rng, [steps, C], 1, "regression", kind="transformer", **settings)
    names = ("norm_1", "output")
    tap = keras.Model(net.inputs, [net.get_layer(f"block_1_{name}").output for name in names])
    before, found = (np.asarray(value) for value in tap(rng.normal(size=(N, steps, C))))

    def projected(role: str, of: np.ndarray) -> np.ndarray:
        kernel, bias = (w.numpy() for w in net.get_layer(f"block_1_{role}").weights)
        return np.asarray(of @ kernel + bias)

    q, k, v = (projected(role, before) for role in ("query", "key", "value"))
    joined = np.zeros((N, steps, width))
    for head in range(heads):
        part = slice(head * width // heads, (head + 1) * width // heads)
        scores = q[..., part] @ k[..., part].swapaxes(1, 2) / np.sqrt(width / heads)
        joined[..., part] = softmax(scores) @ v[..., part]
    np.testing.assert_allclose(found, projected("output", joined), rtol=1e-6)
