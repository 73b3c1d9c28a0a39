"""Train the network. Reads dataset, spec; writes model.keras (the reference), history.csv."""

import json
from pathlib import Path

from pipeline.artifacts import Inputs, Metrics, read_json
from pipeline.config.schema import Config, Train
from pipeline.data.dataset import open_dataset
from pipeline.models.save import save_keras
from pipeline.tasks import TASKS
from pipeline.train.history import write_history
from pipeline.train.supervised import train_network


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Train the spec's network, with what `tune` found where it searched the training too."""
    spec = read_json(inputs["spec"] / "spec.json")
    settings = config.train
    if "train" in spec:
        settings = Train.model_validate_json(json.dumps(spec["train"]))
    trained = train_network(
        spec,
        settings,
        open_dataset(inputs["dataset"]),
        batch_size=config.data.batch_size,
        augment=[change.model_dump() for change in config.data.augment],
        seed=config.seed,
        out=out,
    )
    save_keras(trained.model, out / "model.keras")
    write_history(out / "history.csv", trained.history)
    metric = f"val_{TASKS[config.task].metric}"
    return Metrics({"epochs": (len(trained.history), ""), metric: (trained.validation[metric], "")})
