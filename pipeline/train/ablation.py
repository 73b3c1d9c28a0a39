"""A training that builds on another (pre-training, a teacher), and the gain by it."""

from pathlib import Path
from typing import Any

from pipeline.artifacts import WORK
from pipeline.documents.spec import Spec
from pipeline.tasks import TASKS
from pipeline.train.supervised import Trained


def folder_of(out: Path, name: str) -> Path:
    """Return a folder for the checkpoints of a training beside the main one."""
    folder = out / WORK / name
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    return folder


def validation_metric(trained: Trained, spec: Spec) -> float:
    """Return a network's metric on the validation split."""
    return float(trained.validation[f"val_{TASKS[spec.task].metric}"])


def describe_gain(spec: Spec, own: Trained, alone: Trained | None) -> dict[str, Any]:
    """Return the fields of a `Gain`.

    Args:
        spec: of the network.
        own: the network as it is kept.
        alone: the same network trained without the first training; None: it was not trained.
    """
    task = TASKS[spec.task]
    return {
        "metric": task.metric,
        "direction": task.direction,
        "metric_with": validation_metric(own, spec),
        "metric_without": None if alone is None else validation_metric(alone, spec),
    }
