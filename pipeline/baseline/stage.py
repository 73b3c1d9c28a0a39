"""What a classical model reaches. Reads dataset; writes baseline.json and outputs.npz.

It holds each model's metrics on the split that `verify` judges files by, and on validation, so that
one can tell whether a network is worth it. The predictions are for the paired test there.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Model
from pipeline.artifacts import Inputs, Metrics, write_arrays
from pipeline.baseline import classical, forecasts
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.documents.baseline import Baseline, BaselineModel
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS, task_of
from pipeline.verify.seasonal import windows_of

log = logging.getLogger(__name__)

CHUNK = 4096  # samples prepared at once
PREDICTION = "prediction"  # name of the only output of a classical model


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Train each model on train, and measure it as the network will be."""
    settings = config.baseline
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    task, final = task_of(config.task, config.task_metric), config.verify.split
    train = dataset.split("train")
    if len(train) > settings.max_samples:
        labels = np.asarray(dataset.labels[train])
        train = train[classical.thin_rows(labels, settings.max_samples)]
    judge, see = _judge(config, dataset), _sight(dataset)
    labels = np.asarray(dataset.labels[train])
    rows: list[BaselineModel] = []
    predictions, seconds, skipped = {}, {}, {}
    for name, model in _family(config, dataset).items():
        started = time.monotonic()
        try:
            converged = classical.fit(model, see(model, train), labels)
        except ValueError as error:
            skipped[name] = f"cannot be fitted: {str(error).splitlines()[0]}"
            log.info("          %s: left out, %s", name, skipped[name])
            continue
        trained = time.monotonic()
        facts = {"name": name, "training_samples": len(train), "converged": converged}
        row, outputs = judge(model, see, facts)
        predictions[name] = outputs.astype(np.float32)
        seconds[name] = {"train": trained - started, "predict": time.monotonic() - trained}
        rows.append(row)
        (low, high), reached = row.ci95, row.metrics[task.metric]
        result = f"{name}: {reached:.4f} ({low:.3f} to {high:.3f})"
        log.info("          %s  %.1f s", result, time.monotonic() - started)
    sign = 1 if task.direction == "up" else -1
    best = max(rows, key=lambda row: sign * row.validation[task.metric])
    Baseline(metric=task.metric, split=final, models=tuple(rows), best=best.name).write(
        out / "baseline.json"
    )
    write_arrays(out / "outputs.npz", predictions)
    reached = best.metrics[task.metric]
    return Metrics({best.name.replace(" ", "_"): (reached, "")}, skipped=skipped, seconds=seconds)


Sight = Callable[[Any, Any], Any]


def _sight(dataset: Dataset) -> Sight:
    """Return a function (model, indices of samples) -> the model's inputs: rows, or windows."""
    kept: dict[Any, Any] = {}

    def see(model: Model, positions: Any) -> Any:
        form = windows_of if isinstance(model, forecasts.FORECASTERS) else _features
        key = form.__name__, positions.tobytes()
        if key not in kept:
            kept[key] = form(dataset, positions)
        return kept[key]

    return see


def _judge(
    config: Config, dataset: Dataset
) -> Callable[[Any, Sight, dict[str, Any]], tuple[BaselineModel, Array]]:
    """Return a function that measures a trained model on validation and on the network's split."""
    task, final = task_of(config.task, config.task_metric), config.verify.split
    parts = {name: dataset.split(name) for name in dict.fromkeys(("validation", final))}
    wanted = {name: dataset.targets(positions) for name, positions in parts.items()}
    classes = len(dataset.class_names) if dataset.class_names else None
    seed = fold_seed(config.seed, "bootstrap")

    def judge(model: Model, see: Sight, facts: dict[str, Any]) -> tuple[BaselineModel, Array]:
        found = {
            name: {PREDICTION: classical.outputs(model, see(model, positions), classes)}
            for name, positions in parts.items()
        }
        low, high = classical.interval(task, wanted[final], found[final], seed=seed)
        row = BaselineModel(
            **facts,
            metrics=task.metrics(wanted[final], found[final]),
            ci95=(low, high),
            validation=task.metrics(wanted["validation"], found["validation"]),
            size_bytes=classical.size_bytes(model),
            tree=classical.tree_of(model),
        )
        return row, found[final][PREDICTION]

    return judge


def _family(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Return name -> untrained model for the task; texts, series and readable models add some."""
    seed, task = fold_seed(config.seed, "baseline"), TASKS[config.task]
    models = classical.FAMILIES[task.baselines](seed, _channels(dataset))
    is_text = all(KINDS[entry.kind].is_text for entry in dataset.preprocess.inputs)
    if is_text and task.learns_classes:
        models = classical.for_texts(models)
    target = dataset.preprocess.target
    if target is not None and target.horizon is not None:
        models |= forecasts.forecasters(target.horizon)
    assert config.baseline is not None
    if config.baseline.interpretable and not task.predicts_input:
        models["readable tree"] = classical.readable_tree(seed, is_class=bool(dataset.class_names))
    return models


def _channels(dataset: Dataset) -> int | None:
    """Return the channels of a series; None where the samples are something else."""
    entry, *others = dataset.preprocess.inputs
    has_channels = KINDS[entry.kind].has_channels and not others
    return int(entry.shape[-1]) if has_channels else None


def _features(dataset: Dataset, positions: Any) -> Any:
    """Return the model inputs of samples as rows, prepared as the network sees them."""
    parts = []
    for start in range(0, len(positions), CHUNK):
        raw = dataset.read(positions[start : start + CHUNK])
        prepared = [
            classical.features(prepare_input(raw[entry.name], entry), entry)
            for entry in dataset.preprocess.inputs
        ]
        parts.append(np.concatenate(prepared, axis=1))
    return np.concatenate(parts)
