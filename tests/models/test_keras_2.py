"""Networks of Keras 2 become networks of Keras 3 with the same outputs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.models.given import read_model_file
from pipeline.models.keras_2 import keras_3_copy, refuse_operations

tf_keras = pytest.importorskip("tf_keras")
L = tf_keras.layers
PICTURE = (12, 12, 3)
FORMS = {"m.h5": "h5", "m": "tf", "m.keras": "keras"}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def _picture(body: Callable[[Any], Any]) -> Any:
    first = tf_keras.Input(PICTURE)
    x = L.GlobalAveragePooling2D()(body(first))
    return tf_keras.Model(first, L.Dense(3, activation="softmax")(x))


def _series(body: Callable[[Any], Any]) -> Any:
    first = tf_keras.Input((10, 4))
    return tf_keras.Model(first, L.Dense(3)(L.Flatten()(body(first))))


def _teachable_machine() -> Any:
    base = _picture(lambda x: L.DepthwiseConv2D(3, activation="relu")(L.Conv2D(4, 3)(x)))
    features = tf_keras.Sequential([tf_keras.Model(base.inputs, base.layers[-2].output)])
    head = tf_keras.Sequential([L.Dense(5, activation="relu"), L.Dense(3, activation="softmax")])
    return tf_keras.Sequential([features, head])


def _normalization() -> Any:
    layer = L.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(0).normal(90, 30, (64, *PICTURE)).astype(np.float32))
    return _picture(lambda x: L.Conv2D(4, 3)(layer(x)))


def _tokens() -> Any:
    first = tf_keras.Input((9,), dtype="int32")
    x = L.Bidirectional(L.LSTM(3))(L.Embedding(20, 4, mask_zero=True)(first))
    return tf_keras.Model(first, L.Dense(2, activation="softmax")(x))


def _half() -> Any:
    policy = tf_keras.mixed_precision.Policy("mixed_float16")
    return _picture(lambda x: L.Conv2D(4, 3, dtype=policy)(x))


def _called_twice() -> Any:
    shared = L.Conv2D(3, 3, padding="same")
    return _picture(lambda x: L.Add()([shared(x), shared(shared(x))]))


def _hard_swish(x: Any) -> Any:
    y = L.Conv2D(4, 3)(x / 127.5 - 1.0)
    return y * tf_keras.activations.relu(y + 3.0) * (1 / 6.0)


NETWORKS: dict[str, Callable[[], Any]] = {
    "Teachable Machine": _teachable_machine,
    "Normalization": _normalization,
    "mask_zero and Bidirectional": _tokens,
    "mixed_float16": _half,
    "called twice": _called_twice,
    "operations": lambda: _picture(_hard_swish),
    "reversed subtraction": lambda: _picture(lambda x: 1.0 - L.Conv2D(2, 3)(x)),
    "separable and batch norm": lambda: _picture(
        lambda x: L.BatchNormalization()(L.SeparableConv2D(4, 3)(x))
    ),
    "transposed, dilated, grouped": lambda: _picture(
        lambda x: L.Conv2DTranspose(4, 3, strides=2)(
            L.Conv2D(6, 3, dilation_rate=2)(L.Conv2D(6, 3, groups=3)(x))
        )
    ),
    "PReLU and LeakyReLU": lambda: _picture(
        lambda x: L.LeakyReLU(alpha=0.2)(L.PReLU(shared_axes=[1, 2])(L.Conv2D(4, 3)(x) - 0.5))
    ),
    "hard_sigmoid": lambda: _picture(lambda x: L.Conv2D(4, 3, activation="hard_sigmoid")(x)),
    "attention": lambda: _series(
        lambda x: L.LayerNormalization()(L.MultiHeadAttention(2, 3)(x, x))
    ),
    "masked backward": lambda: _series(
        lambda x: L.GRU(3, go_backwards=True, reset_after=False)(L.Masking()(x))
    ),
    "time distributed": lambda: _series(lambda x: L.TimeDistributed(L.Dense(2))(x)),
}


def _samples(model: Any) -> Any:
    generator, first = np.random.default_rng(5), model.inputs[0]
    shape = (6, *first.shape[1:])
    if first.dtype.is_floating:
        return generator.uniform(0, 60, shape).astype(np.float32)
    return generator.integers(0, 20, shape).astype(np.int32)


def _move_weights(model: Any) -> None:
    """Give biases and the like other values than zeros."""
    generator = np.random.default_rng(3)
    for variable in model.trainable_variables:
        shift = generator.uniform(0.02, 0.2, variable.shape)
        variable.assign_add(shift.astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_stay(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    _move_weights(model)
    model.save(tmp_path / "m.h5")
    read_model_file(str(tmp_path / "m.h5"), str(tmp_path / "out.keras"))
    x = _samples(model)
    ours = np.asarray(keras.saving.load_model(tmp_path / "out.keras")(x))
    tolerance = 0.02 if name == "mixed_float16" else 1e-4
    theirs = np.asarray(model(x))
    np.testing.assert_allclose(ours, theirs, atol=tolerance * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("network", ["Normalization", "Teachable Machine", "operations"])
def test_every_form_is_read(name: str, network: str, tmp_path: Path) -> None:
    model = NETWORKS[network]()
    _move_weights(model)
    model.save(tmp_path / name, save_format=FORMS[name])
    read_model_file(str(tmp_path / name), str(tmp_path / "out.keras"))
    x = _samples(model)
    ours = np.asarray(keras.saving.load_model(tmp_path / "out.keras")(x))
    np.testing.assert_allclose(ours, np.asarray(model(x)), atol=1e-4)


def test_a_layer_that_keras_3_computes_otherwise_is_named(tmp_path: Path) -> None:
    model = _series(lambda x: L.LSTM(4, recurrent_activation="hard_sigmoid", name="old")(x))
    _move_weights(model)
    with pytest.raises(ConfigError, match=r"layer old outputs -?\d.* in Keras 2 and -?\d"):
        keras_3_copy(model, tmp_path)


def test_a_function_beside_the_list_is_refused_by_name() -> None:
    config = {"name": "w", "function": "io.write_file"}
    described = json.dumps({"config": {"layers": [{"class_name": "TFOpLambda", "config": config}]}})
    with pytest.raises(ConfigError, match=r"layer w calls TensorFlow's io\.write_file"):
        refuse_operations(described, Path("m.h5"))
