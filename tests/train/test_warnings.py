"""What goes wrong in a training is told with its cure; a healthy one is left in peace."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.train.supervised import train_network
from pipeline.train.warnings import WARNINGS
from tests.conftest import make_spec
from tests.documents.preprocess import meta_of, preprocess_of
from tests.train.test_learning import Rows

CONSTANT = {"kind": "constant"}
CLASSES = {"task": "classification", "units": 2}


def samples(folder: Path, x: np.ndarray, labels: np.ndarray, **facts: Any) -> Dataset:
    """Return rows as they are, two thirds of them to train and the others to validate."""
    shape = list(x.shape[1:])
    kind = "series" if len(shape) == 2 else "table"
    entry = {"name": "x", "shape": shape, "dtype": "float32"}
    scaled: dict[str, Any] = {"name": "x", "kind": kind, "shape": shape}
    scaled |= (
        {"offset": [0.0] * shape[-1], "scale": [1.0] * shape[-1]}
        if kind == "table"
        else {"per_window_standardize": True, "floor": 1e-6, "columns": []}
    )
    cut = 2 * len(x) // 3
    parts = {"train": np.arange(cut), "validation": np.arange(cut, len(x))}
    is_class = labels.dtype.kind == "i"
    names = [str(k) for k in range(labels.max() + 1)] if is_class else None
    target = None if is_class else {"offset": 0.0, "scale": 1.0}
    return Dataset(
        folder,
        meta_of([entry], names),
        preprocess_of([scaled], **{"target": target, "labels": names} | facts),
        labels,
        np.arange(len(x)).astype(str),
        parts | {"test": parts["validation"], "calibration": parts["train"]},
        {"x": Rows(x.astype(np.float32))},  # type: ignore[dict-item]
    )


def table(folder: Path, count: int = 600, columns: int = 6, noise: float = 0.0) -> Dataset:
    """Return a task that a small net learns, unless noise hides it."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, columns))
    score = x[:, 0] * x[:, 1] + x[:, 2] + noise * rng.normal(size=count)
    return samples(folder, x, (score > 0).astype(np.int64))


def warned(
    dataset: Dataset, model: dict[str, Any], output: dict[str, Any] = CLASSES, **train: Any
) -> dict[str, str]:
    """Train, and return code -> cure of what was warned of at the end."""
    inputs = [
        {key: getattr(entry, key) for key in ("name", "shape", "dtype")} for entry in dataset.inputs
    ]
    spec = make_spec(model, inputs, output)
    (dataset.folder / "work").mkdir(exist_ok=True)
    settings = Train.model_validate({"schedule": CONSTANT, "epochs": 6} | train)
    out = dataset.folder
    found = train_network(spec, settings, dataset, batch_size=32, augment=[], seed=0, out=out)
    return {w.code: f"{w.text}; {w.cure}" for w in found.warnings}


def sgd(rate: float) -> dict[str, Any]:
    return {"kind": "sgd", "learning_rate": rate, "clip_norm": None}


ONCE = {"epochs": 1}
MLP = {"kind": "mlp", "units": [16, 16]}
SICK: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "dead_relu": (MLP, {"optimizer": sgd(10.0)}, "leaky_relu"),
    "vanishing_gradient": (
        {"kind": "mlp", "units": [8] * 8, "activation": "sigmoid"},
        {"optimizer": sgd(0.1)},
        "batch_norm: true",
    ),
    "loss_not_moving": (MLP, {"optimizer": sgd(1e-6)}, "range_test: true"),
    "rate_too_high": (MLP | {"activation": "tanh"}, {"optimizer": sgd(10.0)}, "try a third"),
    "rate_too_low": (MLP, {"optimizer": sgd(1e-3), "epochs": 8}, "three times"),
    "loss_and_output": (MLP, ONCE | {"loss": "perceptron"}, "categorical_crossentropy"),
    "sigmoid_in_depth": ({"kind": "mlp", "units": [8] * 5, "activation": "tanh"}, ONCE, "relu"),
    "no_normalization": ({"kind": "mlp", "units": [8] * 7}, ONCE, "batch_norm: true"),
}


@pytest.mark.parametrize("code", SICK)
def test_a_sick_training_is_told_its_cure(tmp_path: Path, code: str) -> None:
    model, train, cure = SICK[code]
    assert cure in warned(table(tmp_path), model, **train)[code]


def test_noise_learned_by_heart_is_told(tmp_path: Path) -> None:
    wide = {"kind": "mlp", "units": [64]}
    found = warned(table(tmp_path, 90, 20, noise=9.0), wide, epochs=60)
    assert "early_stopping" in found["over_fitting"]


def test_an_exploding_gradient_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 4)) * 300
    found = warned(
        samples(tmp_path, x, (x**2).sum(axis=1)),
        MLP,
        {"task": "regression", "units": 1},
        optimizer=sgd(1e-12),
        epochs=1,
    )
    assert "clip_norm" in found["exploding_gradient"]
    assert "model.scale" in found["no_normalization"]


def test_a_sequence_whose_beginning_is_forgotten_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 60, 1))
    labels = (x[:, -1, 0] > 0).astype(np.int64)
    found = warned(samples(tmp_path, x, labels), {"kind": "rnn", "cell": "simple", "units": [4]})
    assert "model.cell: lstm" in found["vanishing_gradient"]


def test_a_decoder_that_cannot_reach_its_input_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(keras: Any, spec: Spec) -> Any:
        x = keras.Input((6,), name="x")
        code = keras.layers.Dense(3, activation="relu", name="code")(x)
        return keras.Model(x, keras.layers.Dense(6, activation="sigmoid", name="decoded")(code))

    monkeypatch.setitem(MODELS, "mlp", build)
    rows = np.random.default_rng(1).normal(size=(90, 6))
    anomaly = {"score": "reconstruction", "threshold": 1.0}
    dataset = samples(tmp_path, rows, np.zeros(90, np.int64), anomaly=anomaly)
    output = {"task": "anomaly", "score": "reconstruction", "units": 6}
    assert "sigmoid and cannot give" in warned(dataset, MLP, output)["loss_and_output"]


@pytest.mark.parametrize("model", [MLP, MLP | {"activation": "tanh"}])
def test_a_healthy_training_is_left_in_peace(tmp_path: Path, model: dict[str, Any]) -> None:
    settings = {"optimizer": {"kind": "adamw", "learning_rate": 1e-2}, "epochs": 12}
    assert warned(table(tmp_path), model, **settings) == {}


def test_a_rare_class_that_counts_more_is_no_rate_too_high(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(3000, 4))
    rare = x[:, 0] + 2.5 * rng.normal(size=len(x)) > 5
    dataset = samples(tmp_path, x, rare.astype(np.int64))
    found = warned(dataset, MLP, class_weights="balanced", epochs=4)
    assert "rate_too_high" not in found, found


def test_every_warning_has_a_test() -> None:
    here = Path(__file__).read_text()
    assert all(f'"{code}"' in here for code in WARNINGS)
