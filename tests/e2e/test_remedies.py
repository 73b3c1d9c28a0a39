"""A net that plain int8 breaks: nothing ships without a remedy, and the right rung repairs it."""

import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.compress import qat
from pipeline.compress.ladder import REMEDIES
from pipeline.train.diverged import Diverged

L = keras.layers
APART = 4.0  # channels are scaled by exp of up to this, up and down
CONFIG = """
name: broken
task: classification
data: {{source: {{kind: bundled, name: digits}}, split: {{by: stratified}}}}
baseline: null
audit: null
model: {{kind: file, path: {path}}}
train: {{epochs: 1, optimizer: {{kind: sgd, learning_rate: 1e-9}}}}
compress: {{quantize: {{remedies: [{remedies}]}}}}
export: {{formats: [float32, int8], targets: [cpu]}}
gate: {gate}
"""
NARROW = "{}"
WIDE = "{metric_drop: 0.04, agreement: 0.93, worst_class_drop: 0.2}"


def separable() -> Any:
    """Return a trained depthwise net on digits."""
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(1)
    net = [keras.Input((8, 8, 1)), L.Conv2D(16, 3, padding="same", name="first")]
    net += [L.BatchNormalization(momentum=0.9, name="norm"), L.ReLU()]
    net += [L.DepthwiseConv2D(3, padding="same", name="depth", use_bias=False)]
    net += [L.BatchNormalization(momentum=0.9, name="norm_2"), L.ReLU()]
    net += [L.Conv2D(24, 1, activation="relu", name="point"), L.Flatten(), L.Dense(10)]
    model = keras.Sequential([*net, L.Softmax()])
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    digits = load_digits()
    model.fit(digits.images[..., None] / 16, digits.target, 64, epochs=8, verbose=0)
    return model


def torn_apart(model: Any) -> Any:
    """Scale channels up and down in one layer and back in the next: it answers as before."""
    rng = np.random.default_rng(0)
    for norm, following, axis in (("norm", "depth", 2), ("norm_2", "point", 2)):
        gamma, beta, *others = model.get_layer(norm).get_weights()
        scale = np.exp(rng.uniform(-APART, APART, len(gamma))).astype(np.float32)
        model.get_layer(norm).set_weights([gamma * scale, beta * scale, *others])
        kernel, *rest = model.get_layer(following).get_weights()
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        model.get_layer(following).set_weights([kernel / scale.reshape(shape), *rest])
    return model


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("broken") / "net.keras"
    torn_apart(separable()).save(path)
    return path


def run(folder: Path, net: Path, remedies: str, gate: str = NARROW) -> int:
    config = folder / "broken.yaml"
    config.write_text(CONFIG.format(path=net, remedies=remedies, gate=gate))
    places = ["--runs", str(folder / "runs"), "--exported", str(folder / "exported")]
    return main(["run", str(config), *places])


@pytest.mark.slow
def test_correction_repairs_what_ships_nothing_without(
    broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, broken, "") == 3
    told = capsys.readouterr().err
    assert "nothing is published" in told
    assert "not allowed by compress.quantize: calibration, correction, mixed" in told
    assert "noisiest layers of int8: " in told
    assert re.search(r"int8 +[\d,]+ bytes  drop 0\.\d+  agreement 0\.\d+  fails", told)
    assert not (tmp_path / "exported" / "broken").exists()
    assert run(tmp_path, broken, "calibration, correction") == 0
    manifest = json.loads((tmp_path / "exported" / "broken" / "manifest.json").read_text())
    assert [(row["name"], row["passed"]) for row in manifest["remedies"]] == [
        ("int8", False),
        *((name, False) for name in REMEDIES["calibration"]),
        ("correction", True),
    ]
    (shipped,) = (row for row in manifest["models"] if row["format"] == "int8")
    assert shipped["parity"]["metric_drop"] <= 0.01
    assert shipped["parity"]["worst_layer"]["sqnr_db"] > 15


@pytest.mark.slow
def test_fine_tuning_through_the_rounding_repairs_it_too(
    broken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(tmp_path, broken, "", WIDE) == 3
    assert run(tmp_path, broken, "qat", WIDE) == 0
    bundle = tmp_path / "exported" / "broken"
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert [(row["name"], row["passed"]) for row in manifest["remedies"]] == [
        ("int8", False),
        ("qat", True),
    ]
    made = json.loads((tmp_path / "runs" / "broken" / "export" / "files.json").read_text())["files"]
    assert {row["format"]: row["recipe"]["model"] for row in made} == {
        "float32": "model.keras",
        "int8": "qat.keras",
    }
    caplog.clear()
    assert run(tmp_path, broken, "qat", WIDE.replace("0.93", "0.92")) == 0
    assert "fine-tuning" not in caplog.text  # another gate only chooses again
    assert json.loads((bundle / "manifest.json").read_text())["remedies"] == manifest["remedies"]


@pytest.mark.slow
def test_fine_tuning_that_diverges_is_a_rung_that_cannot_be_made(
    broken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def diverge(*_: Any, **__: Any) -> None:
        raise Diverged("the loss is no longer a number")

    monkeypatch.setattr(qat, "fine_tune_for_int8", diverge)
    assert run(tmp_path, broken, "qat") == 3
    told = capsys.readouterr().err
    assert "fine-tuning: the loss is no longer a number" in told
