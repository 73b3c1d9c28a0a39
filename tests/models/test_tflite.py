"""A float .tflite file becomes the network of Keras that answers the same, or is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.models.given import read_model
from pipeline.models.tflite.operations import OPERATIONS
from pipeline.models.tflite.read import read_tflite
from pipeline.worker import client
from tests.export.conftest import SPECS, Made, make
from tests.export.test_families import FAMILIES

L = keras.layers
NETS = FAMILIES | SPECS
QUICK = ("cnn", "two", "words", "value", "lstm stacked", "transformer image", "simple rnn image")


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Made]]:
    root = tmp_path_factory.mktemp("nets")
    yield lambda name: make(NETS[name], root / name.replace(" ", "_"), uneven=0.02)
    client.stop()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NETS]
)
def test_every_family_comes_back(nets: Callable[[str], Made], name: str) -> None:
    made = nets(name)
    for form in ("float32", "float16"):
        model = read_tflite(made.file(form))
        assert isinstance(model, keras.Model)
        x = [made.inputs[tensor.name] for tensor in model.inputs]
        found = np.asarray(model(x, training=False))
        near = 1e-4 if form == "float32" else 2e-2
        np.testing.assert_allclose(found.reshape(made.reference.shape), made.reference, atol=near)
        back = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
        back.set_weights(model.get_weights())
        again = np.asarray(back(x, training=False))
        np.testing.assert_array_equal(again, found)


def converted(model: Any, path: Path, *, batch: int | None = None) -> Path:
    """Write a model as anybody would."""
    import tensorflow as tf

    signature = [tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    call = tf.function(lambda *x: model(list(x), training=False), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()])
    path.write_bytes(converter.convert())
    return path


def odd(first: Any) -> Any:
    """Return what takes most of the operations that our own families do not have."""
    x = L.Conv2D(6, 3, padding="same", groups=2, name="grouped")(first)
    x = L.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform")(x)
    x = L.Conv2DTranspose(4, 3, 2, "same", name="up")(L.MaxPooling2D(2)(x))
    x = L.ELU()(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x))
    x = L.UpSampling2D(2)(L.AveragePooling2D(2, padding="same")(x))
    y = keras.ops.maximum(keras.ops.abs(x), keras.ops.square(x) - 0.5)
    y = 1.5 - y / (1 + keras.ops.exp(-x))
    y *= keras.ops.max(y, axis=-1)[:, :1, :, None]
    y = keras.ops.pad(y, [(0, 0), (1, 1), (0, 0), (0, 0)])
    y = keras.ops.concatenate([y, keras.ops.flip(y, axis=1)], axis=-1)[:, 1:, ::2]
    y = keras.ops.transpose(y, (0, 3, 1, 2))
    y = keras.ops.sqrt(keras.ops.sum(keras.ops.square(y), axis=(2, 3)) + 1e-3)
    y = L.Concatenate()([L.Activation("hard_silu")(y), L.ReLU(6)(y), keras.ops.log(y + 1)])
    return L.Softmax()(L.Dense(3)(y))


@pytest.mark.parametrize("batch", [1, None])
def test_files_of_other_makers_come_back(tmp_path: Path, batch: int | None) -> None:
    keras.utils.set_random_seed(3)
    first = keras.Input((8, 8, 4))
    x = L.Flatten()(L.ReLU()(L.Conv2D(5, 3)(first)))
    dense = keras.Model(first, L.Dense(2, activation="softmax")(x))
    samples = np.random.default_rng(0).normal(size=(5, 8, 8, 4)).astype(np.float32)
    for model in (dense, keras.Model(first, odd(first))):
        file = converted(model, tmp_path / "x.tflite", batch=batch)
        found = read_model(file, tmp_path / "work")
        np.testing.assert_allclose(
            np.asarray(found(samples)), np.asarray(model(samples)), atol=1e-4
        )


def test_integer_files_are_refused(nets: Callable[[str], Made]) -> None:
    made = nets("table")
    for form in ("int8", "dynamic", "int16x8"):
        with pytest.raises(ConfigError, match="wanted the float file"):
            read_tflite(made.file(form))


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    first = keras.Input((6,))
    model = keras.Model(first, keras.ops.cumsum(L.Dense(4)(first), axis=-1))
    file = converted(model, tmp_path / "x.tflite", batch=1)
    assert "CUMSUM" not in OPERATIONS
    with pytest.raises(ConfigError, match="CUMSUM, has no counterpart here"):
        read_tflite(file)


def test_a_network_that_answers_otherwise_is_refused(
    nets: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATIONS, "SOFTMAX", lambda node: node.tensor())
    with pytest.raises(ConfigError, match=r"differ by .*; allowed"):
        read_tflite(nets("strided").file("float32"))


def test_what_is_no_file_of_this_kind_gets_one_message(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    for content in (b"", b"PK\x03\x04" * 9, b"\0\0\0\0TFL3", b"\x18\0\0\0TFL3" + bytes(80)):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"x\.tflite") as caught:
            read_tflite(path)
        assert len(str(caught.value).splitlines()) == 1
