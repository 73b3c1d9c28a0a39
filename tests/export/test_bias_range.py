"""Dead and nearly dead channels: their biases fit the file's integers, and nothing else changes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.export.bias_range import LARGEST, fit_biases
from pipeline.export.equalize import Graph
from tests.export.conftest import Made, make_given
from tests.export.test_convert import run

LAYERS: dict[str, Any] = {
    "conv": lambda: keras.layers.Conv2D(8, 3, activation="relu", name="tested"),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(
        3, depth_multiplier=2, activation="relu", name="tested"
    ),
    "transposed": lambda: keras.layers.Conv2DTranspose(8, 3, activation="relu", name="tested"),
    "dense": lambda: keras.layers.Dense(8, activation="relu", name="tested"),
}
TINY = (0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3)  # what a channel's weights are multiplied by
SAMPLES = 64
CLEAR = 0.15  # probability between the two first classes: plain TFLite keeps these decisions


def with_tiny_channels(kind: str, seed: int) -> keras.Model:
    """Return a classifier some channels of which have weights near zero, and biases that count."""
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    given = keras.Input((12,) if kind == "dense" else (6, 6, 3), name="x")
    x = LAYERS[kind]()(given)
    x = x if kind == "dense" else keras.layers.Flatten()(x)
    model = keras.Model(given, keras.layers.Dense(4, activation="softmax", name="last")(x))
    tested, last = model.get_layer("tested"), model.get_layer("last")
    weights, bias = tested.get_weights()
    bias = generator.normal(size=bias.shape).astype(np.float32)
    scale = np.where(generator.random(bias.shape) < 0.5, generator.choice(TINY, bias.shape), 1.0)
    if kind == "depthwise":
        weights = weights * scale.reshape(1, 1, 3, 2)
    else:
        weights = weights * (scale[:, None] if kind == "transposed" else scale)
    tested.set_weights([weights, bias])
    last.set_weights([20 * values for values in last.get_weights()])
    return model


def made_of(model: keras.Model, folder: Path) -> Made:
    samples = np.random.default_rng(5).random((SAMPLES, *model.input_shape[1:]), np.float32)
    return make_given(model, folder, {"x": samples})


def agreement(made: Made, form: str, **recipe: Any) -> float:
    """Return the fraction of clear decisions that a file keeps."""
    name = f"{form}_{'_'.join(map(str, recipe.values()))}.tflite"
    outputs = run(made.file(form, name=name, **recipe), made.inputs)[1]
    first, second = np.sort(made.reference)[:, [-1, -2]].T
    is_clear = first - second > CLEAR
    kept = (outputs.argmax(1) == made.reference.argmax(1))[is_clear]
    return float(kept.mean()) if kept.size else 1.0  # all may be dead: then nothing is decided


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", LAYERS)
def test_tiny_channels_change_no_decision(kind: str, seed: int, tmp_path: Path) -> None:
    made = made_of(with_tiny_channels(kind, seed), tmp_path / "net")
    assert agreement(made, "int8") == 1.0
    assert agreement(made, "int8", correct=True) == 1.0
    assert agreement(made, "int16x8") == 1.0


@pytest.mark.parametrize("scale", TINY)
def test_a_layer_of_tiny_weights_alone_keeps_its_biases(scale: float, tmp_path: Path) -> None:
    model = with_tiny_channels("conv", 1)
    tested = model.get_layer("tested")
    weights, bias = tested.get_weights()
    tested.set_weights([weights * scale, bias])
    made = made_of(model, tmp_path / "net")
    for granularity in ("channel", "tensor"):
        outputs = run(made.file("int8", name=granularity, granularity=granularity), made.inputs)[1]
        assert np.abs(outputs - made.reference).max() < CLEAR


def test_a_layer_that_is_always_zero_is_zero_in_the_file(tmp_path: Path) -> None:
    model = with_tiny_channels("conv", 2)
    tested = model.get_layer("tested")
    weights, bias = tested.get_weights()
    tested.set_weights([weights, np.full_like(bias, -100)])
    made = made_of(model, tmp_path / "net")
    for form in ("int8", "int16x8"):
        outputs = run(made.file(form), made.inputs)[1]
        assert np.abs(outputs - made.reference).max() < CLEAR


def test_every_bias_fits_and_dead_weights_are_zero(tmp_path: Path) -> None:
    model = with_tiny_channels("conv", 0)
    tested = model.get_layer("tested")
    weights, bias = tested.get_weights()
    weights[..., :4], bias[:4] = 0.0, 3.0
    tested.set_weights([weights, bias])
    graph = Graph(made_of(model, tmp_path / "net").file("int8").read_bytes())
    layer = next(layer for layer in graph.layers() if layer.kind == "CONV_2D")
    assert layer.bias is not None
    stored, steps = graph.values(layer.bias, np.int32), graph.scales(layer.bias)
    assert np.abs(stored.astype(np.int64)).max() <= LARGEST[np.dtype(np.int32)]
    np.testing.assert_allclose(stored * steps, bias, rtol=0.01, atol=1e-6)
    assert not graph.values(layer.weights, np.int8)[:4].any()


def test_a_file_whose_biases_fit_keeps_its_bytes(models: dict[str, Made]) -> None:
    made = models["cnn"]
    content, float32 = made.file("int8").read_bytes(), made.file("float32")
    assert fit_biases(content, str(float32)) == content
