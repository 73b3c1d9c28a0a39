"""Rounding in the forward pass is that of the int8 file, and leaves the model as it was."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.arrays import only
from pipeline.compress.fake_quant import (
    STEPS,
    rounded_value,
    rounded_weight,
    rounding_scope,
    spans_of_layers,
)
from pipeline.device.measure import run_file
from pipeline.export.make import float32_file
from pipeline.models.save import load_keras
from pipeline.tasks.metrics import sqnr_db
from pipeline.worker import client
from pipeline.worker.client import request
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import Made, make
from tests.export.test_families import FAMILIES

PLAIN = ((-1, 3), (0,))


def test_each_channel_of_a_weight_has_its_own_grid(rng: np.random.Generator) -> None:
    values = rng.normal(size=(5, 4, 3)).astype(np.float32) * [1, 10, 100]
    found = rounded_weight(tf.constant(values, tf.float32), PLAIN).numpy()
    step = np.abs(values).max(axis=(0, 1)) / STEPS
    np.testing.assert_allclose(found / step, np.round(found / step), atol=1e-3)
    assert (np.abs(found - values) <= step * 0.501).all()
    again = rounded_weight(tf.constant(found), PLAIN).numpy()
    np.testing.assert_allclose(again, found, rtol=1e-6)


def test_gates_of_a_cell_have_a_scale_each(rng: np.random.Generator) -> None:
    values = rng.normal(size=(5, 8)).astype(np.float32) * np.repeat([1, 100], 4)
    found = rounded_weight(tf.constant(values, tf.float32), ((-1, 2, 4), (0, 2))).numpy()
    for gate in (slice(0, 4), slice(4, 8)):
        step = np.abs(values[:, gate]).max() / STEPS
        np.testing.assert_allclose(
            found[:, gate] / step, np.round(found[:, gate] / step), atol=1e-3
        )


def test_the_gradient_passes_straight_through_and_stops_beyond_the_range() -> None:
    values = tf.Variable([-9.0, -0.3, 0.0, 0.7, 9.0])
    with tf.GradientTape(persistent=True) as tape:
        weight = tf.reduce_sum(rounded_weight(values[:, None], ((-1, 1), (0,))))
        value = tf.reduce_sum(rounded_value(values, (-1.0, 1.0)))
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(weight, values)), np.ones(5))
    np.testing.assert_array_equal(tape.gradient(value, values), [0, 1, 1, 1, 0])


def test_a_layer_is_rounded_where_the_file_keeps_its_answer() -> None:
    net = [keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.ReLU(name="r")]
    model = keras.Sequential([*net, keras.layers.Dense(2, name="b")])
    tensors = [
        ("m/a/ExpandDims", (-9.0, 9.0)),
        ("m/a/MatMul;m/r/Relu;m/a/BiasAdd", (0.0, 4.0)),
        ("m/b/MatMul", (-2.0, 2.0)),
        ("StatefulPartitionedCall:0", (0.0, 1.0)),
    ]
    assert spans_of_layers(model, tensors) == {"r": (0.0, 4.0), "b": (-2.0, 2.0)}


def test_the_model_is_as_it_was_after_an_error_too(rng: np.random.Generator) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a")])
    x = rng.normal(size=(8, 4)).astype(np.float32)
    before = model(x).numpy()

    def fail() -> None:
        with rounding_scope(model, {"a": (-0.1, 0.1)}):
            assert np.abs(model(x).numpy()).max() <= 0.101  # zero is on the grid: an end moves
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    np.testing.assert_array_equal(model(x), before)


# Softmax and layer normalization are several operations in the file and one layer in the model:
# their inner roundings are not imitated, and rounding a recurrent state is what is left of a cell.
IMITATED = {
    name: spec
    for name, spec in FAMILIES.items()
    if name.split()[0] in ("perceptron", "mlp", "cnn1d", "autoencoder", "ds_cnn", "resnet8")
    and "hard_swish" not in name
    and "recurrent" not in name
}


QUICK = [name for name in IMITATED if name.split()[0] in ("perceptron", "cnn1d")]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in IMITATED]
)
def test_the_rounded_model_answers_as_the_int8_file(name: str, tmp_path: Path) -> None:
    spec = IMITATED[name]
    made = make(spec, tmp_path / "m")
    file = made.file("int8", clipping="mse", io="float32")
    answered = only(run_file(file, preprocess_of([]), made.inputs, prepared=True).outputs)
    found = imitated(made)
    ratio = sqnr_db(made.reference, answered)
    assert sqnr_db(found, answered) > min(ratio + 2.5, 45.0)


def imitated(made: Made) -> Any:
    """Return what the rounded model answers."""
    files = made.folder / "model.keras", made.folder / "spec.json"
    ranges = request(
        "tensor_ranges",
        float32=str(float32_file(*files, made.folder / "work")),
        calibration=str(made.folder / "calibration.npz"),
    )
    model = load_keras(files[0])
    spans = spans_of_layers(model, [(name, tuple(span)) for name, span in ranges["tensors"]])
    near = {
        name: rounded_value(tf.constant(x), ranges["inputs"][name])
        if name in ranges["inputs"]
        else x
        for name, x in made.inputs.items()
    }
    with rounding_scope(model, spans):
        return np.asarray(model(near, training=False))


def teardown_module() -> None:
    client.stop()
