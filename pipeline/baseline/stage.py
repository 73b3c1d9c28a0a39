"""What a classical model reaches. Reads dataset; writes baseline.json.

It holds each model's metrics on the split that `verify` judges files by, and on validation, so that
one can tell whether a network is worth it.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, Inputs, Metrics, write_json
from pipeline.baseline import classical
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.runner import prepare
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS

log = logging.getLogger(__name__)

CHUNK = 4096  # samples prepared at once


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Train each model on train, and measure it as the network will be."""
    settings = config.baseline
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    task = TASKS[config.task]
    train = dataset.split("train")
    if len(train) > settings.max_samples:
        train = train[np.linspace(0, len(train) - 1, settings.max_samples).astype(int)]
    judged: list[str] = list(dict.fromkeys(("validation", config.verify.split)))
    features = {name: _features(dataset, dataset.split(name)) for name in judged}
    x, labels = _features(dataset, train), np.asarray(dataset.labels[train])
    classes = len(dataset.class_names) if dataset.class_names else None

    judge = _judge(config, dataset, features, classes)
    rows: list[dict[str, Any]] = []
    for name, model in _family(config, dataset).items():
        started = time.monotonic()
        converged = classical.fit(model, x, labels)
        row = {"name": name, **judge(model), "n_train": len(train), "converged": converged}
        rows.append(row)
        (low, high), seconds = row["ci95"], time.monotonic() - started
        told = f"{name}: {row['metrics'][task.metric]:.4f} ({low:.3f} to {high:.3f})"
        log.info("          %s  %.1f s", told, seconds)
    sign = 1 if task.direction == "up" else -1
    best = max(rows, key=lambda row: sign * row["validation"][task.metric])["name"]
    write_json(
        out / "baseline.json",
        {"schema": SCHEMA, "metric": task.metric, "models": rows, "best": best},
    )
    reached = next(row for row in rows if row["name"] == best)["metrics"][task.metric]
    return Metrics({best.replace(" ", "_"): (reached, "")})


def _judge(
    config: Config, dataset: Dataset, features: dict[str, Any], classes: int | None
) -> Callable[[Any], dict[str, Any]]:
    """Return a function that measures a trained model on validation and as the network will be."""
    task, final = TASKS[config.task], config.verify.split
    wanted = {name: np.asarray(dataset.labels[dataset.split(name)]) for name in features}
    seed = fold_seed(config.seed, "bootstrap")

    def judge(model: Any) -> dict[str, Any]:
        found = {name: classical.outputs(model, x, classes) for name, x in features.items()}
        low, high = classical.interval(task, wanted[final], found[final], seed)
        return {
            "metrics": task.metrics(wanted[final], found[final]),
            "ci95": [low, high],
            "validation": task.metrics(wanted["validation"], found["validation"]),
            "size_bytes": classical.size_bytes(model),
        }

    return judge


def _family(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Return name -> untrained model for the task, and for texts one of their own."""
    models = classical.FAMILIES[config.task](fold_seed(config.seed, "baseline"), _channels(dataset))
    kinds = [entry["kind"] for entry in dataset.preprocess["inputs"]]
    is_text = kinds == ["tokens"] and config.task == "classification"
    return classical.for_texts(models) if is_text else models


def _channels(dataset: Dataset) -> int | None:
    """Return the channels of a series; None where the samples are something else."""
    kinds = [(entry["kind"], entry["shape"]) for entry in dataset.preprocess["inputs"]]
    return int(kinds[0][1][-1]) if len(kinds) == 1 and kinds[0][0] == "series" else None


def _features(dataset: Dataset, positions: Any) -> Any:
    """Return the model inputs of samples as rows, prepared as the network sees them."""
    parts = []
    for start in range(0, len(positions), CHUNK):
        raw = dataset.read(positions[start : start + CHUNK])
        prepared = [
            classical.features(prepare(raw[entry["name"]], entry), entry)
            for entry in dataset.preprocess["inputs"]
        ]
        parts.append(np.concatenate(prepared, axis=1))
    return np.concatenate(parts)
