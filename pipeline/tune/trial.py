"""One trial: a config with other values, its costs, its training, and the file that would ship.

Leaves out pre-training, distillation and the ladder's remedies: they come after the search.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from pipeline.arrays import Model
from pipeline.artifacts import WORK, sha256_json
from pipeline.audit.evasion import evenly
from pipeline.data.dataset import DECISION, with_decision_of
from pipeline.documents.spec import Spec
from pipeline.documents.trials import Trial, TrialResult
from pipeline.errors import ArtifactError, ConfigError, ConversionError
from pipeline.harden.fit_threat_model import fit_threat_model
from pipeline.harden.robustness import judge
from pipeline.harden.run_attack import samples_of
from pipeline.models.describe import build_network
from pipeline.models.predict import predict
from pipeline.models.save import give_start, save_keras
from pipeline.seeds import fold_seed
from pipeline.tasks import task_of
from pipeline.tasks.task import Task
from pipeline.train.decision import calibrate_decision
from pipeline.train.strategy import alone
from pipeline.train.supervised import train_network
from pipeline.tune import cost
from pipeline.tune.bench import Bench, apply_trial, attack_of, calibration_of, shorten_training
from pipeline.tune.goal import goal_of
from pipeline.tune.ledger import name_of
from pipeline.tune.ship import judge_file, make_shipped_file

log = logging.getLogger(__name__)

ATTACKED = 500  # validation samples, at most: the accuracy moves by 2 points


class Beyond(Exception):
    """A trial costs more than the limits allow; its text is the reason."""


def measure(bench: Bench, row: Trial) -> TrialResult:
    """Return the result of a trial; one that was refused or failed has a reason and no score."""
    folder = bench.work / name_of(row, sha256_json(bench.key))
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    costs: cost.Costs = {}
    outcome: dict[str, Any]
    try:
        outcome = _measured(bench, row, folder, costs)
    except Beyond as reason:
        outcome = {"reason": str(reason), "exceeds_limits": True}
    except (ConfigError, ConversionError, ArtifactError) as error:
        outcome = {"reason": " ".join(str(error).splitlines()[:1])}
    except tf.errors.ResourceExhaustedError:
        outcome = {"reason": "not enough memory"}
    if (folder / "tensorboard").exists():
        shutil.rmtree(bench.logs / row.trial, ignore_errors=True)
        bench.logs.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "tensorboard", bench.logs / row.trial)
    return TrialResult(**dict(row), costs=costs, **outcome)


def _measured(bench: Bench, row: Trial, folder: Path, costs: cost.Costs) -> dict[str, Any]:
    """Return further fields of the result of a trial; `costs` is filled on the way."""
    config, spec = apply_trial(bench, row.values)
    spec.write(folder / "spec.json")
    _hold_limits(bench, spec, folder, costs)
    trained = train_network(
        spec,
        alone(shorten_training(config.train, row.epochs)),
        bench.dataset,
        batch_size=config.data.batch_size,
        augment=[change.model_dump() for change in config.data.augment],
        seed=config.seed,
        out=folder,
        begin=lambda model: give_start(model, bench.start),
        is_watched=False,
        is_shown=False,
    )
    dataset = bench.dataset
    if (score := spec.score) is not None:
        calibrate_decision(trained.model, dataset, score).write(folder / DECISION)
        dataset = with_decision_of(dataset, folder)
    file, float_ops = _exported(bench, trained.model, spec, folder / "trained")
    costs |= {"bytes": file.stat().st_size}
    if words := cost.beyond(costs, _limits(bench)):  # the file of other weights was smaller
        raise ConfigError(words)
    outputs = predict(trained.model, dataset, dataset.split("validation"))
    found = judge_file(file, dataset, outputs, task=_task(bench)) | {"float_ops": float_ops}
    robust = _robust(bench, trained.model) if bench.config.tune.robust else None  # type: ignore[union-attr]
    found |= {
        "robust_accuracy": robust,
        "score": _score(bench, {**found["metrics"], "robust": robust}),
    }
    shutil.rmtree(folder / "trained")
    return found


def _task(bench: Bench) -> Task:
    return task_of(bench.config.task, bench.config.task_metric)


def _limits(bench: Bench) -> dict[str, float | None]:
    assert bench.config.tune is not None
    return bench.config.tune.limits.model_dump()


def _score(bench: Bench, found: Mapping[str, float | None]) -> float:
    """Return the goal of the search."""
    assert bench.config.tune is not None
    name = goal_of(bench.config.tune.objective, _task(bench))[0]
    value = found.get(name)
    if value is None:
        raise ConfigError(f"tune.objective: {name} is not measured here; it takes two classes")
    return float(value)


def _hold_limits(bench: Bench, spec: Spec, folder: Path, costs: cost.Costs) -> None:
    """Count what a network costs, and refuse it where that is too much.

    Raises:
        Beyond: a cost is above its limit; the message has both.
    """
    keras.utils.clear_session()
    model = build_network(spec)
    costs |= cost.of_graph(model)
    limits = _limits(bench)
    if words := cost.beyond(costs, limits):
        raise Beyond(words)
    give_start(model, bench.start)
    cost.shaken(model, bench.config.seed)
    file, _ = _exported(bench, model, spec, folder / "untrained")
    targets = bench.config.export.targets if bench.form == "int8" else ()
    costs |= cost.of_file(file, targets, folder / "untrained", arena_of=_arena(bench, limits))
    shutil.rmtree(folder / "untrained")
    if words := cost.beyond(costs, limits):
        raise Beyond(words)


def _arena(bench: Bench, limits: Mapping[str, Any]) -> cost.Sample | None:
    """Return what tflite-micro is run on, where its arena is limited."""
    if limits["arena_bytes"] is None:
        return None
    first = bench.dataset.split("calibration")[:1]
    return bench.dataset.preprocess, bench.dataset.read(first)


def _exported(bench: Bench, model: Model, spec: Spec, folder: Path) -> tuple[Path, int]:
    """Return the file that a network ships as, and how many operations stay in float."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_keras(model, folder / "model.keras")
    spec.write(folder / "spec.json")
    return make_shipped_file(
        folder,
        bench.form,
        dataset=bench.dataset,
        calibration=calibration_of(bench, spec.score),
        io=bench.config.export.io,
        granularity=bench.config.compress.quantize.weight_scales,
    )


def _robust(bench: Bench, model: Model) -> float:
    """Return the robust accuracy of the float network on validation under PGD, in [0, 1]."""
    reach, steps = attack_of(bench.config)
    space = fit_threat_model(bench.dataset, reach, model, where="audit", norm=reach["norm"])
    positions = evenly(bench.dataset.split("validation"), ATTACKED)
    samples, names = samples_of(bench.dataset, space, positions), bench.dataset.class_names or ()
    seed = fold_seed(bench.config.seed, "tune", "attack")
    return float(
        judge(model, space, samples, names=names, steps=steps, seed=seed)().robust_accuracy
    )
