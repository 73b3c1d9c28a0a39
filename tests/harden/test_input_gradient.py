"""Quick gradients of first convolutions, against those of Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.harden.input_gradient import Quick, block_of, by_input, quick


@settings(max_examples=60)
@given(
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    stride=st.integers(1, 5),
    channels=st.integers(1, 4),
    is_same=st.booleans(),
)
def test_the_gradient_is_that_of_the_transposed_convolution(
    height: int,
    width: int,
    rows: int,
    columns: int,
    stride: int,
    channels: int,
    is_same: bool,
) -> None:
    padding = "SAME" if is_same else "VALID"
    height, width = max(height, rows), max(width, columns)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, height, width, channels)), tf.float32)
    kernel = tf.constant(rng.normal(size=(rows, columns, channels, 5)), tf.float32)
    flow = tf.constant(rng.normal(size=tf.nn.conv2d(x, kernel, stride, padding).shape), tf.float32)
    wanted = tf.nn.conv2d_transpose(flow, kernel, x.shape, stride, padding)
    found = by_input(flow, kernel, (height, width), stride=stride, padding=padding)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def net(**first: object) -> keras.Model:
    image = keras.Input((12, 10, 1), name="image")
    x = keras.layers.Rescaling(2.0, -1.0)(image)
    x = keras.layers.Conv2D(6, **({"kernel_size": 4, "strides": 2} | first))(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(keras.layers.ReLU()(x))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


@pytest.mark.parametrize(
    "first",
    [
        {"padding": "same"},
        {"use_bias": False, "activation": "relu"},
        {"kernel_size": 3, "strides": 1, "activation": "gelu"},
    ],
)
def test_answers_and_gradients_are_those_of_the_net(first: dict[str, object]) -> None:
    own = net(**first)
    other = quick(own)
    assert sum(isinstance(layer, Quick) for layer in other.layers) == 1
    x = tf.random.stateless_uniform((4, 12, 10, 1), (1, 2))

    def both(model: keras.Model) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(answers := model({"image": x}, training=False)))
        return answers, tape.gradient(loss, [x, *own.trainable_variables])

    (wanted, slopes), (found, quickly) = both(own), tf.function(both)(other)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for one, another in zip(quickly, slopes, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-3, atol=1e-4)


def test_weights_are_shared_and_the_net_is_as_it_was() -> None:
    own = net()
    told = own.to_json()
    other = quick(own)
    own.set_weights([np.zeros(w.shape) for w in own.get_weights()])
    assert not np.any(other({"image": np.ones((1, 12, 10, 1), np.float32)}))
    assert own.to_json() == told
    assert quick(own) is not own


@pytest.mark.parametrize("first", [{"dilation_rate": 2, "strides": 1}, {"strides": (2, 1)}])
def test_others_are_left_alone(first: dict[str, object]) -> None:
    own = net(**first)
    assert quick(own) is own


class Own(keras.Model):
    """A network whose layers are no graph."""

    def __init__(self) -> None:
        super().__init__()
        self.first = keras.layers.Conv2D(4, 3)

    def call(self, x: object) -> object:
        return self.first(x)


def test_what_is_no_graph_of_layers_is_left_alone() -> None:
    stack = keras.Sequential([keras.Input((12, 10, 1)), keras.layers.Conv2D(4, 3)])
    for own in (Own(), stack):
        own(np.ones((1, 12, 10, 1), np.float32))
        assert quick(own) is own
    assert quick(len) is len


def test_blocks_fill_a_vector_and_no_more() -> None:
    found = [block_of(stride, channels) for stride in (1, 2, 3) for channels in (1, 3, 4)]
    assert found == [4, 2, 2, 4, 2, 2, 3, 3, 3]
