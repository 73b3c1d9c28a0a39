"""Networks that plain int8 breaks, each in its own way: repaired to within its gate, or no bundle.

They come trained; nothing is trained here, so that what breaks and what repairs is the files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.cli import main

pytestmark = pytest.mark.slow
L = keras.layers
SAMPLES, STEPS = 1200, 8
CONFIG = """
name: broken
task: TASK
data:
  source: {kind: npz, path: data.npz, inputs: [x], label: y}
  split: {by: random}
baseline: null
audit: null
model: {kind: file, path: net.keras, scale: SCALE, offset: OFFSET}
train: {epochs: 0}
compress: {quantize: {remedies: [REMEDIES], qat: {epochs: 4}}}
export: {formats: [float32, int8], targets: [cpu]}
gate: {GATE, worst_class_drop: null}
"""

Net = Callable[[Path, np.random.Generator], dict[str, Any]]


def fit(model: Any, x: Any, y: Any, loss: str, epochs: int = 12) -> None:
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, 64, epochs, verbose=0)


def hard_swish(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """An inverted residual net as MobileNetV3's, one channel of each block grown for nothing."""
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(1)
    digits = load_digits()
    x, y = digits.images[..., None].astype(np.float32), digits.target
    z = first = keras.Input((8, 8, 1))
    z = L.Activation("hard_silu")(L.Conv2D(12, 3, padding="same")(z))
    for block in ("one", "two"):
        wide = L.Activation("hard_silu")(L.Conv2D(24, 1)(z))
        wide = L.DepthwiseConv2D(3, padding="same", name=f"{block}_depth")(wide)
        gate = L.GlobalAveragePooling2D(keepdims=True)(wide)
        gate = L.Conv2D(6, 1, activation="relu", name=f"{block}_squeeze")(gate)
        gate = L.ReLU(6)(L.Conv2D(24, 1, bias_initializer="ones", name=f"{block}_gate")(gate))
        wide = L.Multiply()([L.Activation("hard_silu")(wide), gate])
        z = L.Add()([z, L.Conv2D(12, 1, name=f"{block}_narrow")(wide)])
    z = L.Dense(10)(L.GlobalAveragePooling2D()(z))
    model = keras.Model(first, L.Softmax()(z))
    fit(model, x / 16, y, "sparse_categorical_crossentropy", 20)
    for block in ("one", "two"):  # a channel that nobody reads any more, and that reaches far
        kernel, bias = model.get_layer(f"{block}_depth").get_weights()
        kernel[..., 0, :], bias[0] = 0, 1e3
        model.get_layer(f"{block}_depth").set_weights([kernel, bias])
        for reader in (f"{block}_squeeze", f"{block}_narrow"):
            weights, *rest = model.get_layer(reader).get_weights()
            weights[:, :, 0] = 0
            model.get_layer(reader).set_weights([weights, *rest])
    model.save(folder / "net.keras")
    np.savez(folder / "data.npz", x=x.astype(np.uint8), y=y)
    return {
        "TASK": "classification",
        "SCALE": 255 / 16,
        "OFFSET": 0.0,
        "GATE": "agreement: 0.95, float_ops: null",
    }


def long_tail(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """A regression of which one answer in thirty is a hundred times the others."""
    keras.utils.set_random_seed(1)
    x = rng.normal(size=(5 * SAMPLES, 4)).astype(np.float32)
    y = (x[:, 1] + 200 * np.clip(x[:, 0] - 1.6, 0, 0.5)).astype(np.float32)
    layers = [L.Dense(32, activation="relu"), L.Dense(32, activation="relu"), L.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    fit(model, x, y[:, None], "huber", 40)
    model.save(folder / "net.keras")
    np.savez(folder / "data.npz", x=x, y=y)
    return {
        "TASK": "regression",
        "SCALE": 1.0,
        "OFFSET": 0.0,
        "GATE": "agreement: 0.65, metric_drop: 0.02",
    }


def masked(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Attention that leaves steps out by a billion."""
    keras.utils.set_random_seed(1)
    x = rng.normal(size=(2 * SAMPLES, STEPS, 4)).astype(np.float32)
    is_there = np.arange(STEPS) < rng.integers(2, STEPS, (len(x), 1))
    x[..., 3] = (is_there - is_there.mean()) / is_there.std()  # as preprocessing leaves it
    scores = np.where(is_there, 3 * x[..., 0], -np.inf)
    y = np.take_along_axis(x[..., 1], scores.argmax(axis=1)[:, None], 1)[:, 0] > 0
    z = first = keras.Input((STEPS, 4))
    flag = L.Reshape((1, STEPS))(L.Dense(1, use_bias=False, trainable=False, name="flag")(z))
    flag = L.Rescaling(1e9 / 6, -1e9)(L.ReLU(6)(flag))
    query, key, value = (L.Dense(16)(z) for _ in range(3))
    scores = L.Add()([L.Dot(axes=2)([query, key]), flag])
    z = L.Flatten()(L.Dot(axes=(2, 1))([L.Softmax()(scores), value]))
    model = keras.Model(first, L.Dense(2, activation="softmax")(L.Dense(16, "relu")(z)))
    model.get_layer("flag").set_weights([np.array([[0], [0], [0], [100]], np.float32)])
    fit(model, x, y, "sparse_categorical_crossentropy", 25)
    model.save(folder / "net.keras")
    np.savez(folder / "data.npz", x=x, y=y.astype(np.int64))
    return {
        "TASK": "classification",
        "SCALE": 1.0,
        "OFFSET": 0.0,
        "GATE": "agreement: 0.95, metric_drop: 0.03",
    }


NETS: dict[str, Net] = {"hard swish": hard_swish, "long tail": long_tail, "masked": masked}


@pytest.mark.parametrize("name", NETS)
def test_what_int8_breaks_is_repaired_or_nothing_is_published(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    facts = NETS[name](tmp_path, rng)
    text = CONFIG
    for word, value in facts.items():
        text = text.replace(word, str(value))
    places = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]

    def run(remedies: str) -> int:
        (tmp_path / "broken.yaml").write_text(text.replace("REMEDIES", remedies))
        return main(["run", str(tmp_path / "broken.yaml"), *places])

    assert run("") == 3
    assert not (tmp_path / "exported" / "broken").exists()
    assert run("calibration, correction, mixed, qat, int16x8") == 0
    manifest = json.loads((tmp_path / "exported" / "broken" / "manifest.json").read_text())
    climbed = [row for row in manifest["remedies"] if row["passed"] is not None]
    assert climbed[0]["name"] == "int8"
    assert [row["passed"] for row in climbed] == [False] * (len(climbed) - 1) + [True]
    shipped = next(m for m in manifest["models"] if m["format"] == manifest["ships"])
    assert all(gate["passed"] for gate in shipped["gates"])
