"""A training that begins with another, and what the other gained: pre-training, a teacher."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import WORK
from pipeline.tasks import TASKS


def folder_of(out: Path, name: str) -> Path:
    """Return a folder for the checkpoints of a training beside the main one."""
    folder = out / WORK / name
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    return folder


def validated(trained: Any, spec: Mapping[str, Any]) -> float:
    """Return a network's metric on the validation split."""
    return float(trained.validation[f"val_{TASKS[spec['output']['task']].metric}"])


def gained(spec: Mapping[str, Any], own: Any, alone: Any | None, **facts: Any) -> dict[str, Any]:
    """Return what is written down of the gain.

    Args:
        spec: of the network.
        own: the network as it is kept.
        alone: the same network without what came first; None: it was not trained.
        facts: what else is to be said.
    """
    task = TASKS[spec["output"]["task"]]
    return {
        **facts,
        "metric": task.metric,
        "direction": task.direction,
        "split": "validation",
        "with": validated(own, spec),
        "without": None if alone is None else validated(alone, spec),
    }
