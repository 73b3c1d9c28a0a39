"""A training that begins with another, and what the other gained: pre-training, a teacher."""

from pathlib import Path
from typing import Any

from pipeline.arrays import Model
from pipeline.artifacts import WORK, read_json
from pipeline.documents.spec import Spec
from pipeline.tasks import TASKS

TOLD = (
    "pretraining",
    "distillation",
    "range_test",
    "warnings",
    "learning",
)  # what training may write down of itself


def training_records(history: Path) -> dict[str, Any]:
    """Return what a training wrote down of itself; None for what there was not.

    Args:
        history: folder of the `train` stage.
    """
    paths = {name: history / f"{name}.json" for name in TOLD}
    return {name: read_json(path) if path.exists() else None for name, path in paths.items()}


def folder_of(out: Path, name: str) -> Path:
    """Return a folder for the checkpoints of a training beside the main one."""
    folder = out / WORK / name
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    return folder


def validation_metric(trained: Model, spec: Spec) -> float:
    """Return a network's metric on the validation split."""
    return float(trained.validation[f"val_{TASKS[spec.output.task].metric}"])


def describe_gain(spec: Spec, own: Any, alone: Any | None, **facts: Any) -> dict[str, Any]:
    """Return what is written down of the gain.

    Args:
        spec: of the network.
        own: the network as it is kept.
        alone: the same network without what came first; None: it was not trained.
        facts: what else is to be said.
    """
    task = TASKS[spec.output.task]
    return {
        **facts,
        "metric": task.metric,
        "direction": task.direction,
        "split": "validation",
        "with": validation_metric(own, spec),
        "without": None if alone is None else validation_metric(alone, spec),
    }
