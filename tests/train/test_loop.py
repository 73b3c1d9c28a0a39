"""The training loop: resumable at any call, and the same on one device as on two."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Train
from pipeline.documents.spec import Spec
from pipeline.train import batches, compiled, supervised
from pipeline.train.batches import oversample_rare
from pipeline.train.supervised import train_network
from tests.train.kills import assert_same_bits, with_kills

AUGMENT = [
    {"kind": "translate", "fraction": 0.1},
    {"kind": "rotate", "degrees": 10.0},
    {"kind": "crop", "least": 0.8},
    {"kind": "cutout", "fraction": 0.2},
    {"kind": "color", "brightness": 0.1, "contrast": 0.1, "saturation": 0.1},
    {"kind": "mixup", "alpha": 0.2},
]
SAME_ON_TWO_DEVICES = 1e-4  # sums in another order; a wrong gradient is off by its own size


def clipped(*, norm: float | None = None, value: float | None = None) -> Any:
    return SimpleNamespace(clip_norm=norm, clip_value=value)


def train(spec: Spec, digits: Any, out: Path, **settings: Any) -> Any:
    (out / "work").mkdir(parents=True, exist_ok=True)
    section = Train.model_validate({"epochs": 3} | settings)
    return train_network(spec, section, digits, batch_size=64, augment=AUGMENT, seed=3, out=out)


EVERYTHING = {
    "optimizer": {"kind": "lion", "learning_rate": 1e-3, "clip_norm": 1.0, "clip_value": 0.1},
    "loss": "focal",
    "ema": 0.9,
    "oversample": True,
    "class_weights": "balanced",
    "early_stopping": {"patience": 2},
}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"freeze": {"epochs": 1, "kept": 1}}, marks=pytest.mark.slow),
        pytest.param(EVERYTHING | {"schedule": {"kind": "one_cycle"}}, marks=pytest.mark.slow),
        EVERYTHING
        | {"schedule": {"kind": "plateau", "patience": 1}, "precision": "mixed_bfloat16"},
        pytest.param(
            {
                "schedule": {"kind": "step", "epochs": 1, "warmup_epochs": 0.5},
                "optimizer": {"kind": "muon"},
                "loss": "generalized_crossentropy",
                "range_test": True,
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_killed_training_ends_with_the_same_bits(
    spec: Spec,
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    whole = train(spec, digits, tmp_path / "whole", **settings)
    again, kills = with_kills(
        monkeypatch,
        lambda count, _: count in (2, 5),
        lambda: train(spec, digits, tmp_path / "cut", **settings),
    )
    assert kills == 2
    assert again.history == whole.history
    assert_same_bits(whole.model, again.model)


def test_early_stopping_brings_the_best_weights_back(
    spec: Spec, digits: Any, tmp_path: Path
) -> None:
    settings = {
        "epochs": 12,
        "optimizer": {"kind": "adamw", "learning_rate": 0.3},
        "schedule": {"kind": "constant"},
        "early_stopping": {"patience": 2},
    }
    trained = train(spec, digits, tmp_path, **settings)
    losses = [row["val_loss"] for row in trained.history]
    assert len(losses) < 12
    assert trained.validation["val_loss"] == pytest.approx(min(losses))


def test_what_is_kept_is_the_running_mean_of_the_weights(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    means: list[Any] = []

    class Mean(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = [np.asarray(w, np.float64) for w in self.model.trainable_weights]
            means[:] = [0.9 * m + 0.1 * w for m, w in zip(means or now, now, strict=True)]

    monkeypatch.setattr(batches, "CALL_BYTES", 1)  # a step a call
    monkeypatch.setattr(supervised, "watchers", lambda *_, **__: [Mean()])
    trained = train(spec, digits, tmp_path, ema=0.9)
    for kept, mean in zip(trained.model.trainable_weights, means, strict=True):
        np.testing.assert_allclose(np.asarray(kept), mean, rtol=1e-3, atol=1e-5)
    assert trained.history[-1]["val_loss"] == pytest.approx(trained.validation["val_loss"])


def test_a_plateau_lowers_the_rate(spec: Spec, digits: Any, tmp_path: Path) -> None:
    settings = {
        "epochs": 6,
        "optimizer": {"kind": "sgd", "learning_rate": 3.0},
        "schedule": {"kind": "plateau", "patience": 1, "factor": 0.1},
    }
    rates = [row["learning_rate"] for row in train(spec, digits, tmp_path, **settings).history]
    assert rates[0] == pytest.approx(3.0)
    assert rates[-1] < 1.0


@pytest.mark.slow
def test_mixed_precision_ends_in_float32_near_the_same(
    spec: Spec, digits: Any, tmp_path: Path
) -> None:
    plain = train(spec, digits, tmp_path / "plain")
    mixed = train(spec, digits, tmp_path / "mixed", precision="mixed_bfloat16")
    assert {layer.compute_dtype for layer in mixed.model.layers} == {"float32"}
    assert mixed.validation["val_loss"] == pytest.approx(plain.validation["val_loss"], rel=0.2)


def test_rare_classes_are_seen_as_often_as_common_ones() -> None:
    labels = np.array([0] * 50 + [1] * 7 + [2] * 20)
    positions = np.arange(5, 77)
    found = oversample_rare(positions, labels, 3)
    assert np.bincount(labels[found]).tolist() == [45, 45, 45]
    assert set(found) == set(positions)
    counts = np.bincount(found)[50:57]
    assert counts.max() - counts.min() <= 1
    assert (oversample_rare(positions, labels, 3) == found).all()


def test_a_loss_that_is_no_number_stops_with_a_cure(
    spec: Spec, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import ConfigError
    from pipeline.train import losses

    broken = {
        "categorical_crossentropy": lambda _: (
            lambda labels, logits: next(iter(logits.values()))[:, 0] / 0.0
        )
    }
    monkeypatch.setattr(losses, "LOSSES", losses.LOSSES | broken)
    with pytest.raises(ConfigError, match=r"train\.optimizer\.learning_rate"):
        train(spec, digits, tmp_path)


MIRRORED = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from pipeline.config.schema import Train
from pipeline.data.dataset import open_dataset
from pipeline.documents.spec import Spec
from pipeline.harden.attacks import attack_of
from pipeline.harden.step import adversarial_step
from pipeline.train import supervised
import json
spec, folder, out = Spec.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
digits = open_dataset(folder)
worst = {}
for name, clip, value in (("plain", None, None), ("norm", 0.5, None), ("value", None, 0.01)):
    weights = {}
    for strategy in ("one_device", "mirrored"):
        (out / strategy / name / "work").mkdir(parents=True)
        settings = Train.model_validate({"epochs": 3, "strategy": strategy,
            "optimizer": {"kind": "adamw", "learning_rate": 1e-3, "clip_norm": clip,
                "clip_value": value}, "ema": 0.9 if value else None})
        trained = supervised.train_network(spec, settings, digits, batch_size=64, augment=[],
            seed=3, out=out / strategy / name)
        weights[strategy] = trained.model.get_weights()
    worst[name] = max(float(np.abs(a - b).max()) for a, b in zip(*weights.values(), strict=True))
print(json.dumps(worst))
"""


@pytest.mark.slow
def test_two_devices_end_where_one_does(spec: Spec, digits: Any, tmp_path: Path) -> None:
    """60 steps with batch normalization, with and without clipping; dropout draws apart."""
    import json

    without_dropout = spec.model_copy(
        update={"model": spec.model.model_copy(update={"dropout": 0.0})}
    )
    arguments = [without_dropout.model_dump_json(), str(digits.folder), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    worst = json.loads(done.stdout.splitlines()[-1])
    assert max(worst.values()) < SAME_ON_TWO_DEVICES, worst


def test_sparse_gradients_are_clipped_as_the_dense_ones_that_they_stand_for() -> None:
    """An embedding's gradient comes as rows with their numbers, some of them twice."""
    rows = tf.IndexedSlices(
        tf.constant([[3.0, 0.0], [0.0, 4.0], [1.0, 0.0]]), tf.constant([0, 2, 0]), (3, 2)
    )
    dense = tf.constant([[4.0, 0.0], [0.0, 0.0], [0.0, 4.0]])
    context = tf.distribute.get_replica_context()
    found, other = compiled.clip_gradients(
        context, [rows, tf.constant([2.0])], clipped(norm=1.0), replicas=1
    )
    np.testing.assert_allclose(tf.convert_to_tensor(found), dense / 6)
    np.testing.assert_allclose(other, [2.0 / 6])
