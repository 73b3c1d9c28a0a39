"""Correction: a net whose channels differ a millionfold keeps its answers, and survives int8."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.export.equalize import Graph, equalized_file
from pipeline.models.save import load_keras, save_keras
from pipeline.ondevice.quantize import dequantize, quantize
from pipeline.tasks.metrics import sqnr_db
from pipeline.verify.layers import layer_errors
from pipeline.worker import client
from tests.conftest import model_settings
from tests.export.conftest import Made, make

NEAR = 1e-5  # scales are powers of two: what is left is the order of additions
APART = 5.0  # channels are scaled by exp of up to this, up and down
CHAIN = (
    ("conv_norm", "depthwise_1", 2),
    ("depthwise_1_norm", "pointwise_1", 2),
    ("pointwise_1_norm", "depthwise_2", 2),
    ("depthwise_2_norm", "pointwise_2", 2),
)
SPEC = {
    "model": model_settings(kind="ds_cnn", filters=16, blocks=2),
    "inputs": [{"name": "image", "shape": [16, 16, 1], "dtype": "float32"}],
    "output": {"task": "classification", "units": 5},
}


def torn_apart(model: Any) -> None:
    """Scale channels up and down in one layer, and back in the next: the net answers as before."""
    rng = np.random.default_rng(0)
    for norm, following, axis in CHAIN:
        layer = model.get_layer(norm)
        gamma, beta, *others = layer.get_weights()
        scale = np.exp(rng.uniform(-APART, APART, len(gamma))).astype(np.float32)
        layer.set_weights([gamma * scale, beta * scale, *others])
        following = model.get_layer(following)
        kernel, *rest = following.get_weights()
        shape = [1] * kernel.ndim
        shape[axis] = -1
        following.set_weights([kernel / scale.reshape(shape), *rest])


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = make(SPEC, tmp_path_factory.mktemp("torn") / "model", uneven=0.05)
    model = load_keras(made.folder / "model.keras")
    torn_apart(model)
    save_keras(model, made.folder / "model.keras")
    answers = np.asarray(model({"image": made.inputs["image"]}, training=False))
    np.testing.assert_allclose(answers, made.reference, atol=NEAR)
    yield made  # type: ignore[misc]
    client.stop()


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (read,), (written,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in x:
        interpreter.set_tensor(read["index"], quantize(sample[None], read))
        interpreter.invoke()
        found.append(dequantize(interpreter.get_tensor(written["index"]), written))
    return np.concatenate(found)


def same(made: Made, found: np.ndarray) -> float:
    return float((found.argmax(axis=1) == made.reference.argmax(axis=1)).mean())


def test_plain_integers_break_and_correction_repairs(torn: Made) -> None:
    x = torn.inputs["image"]
    plain = answers(torn.file("int8", name="plain.tflite"), x)
    repaired = answers(torn.file("int8", name="corrected.tflite", correct=True), x)
    assert same(torn, plain) < 0.5
    assert same(torn, repaired) > 0.98
    assert sqnr_db(torn.reference, repaired) > 20 + sqnr_db(torn.reference, plain)


def test_the_equalised_float_file_answers_as_before(torn: Made) -> None:
    float32 = torn.file("float32")
    equal = Path(equalized_file(str(float32), str(torn.folder / "calibration.npz")))
    x = torn.inputs["image"]
    np.testing.assert_allclose(answers(equal, x), answers(float32, x), atol=NEAR)


def test_layers_are_compared_whatever_their_scale(torn: Made) -> None:
    samples = str(torn.folder / "calibration.npz")
    files = str(torn.file("float32")), str(torn.file("int8", name="corrected.tflite", correct=True))
    rows = layer_errors(*files, samples, is_equalized=True)
    assert min(row["sqnr_db"] for row in rows) > 20
    assert min(row["sqnr_db"] for row in layer_errors(*files, samples)) < 5


def test_the_same_file_twice(torn: Made) -> None:
    one, two = (torn.file("int8", name=f"{n}.tflite", correct=True) for n in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["cnn", "strided", "table", "value", "two", "words"])
@pytest.mark.parametrize("form", ["int8", "int16x8"])
def test_other_nets_lose_nothing_by_correction(
    models: dict[str, Made], name: str, form: str
) -> None:
    made = models[name]
    if len(made.inputs) > 1:
        made.file(form, name=f"{form}_corrected.tflite", correct=True)
        return
    (x,) = made.inputs.values()
    plain = sqnr_db(made.reference, answers(made.file(form), x))
    corrected = made.file(form, name=f"{form}_corrected.tflite", correct=True)
    assert sqnr_db(made.reference, answers(corrected, x)) > min(plain - 1.5, 45.0)


def test_biases_take_back_what_rounding_adds(tmp_path: Path) -> None:
    """Weights of one sign just below a half step are all rounded down: the mean moves."""
    from ai_edge_quantizer import qtyping, quantizer

    from pipeline.export.bias_correction import correct_biases

    spec = {
        "model": model_settings(kind="mlp", units=[4]),
        "inputs": [{"name": "features", "shape": [40], "dtype": "float32"}],
        "output": {"task": "regression", "units": 1},
    }
    made = make(spec, tmp_path / "model", uneven=0.0)
    model = load_keras(made.folder / "model.keras")
    layer = model.get_layer("dense_1")
    kernel, bias = layer.get_weights()
    kernel[:] = 0.49 / 127
    kernel[0] = 1.0
    layer.set_weights([kernel, bias + 0.1])  # a bias of zeros is not in the file
    save_keras(model, made.folder / "model.keras")
    keras.utils.clear_session()
    x = np.random.default_rng(1).uniform(0.5, 1, (64, 40)).astype(np.float32)
    np.savez(made.folder / "calibration.npz", features=x)
    float32 = made.file("float32")
    from pipeline.export.ranges import ranges_of

    calibration = str(made.folder / "calibration.npz")
    maker = quantizer.Quantizer(str(float32))
    maker.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, 8)
    ranges = ranges_of(str(float32), calibration, clipping="min_max", bits=8, known={})
    plain = bytes(maker.quantize(ranges, enable_progress_report=False).quantized_model)
    errors = []
    for name, content in (("p", plain), ("c", correct_biases(plain, str(float32), calibration))):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        errors.append(abs(float((answers(path, x) - answers(float32, x)).mean())))
    assert errors[1] < errors[0] / 3


def test_a_mean_over_channels_is_no_way_through(tmp_path: Path) -> None:
    """Its answer has no channels: scaling what comes after it would change the network."""
    layers = keras.layers
    x = keras.Input((4, 4, 1), batch_size=1, name="image")
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    y = layers.Lambda(lambda t: keras.ops.mean(t, axis=-1), name="mean")(y)
    model = keras.Model(x, layers.Dense(3, name="dense")(layers.Flatten()(y)))
    archive = keras.export.ExportArchive()
    archive.track(model)
    import tensorflow as tf

    signature = [tf.TensorSpec((1, 4, 4, 1), tf.float32, name="image")]
    archive.add_endpoint("serve", lambda image: model(image, training=False), signature)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    graph = Graph(bytes(converter.convert()))
    found = {layer.place: layer for layer in graph.layers()}
    assert len(found) == 2
    assert graph.next_layer(found[min(found)], found) is None


def test_what_is_read_twice_or_answered_is_left_alone(models: dict[str, Made]) -> None:
    graph = Graph(models["cnn"].file("float32").read_bytes())
    layers = {layer.place: layer for layer in graph.layers()}
    last = max(layers)
    assert graph.next_layer(layers[last], layers) is None
    first = layers[min(layers)]
    assert graph.next_layer(first, layers) is not None
    graph.readers[first.written].append(99)  # as a shortcut would
    assert graph.next_layer(first, layers) is None
