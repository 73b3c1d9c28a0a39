"""The training loop: resumable at any call, and the same on one device as on two."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Train
from pipeline.train import loop
from pipeline.train.supervised import train_network

AUGMENT = [{"kind": "translate", "fraction": 0.1}]
SAME_ON_TWO_DEVICES = 1e-4  # sums in another order; a wrong gradient is off by its own size


class Killed(Exception):
    pass


def train(spec: dict[str, Any], digits: Any, out: Path, **settings: Any) -> Any:
    (out / "work").mkdir(parents=True, exist_ok=True)
    section = Train.model_validate({"epochs": 3} | settings)
    return train_network(spec, section, digits, batch_size=64, augment=AUGMENT, seed=3, out=out)


@pytest.mark.parametrize("settings", [{}, {"freeze": {"epochs": 1, "kept": 1}}])
def test_a_killed_training_ends_with_the_same_bits(
    spec: dict[str, Any],
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    whole = train(spec, digits, tmp_path / "whole", **settings)
    from pipeline.train import loop

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    saved, killed = loop.save_checkpoint, 0

    def save_and_die(*arguments: Any) -> None:
        nonlocal killed
        saved(*arguments)
        killed += 1
        if killed in (2, 5):
            raise Killed

    monkeypatch.setattr(loop, "save_checkpoint", save_and_die)
    for _ in range(2):
        with pytest.raises(Killed):
            train(spec, digits, tmp_path / "cut", **settings)
    again = train(spec, digits, tmp_path / "cut", **settings)
    assert again.history == whole.history
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_early_stopping_brings_the_best_weights_back(
    spec: dict[str, Any], digits: Any, tmp_path: Path
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


def test_a_loss_that_is_no_number_stops_with_a_cure(
    spec: dict[str, Any], digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import ConfigError
    from pipeline.train import step

    broken = {"categorical_crossentropy": lambda labels, logits: logits[:, 0] / 0.0}
    monkeypatch.setattr(step, "LOSSES", step.LOSSES | broken)
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
from pipeline.harden.attacks import attack_of
from pipeline.harden.step import adversarial_step
from pipeline.train import supervised
import json
spec, folder, out = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
digits = open_dataset(folder)
worst = {}
for name, clip in (("plain", None), ("clipped", 0.5)):
    weights = {}
    for strategy in ("one_device", "mirrored"):
        (out / strategy / name / "work").mkdir(parents=True)
        settings = Train.model_validate({"epochs": 3, "strategy": strategy,
            "optimizer": {"kind": "adamw", "learning_rate": 1e-3, "clip_norm": clip}})
        trained = supervised.train_network(spec, settings, digits, batch_size=64, augment=[],
            seed=3, out=out / strategy / name)
        weights[strategy] = trained.model.get_weights()
    worst[name] = max(float(np.abs(a - b).max()) for a, b in zip(*weights.values(), strict=True))
print(json.dumps(worst))
"""


def test_two_devices_end_where_one_does(spec: dict[str, Any], digits: Any, tmp_path: Path) -> None:
    """60 steps with batch normalisation, with and without clipping; dropout draws apart."""
    import json

    without_dropout = spec | {"model": spec["model"] | {"dropout": 0.0}}
    arguments = [json.dumps(without_dropout), str(digits.folder), str(tmp_path)]
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
    found, other = loop._clip(context, [rows, tf.constant([2.0])], 1.0, 1)
    np.testing.assert_allclose(tf.convert_to_tensor(found), dense / 6)
    np.testing.assert_allclose(other, [2.0 / 6])
