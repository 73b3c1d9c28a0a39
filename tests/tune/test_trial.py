"""Trials on a small net: what is refused before training, and what train takes over."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import WORK, Inputs, read_json, sha256_file
from pipeline.config.load import load
from pipeline.config.model_schema import Mlp
from pipeline.documents.spec import Spec
from pipeline.documents.trials import Trial, TrialResult, Trials
from pipeline.executor import Run, inputs_of, run_chain
from pipeline.tune import stage as tune_stage
from pipeline.tune import trial as trial_module
from pipeline.tune.bench import Bench, apply_trial, bench_of, shorten_training
from pipeline.tune.cost import beyond
from pipeline.tune.trial import measure

CONFIG = """
name: tiny
task: classification
data: {source: {kind: bundled, name: digits}, calibration_samples: 32}
baseline: null
model: {kind: cnn, filters: [4, 8], dense: [], dropout: 0.1}
train: {epochs: 2, optimizer: {kind: adamw, learning_rate: 3e-3}}
export: {targets: [cpu, ethos-u55-128]}
audit: {epsilon: 0.05, steps: 2}
tune:
  max_trials: 3
  epochs: 2
  limits: {bytes: 9000}
  space:
    model.kind: {choice: [cnn, mlp]}
    model.filters.1: {int: [8, 32], step: 8, when: {model.kind: cnn}}
    model.units: {choice: [[400], [16]], when: {model.kind: mlp}}
    train.optimizer.learning_rate: {float: [1e-3, 1e-2], log: true}
"""
Prepared = tuple[Run, Inputs]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "tiny.yaml"
    path.write_text(CONFIG)
    run = Run(load(path), folder, folder / "runs", folder / "exported")
    run_chain(run, until="build")
    return run, inputs_of(run, "tune")


def bench(prepared: Prepared, folder: Path, **changes: Any) -> Bench:
    run, inputs = prepared
    assert run.config.tune is not None
    tune = run.config.tune.model_copy(update=changes)
    config = run.config.model_copy(update={"tune": tune})
    spec = Spec.read(inputs["spec"] / "spec.json")
    places = {"work": folder / WORK, "logs": folder / "tensorboard"}
    return bench_of(config, spec, inputs["dataset"], start=inputs["spec"], **places)  # type: ignore[arg-type]


def row(**values: Any) -> Trial:
    named = {path.replace("__", "."): value for path, value in values.items()}
    return Trial(trial="0000", values=named, epochs=1)


def test_a_trial_beyond_a_limit_is_refused_before_it_is_trained(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("it was trained")

    monkeypatch.setattr(trial_module, "train_network", train)
    made = bench(prepared, tmp_path)
    found = measure(made, row(model__kind="mlp", model__units=[400]))
    assert found.exceeds_limits
    assert found.score is None
    assert "and the limit is 9,000 bytes" in str(found.reason)
    limits = made.config.tune.limits.model_copy(update={"bytes": None, "latency_ms": 1e-6})  # type: ignore[union-attr]
    slow = measure(bench(prepared, tmp_path, limits=limits), row())
    assert slow.exceeds_limits
    assert str(slow.reason).startswith("a latency of 0.0")
    assert slow.costs["sram_bytes"] > 0


def test_a_trial_is_judged_by_its_file_whose_size_was_known_before(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    exported = trial_module._exported

    def noting(*args: Any, **named: Any) -> Any:
        file, left = exported(*args, **named)
        sizes.append(file.stat().st_size)
        return file, left

    monkeypatch.setattr(trial_module, "_exported", noting)
    found = measure(bench(prepared, tmp_path, robust=True), row(model__filters__1=16))
    assert found.reason is None
    assert sizes == [found.costs["bytes"]] * 2
    assert found.score == found.metrics["accuracy"]
    assert found.reference - found.score == pytest.approx(found.metric_drop)
    assert 0 <= found.robust_accuracy <= found.reference
    assert found.costs["latency_ms"] > 0
    assert TrialResult.model_validate(json.loads(json.dumps(found.dump()))) == found


def test_values_that_do_not_go_together_fail_with_the_reason(
    prepared: Prepared, tmp_path: Path
) -> None:
    wrong = {"model__kind": "transformer", "model__width": 30}  # and four heads
    found = measure(bench(prepared, tmp_path), row(**wrong))
    assert found.score is None
    assert not found.exceeds_limits
    assert "heads" in str(found.reason)


def test_another_family_begins_with_its_own_defaults(prepared: Prepared, tmp_path: Path) -> None:
    config, spec = apply_trial(
        bench(prepared, tmp_path), {"model.kind": "mlp", "model.units": [16]}
    )
    assert spec.model == config.model == Mlp(kind="mlp", units=(16,))
    assert spec.settings(Mlp).dropout == 0.0


def test_a_shorter_training_keeps_its_shape(prepared: Prepared) -> None:
    train = prepared[0].config.train.model_copy(update={"epochs": 20})
    schedule = train.schedule.model_copy(update={"warmup_epochs": 4.0})
    train = train.model_copy(update={"schedule": schedule})
    assert shorten_training(train, 5).schedule.warmup_epochs == 1.0  # type: ignore[union-attr]
    assert shorten_training(train, 20).schedule == schedule
    assert shorten_training(train, 5).epochs == 5


def test_all_that_is_too_much_is_told() -> None:
    costs = {"bytes": 70000, "macs": 10, "latency_ms": None}
    limits = {"bytes": 65536, "macs": 10, "latency_ms": 1.0, "arena_bytes": None}
    assert beyond(costs, limits) == (
        "70,000 bytes, and the limit is 65,536 bytes; "
        "latency_ms cannot be known: the compiler refuses the file"
    )
    assert beyond(costs, dict.fromkeys(limits)) is None


@pytest.mark.slow
def test_train_takes_over_the_weights_of_the_trial_bit_by_bit(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = prepared
    run_chain(run, until="train")
    taken = {p.name: sha256_file(p) for p in (run.folder / "train").glob("*.*")}
    assert (run.folder / "tune" / "trained.npz").exists()
    from pipeline.train import stage as train_stage

    inputs = inputs_of(run, "train")
    anew = run.folder / "anew"
    (anew / WORK).mkdir(parents=True)
    alone = {k: v for k, v in inputs.folders.items() if k != "trials"}
    train_stage.run(run.config, Inputs(alone, run.base, run.exported), anew)
    for name in ("model.keras", "history.csv", "learning.json", "warnings.json"):
        assert sha256_file(anew / name) == taken[name], name
    budget = read_json(run.folder / "tune" / "budget.json")
    spec = Spec.read(run.folder / "tune" / "spec.json")
    assert budget["parameters"] != read_json(run.folder / "build" / "budget.json")["parameters"]
    assert spec.train is not None
    assert spec.train.optimizer.learning_rate != 3e-3
    assert np.isfinite(read_json(run.folder / "tune" / "trials.json")["trials"][0]["score"])


@pytest.mark.slow
def test_more_trials_measure_only_what_is_new(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = prepared
    run_chain(run, until="tune")
    before = Trials.read(run.folder / "tune" / "trials.json")
    assert run.config.tune is not None
    measured: list[str] = []

    def noting(made: Any, entry: Any) -> Any:
        measured.append(entry.trial)
        return measure(made, entry)

    monkeypatch.setattr(tune_stage, "measure", noting)
    tune = run.config.tune.model_copy(update={"max_trials": 4})
    more = Run(run.config.model_copy(update={"tune": tune}), run.base, run.runs, run.exported)
    run_chain(more, until="tune")
    after = Trials.read(run.folder / "tune" / "trials.json")
    known = [entry.trial for entry in before.trials]
    assert not set(measured) & set(known)
    assert [entry for entry in after.trials if entry.trial in known] == list(before.trials)
    assert sum(not entry.exceeds_limits for entry in after.trials) == 4
