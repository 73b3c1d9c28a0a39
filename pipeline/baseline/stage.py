"""What a classical model reaches. Reads dataset; writes baseline.json.

It holds each model's metrics on the split that `verify` judges files by, and on validation, so that
one can tell whether a network is worth it.
"""

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

    def judged_on(split: str, model: Any) -> dict[str, float]:
        wanted = np.asarray(dataset.labels[dataset.split(split)])
        return task.metrics(wanted, classical.outputs(model, features[split], classes))

    rows: list[dict[str, Any]] = []
    family = classical.FAMILIES[config.task](fold_seed(config.seed, "baseline"), _channels(dataset))
    for name, model in family.items():
        converged = classical.fit(model, x, labels)
        row = {
            "name": name,
            "metrics": judged_on(config.verify.split, model),
            "validation": judged_on("validation", model),
            "size_bytes": classical.size_bytes(model),
            "n_train": len(train),
            "converged": converged,
        }
        rows.append(row)
    sign = 1 if task.direction == "up" else -1
    best = max(rows, key=lambda row: sign * row["validation"][task.metric])["name"]
    write_json(
        out / "baseline.json",
        {"schema": SCHEMA, "metric": task.metric, "models": rows, "best": best},
    )
    return Metrics(
        {row["name"].replace(" ", "_"): (row["metrics"][task.metric], "") for row in rows}
    )


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
