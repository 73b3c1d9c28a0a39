"""What a perceptron learns and what it cannot, and Rosenblatt's rule by its own words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.arrays import only
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.models.predict import predict
from pipeline.train.supervised import train_network
from tests.conftest import loss_of_name, make_spec
from tests.documents.preprocess import meta_of, preprocess_of

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TABLES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
ROSENBLATT = {
    "loss": "perceptron",
    "optimizer": {"kind": "sgd", "learning_rate": 1.0},
    "schedule": {"kind": "constant"},
}


@dataclass(frozen=True)
class Rows:
    """An array in place of shards."""

    values: np.ndarray

    def take(self, positions: np.ndarray) -> np.ndarray:
        return self.values[positions]


def logic(name: str, folder: Path) -> Dataset:
    """Return the four corners of a logical function, the same in every part."""
    entry = {"name": "x", "kind": "table", "shape": [2]}
    scaled = entry | {"offset": [0.0, 0.0], "scale": [1.0, 1.0]}
    return Dataset(
        folder,
        meta_of([{"name": "x", "shape": [2], "dtype": "float32"}], ["no", "yes"]),
        preprocess_of([scaled], labels=["no", "yes"]),
        np.array(TABLES[name]),
        np.arange(4).astype(str),
        dict.fromkeys(("train", "validation", "test"), np.arange(4)),
        {"x": Rows(CORNERS)},  # type: ignore[dict-item]
    )


def learned(name: str, folder: Path, model: dict[str, Any], **settings: Any) -> list[int]:
    """Return what a net decides on the four corners after training."""
    x = {"name": "x", "shape": [2], "dtype": "float32"}
    spec = make_spec(model, [x], {"task": "classification", "units": 2})
    dataset = logic(name, folder)
    (folder / "work").mkdir()
    section = Train.model_validate(settings)
    trained = train_network(spec, section, dataset, batch_size=1, augment=[], seed=0, out=folder)
    return list(only(predict(trained.model, dataset, np.arange(4))).argmax(axis=1))


@pytest.mark.parametrize("name", ["and", "or"])
@pytest.mark.parametrize(
    "rule", [ROSENBLATT | {"epochs": 20}, pytest.param({"epochs": 300}, marks=pytest.mark.slow)]
)
def test_a_perceptron_learns_and_and_or(tmp_path: Path, name: str, rule: dict[str, Any]) -> None:
    slow = {"optimizer": {"kind": "sgd", "learning_rate": 0.5}, "schedule": {"kind": "constant"}}
    assert learned(name, tmp_path, {"kind": "perceptron"}, **(slow | rule)) == TABLES[name]


@pytest.mark.parametrize(
    "rule", [ROSENBLATT | {"epochs": 100}, pytest.param({"epochs": 100}, marks=pytest.mark.slow)]
)
def test_a_perceptron_never_learns_xor(tmp_path: Path, rule: dict[str, Any]) -> None:
    assert learned("xor", tmp_path, {"kind": "perceptron"}, **rule) != TABLES["xor"]


def test_an_mlp_learns_xor(tmp_path: Path) -> None:
    mlp = {"kind": "mlp", "units": [8], "activation": "tanh"}
    quick = {"optimizer": {"kind": "adamw", "learning_rate": 0.03}}
    assert learned("xor", tmp_path, mlp, epochs=150, **quick) == TABLES["xor"]


def test_the_criterions_step_is_rosenblatts_rule(rng: np.random.Generator) -> None:
    """Where the unit is wrong or undecided: w += x for a positive, w -= x for a negative."""
    w, x = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    w[0] = 0  # undecided
    labels = rng.integers(0, 2, 30)
    weights = tf.Variable(w)
    with tf.GradientTape() as tape:
        z = tf.reduce_sum(weights * x, axis=1)
        loss = loss_of_name("perceptron")(tf.constant(labels), tf.stack([-z / 2, z / 2], axis=1))
    signs = 2 * labels - 1
    is_wrong = signs * (w * x).sum(axis=1) <= 0
    wanted = w + np.where(is_wrong, signs, 0)[:, None] * x
    np.testing.assert_allclose(w - tape.gradient(loss, weights), wanted, rtol=1e-12)


def test_the_criterion_holds_the_right_class_against_the_best_other() -> None:
    logits = tf.constant([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]])
    np.testing.assert_allclose(loss_of_name("perceptron")(tf.constant([2, 1]), logits), [1.0, 0.0])
