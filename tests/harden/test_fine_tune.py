"""Hardening: every mode makes a net robust, kill or no kill; one guards, one chooses the epoch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from pipeline.config.schema import AdamW, Harden, Train
from pipeline.documents.robustness import Collapse
from pipeline.harden import epoch_selection as guard
from pipeline.harden.fine_tune import Hardened, Plan, harden_network
from pipeline.harden.step import share_of_epsilon
from pipeline.models.save import load_keras, save_keras
from pipeline.train.losses import loss_of
from tests.conftest import IMAGE, make_spec
from tests.train.kills import assert_same_bits, with_kills

MODES: dict[str, dict[str, Any]] = {
    "fgsm_mix": {"mode": "fgsm_mix"},
    "fast": {"mode": "fast"},
    "n_fgsm": {"mode": "fast", "attack": {"kind": "n_fgsm"}},
    "pgd": {"attack": {"kind": "pgd", "steps": 3}, "clean_share": 0.5},
    "pgd_l2": {"attack": {"kind": "pgd", "norm": "l2", "epsilon": 0.5, "steps": 3}},
    "apgd": {"attack": {"kind": "apgd_ce", "steps": 3}},
    "trades": {"mode": "trades", "attack": {"kind": "pgd", "steps": 3}},
}


def plan(strategy: str = "one_device", **settings: Any) -> Plan:
    section = TypeAdapter(Harden).validate_python(settings)
    loss = loss_of(Train(), "classification")
    optimizing = AdamW(learning_rate=1e-3)
    return Plan(section, optimizing, loss, "classification", None, 64, [], 3, strategy)


@pytest.fixture(scope="module")
def start(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small trained net, which withstands little."""
    from pipeline.train.supervised import train_network

    model = {"kind": "cnn", "filters": [8, 16], "dense": [32], "dropout": 0.1}
    spec = make_spec(model, [IMAGE], {"task": "classification", "units": 10}, seed=0)
    folder = tmp_path_factory.mktemp("start")
    (folder / "work").mkdir()
    settings = Train.model_validate({"epochs": 15, "optimizer": {"learning_rate": 5e-3}})
    trained = train_network(
        spec, settings, digits, batch_size=64, augment=[], seed=0, out=folder, is_watched=False
    )
    save_keras(trained.model, folder / "model.keras")
    return folder / "model.keras"


def harden(start: Path, digits: Any, out: Path, **settings: Any) -> Hardened:
    (out / "work").mkdir(parents=True, exist_ok=True)
    keras.utils.clear_session()
    return harden_network(start, digits, plan(**settings), out=out)


QUICK = ("pgd",)  # `fast` is tried below


@pytest.mark.parametrize(
    "mode", [pytest.param(m, marks=[] if m in QUICK else pytest.mark.slow) for m in MODES]
)
def test_every_mode_makes_the_net_robust(
    start: Path, digits: Any, tmp_path: Path, mode: str
) -> None:
    found = harden(start, digits, tmp_path, epochs=8, learning_rate=3e-3, **MODES[mode])
    assert found.after.robust_accuracy > found.before.robust_accuracy + 0.1
    assert found.course.kept_epoch == 8
    assert [row.epoch for row in found.course.epochs] == list(range(9))


EVERYTHING = {"warmup_epochs": 1.5, "ema": 0.9, "max_clean_drop": 0.02}


@pytest.mark.parametrize(
    ("mode", "extra"),
    [
        pytest.param("fgsm_mix", EVERYTHING, marks=pytest.mark.slow),
        pytest.param("fast", EVERYTHING, marks=pytest.mark.slow),
        pytest.param("pgd", EVERYTHING, marks=pytest.mark.slow),
        pytest.param("trades", EVERYTHING, marks=pytest.mark.slow),
    ],
)
def test_a_killed_hardening_ends_with_the_same_bits(
    start: Path,
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    extra: dict[str, Any],
) -> None:
    """Of `fast` the guard is made to find a collapse in epoch 2, so that its way back is killed."""
    seen: list[float] = []

    def has_fallen(robust: float, best: float) -> bool:
        return robust in seen[1:2]

    settings = {"epochs": 4} | MODES[mode] | extra
    whole = harden(start, digits, tmp_path / "first", **settings)
    seen.extend(row.robust_accuracy for row in whole.course.epochs[1:])
    monkeypatch.setattr(guard, "has_fallen", has_fallen)
    whole = harden(start, digits, tmp_path / "whole", **settings)
    random = np.random.default_rng(len(mode))
    dead = {5, int(random.integers(6, 12))}  # a checkpoint a call, three calls an epoch
    again, kills = with_kills(
        monkeypatch,
        lambda count, _: count in dead,
        lambda: harden(start, digits, tmp_path / "cut", **settings),
    )
    assert kills == 2
    assert (again.history, again.course) == (whole.history, whole.course)
    assert (again.before, again.after) == (whole.before, whole.after)
    assert (whole.course.collapse is not None) == (mode == "fast")
    assert_same_bits(whole.model, again.model)


def test_the_guard_goes_back_to_the_most_robust_epoch_and_on_with_pgd(
    start: Path, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []

    def has_fallen(robust: float, best: float) -> bool:
        calls.append(robust)
        return len(set(calls)) > 2  # in the third epoch

    monkeypatch.setattr(guard, "has_fallen", has_fallen)
    found = harden(start, digits, tmp_path, epochs=6, mode="fast", learning_rate=3e-3)
    table = [row.robust_accuracy for row in found.course.epochs]
    best = int(np.argmax(table[:3]))
    assert found.course.collapse == Collapse(epoch=3, restored_epoch=best)
    assert found.course.kept_epoch == 6
    assert table[-1] > table[best]


@pytest.mark.parametrize(
    ("epochs", "stops"), [(2, "pgd"), pytest.param(6, "stop", marks=pytest.mark.slow)]
)
def test_a_collapse_at_the_end_leaves_the_weights_from_before(
    start: Path,
    digits: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    stops: str,
) -> None:
    monkeypatch.setattr(guard, "has_fallen", lambda robust, best: False)
    first = harden(
        start, digits, tmp_path / "one", epochs=epochs, mode="fast", on_collapse=stops
    ).course.epochs
    worst = first[2].robust_accuracy
    monkeypatch.setattr(guard, "has_fallen", lambda robust, best: robust == worst)
    found = harden(start, digits, tmp_path / "two", epochs=epochs, mode="fast", on_collapse=stops)
    assert len(found.history) == 2
    assert found.course.collapse is not None
    back = found.course.collapse.restored_epoch
    assert found.course.kept_epoch == back
    assert found.after.clean_accuracy == first[back].clean_accuracy


@pytest.mark.parametrize(
    ("robust", "best", "fell"),
    [(0.5, 0.72, True), (0.55, 0.72, False), (0.05, 0.2, True), (0.12, 0.2, False),
     (0.0, 0.04, False), (0.0, 0.9, True), (0.9, 0.5, False)],
)  # fmt: skip
def test_what_counts_as_a_fall(robust: float, best: float, fell: bool) -> None:
    assert guard.has_fallen(robust, best) is fell


@pytest.mark.parametrize(
    ("robust", "one_step", "hollow"),
    [(0.0, 0.9, True), (0.2, 0.9, True), (0.22, 0.49, False), (0.0, 0.1, False)],
)
def test_what_withstands_one_step_alone_is_hollow(
    robust: float, one_step: float, hollow: bool
) -> None:
    assert guard.is_hollow(robust, one_step) is hollow


def test_a_net_that_never_was_robust_collapses_when_it_is_hollow() -> None:
    """Step by step as the loop calls it: a rise is none, and in warm-up it is not looked at."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.optimizer = keras.optimizers.SGD(0.1)
    model.optimizer.build(model.trainable_variables)
    watched = guard.Guard(robust=0.0, warmup_epochs=2.0, stops=False)
    watched.set_model(model)
    watched.on_train_begin()
    for epoch, (robust, collapsed) in enumerate([(0.0, 0), (0.0, 0), (0.1, 0), (0.1, 4)]):
        watched.phase(epoch)
        watched.on_epoch_end(epoch, {"val_robust": robust, "val_one_step": 0.9})
        assert watched.collapsed_epoch == collapsed
    assert watched.best_epoch == 3


def test_the_most_robust_epoch_within_the_budget_is_kept(
    start: Path, digits: Any, tmp_path: Path
) -> None:
    """A rate that hurts at first: clean accuracy falls and comes back as the rate goes to zero."""
    settings = {"epochs": 8, "learning_rate": 2e-2, "max_clean_drop": 0.05}
    found = harden(start, digits, tmp_path, attack={"kind": "pgd", "steps": 3}, **settings)
    first, *table = found.course.epochs
    fitting = [row for row in table if row.clean_accuracy >= first.clean_accuracy - 0.05]
    best = max(fitting, key=lambda row: (row.robust_accuracy, -row.epoch))
    assert 0 < len(fitting) < 8
    assert found.course.kept_epoch == best.epoch
    assert found.after.clean_accuracy == best.clean_accuracy


def test_a_budget_that_no_epoch_holds_leaves_the_net_as_it_came(
    start: Path, digits: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"epochs": 2, "learning_rate": 0.3, "max_clean_drop": 0.0}
    found = harden(start, digits, tmp_path, attack={"kind": "pgd", "steps": 1}, **settings)
    assert found.course.kept_epoch == 0
    assert found.after == found.before
    assert_same_bits(found.model, load_keras(start))
    assert "no epoch is kept" in caplog.text


def test_epsilon_grows_to_its_whole_in_the_steps_of_warm_up() -> None:
    shares = [float(share_of_epsilon(np.int32(number), 4)) for number in range(6)]
    assert shares == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert share_of_epsilon(3, 0) == 1.0


MIRRORED = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import json
from pathlib import Path
from pipeline.data.dataset import open_dataset
from pipeline.documents.robustness import Collapse
from pipeline.harden import epoch_selection as guard
from tests.harden.test_fine_tune import harden
start, folder, out = map(Path, sys.argv[1:])
digits, found = open_dataset(folder), {}
for strategy in ("one_device", "mirrored"):
    for name, settings in (("fgsm_mix", {"max_clean_drop": 0.5, "ema": 0.9}), ("fast", {})):
        guard.has_fallen = lambda robust, best: False
        done = harden(start, digits, out / strategy / name, strategy=strategy, mode=name,
            epochs=4, **settings)
        found[strategy, name] = done
one, two = (found[strategy, "fgsm_mix"] for strategy in ("one_device", "mirrored"))
apart = max(float(np.abs(a - b).max()) for a, b in
    zip(one.model.get_weights(), two.model.get_weights(), strict=True))
robust = [found[strategy, "fast"].after.robust_accuracy for strategy in ("one_device", "mirrored")]
print(json.dumps([apart, robust]))
"""


@pytest.mark.slow
def test_two_devices_harden_as_one_does(start: Path, digits: Any, tmp_path: Path) -> None:
    """Where nothing is drawn they end at the same weights; with random starts as robust."""
    model = load_keras(start)
    for layer in model.layers:  # whose masks two devices draw apart
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    save_keras(model, tmp_path / "start.keras")
    arguments = [str(tmp_path / "start.keras"), str(digits.folder), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    apart, (one, two) = json.loads(done.stdout.splitlines()[-1])
    assert apart < 1e-3
    assert abs(one - two) < 0.1
