"""Metrics per group: for each speaker, machine, region or whatever the data names. Pure."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array, Arrays, take
from pipeline.documents.parity import GroupResult
from pipeline.tasks.task import Task
from pipeline.verify.recordings import metrics_with

MOST = 100


def measure_groups(
    task: Task,
    targets: Arrays,
    groups: Array,
    *,
    outputs: Mapping[str, Arrays],
    recordings: Array | None = None,
) -> dict[str, GroupResult]:
    """Return group -> its metrics, of at most MOST groups, the largest first.

    Args:
        task: whose metrics count.
        targets: name -> (N, ...).
        groups: of each sample (N,).
        outputs: `reference` and each format -> its outputs by name.
        recordings: of which each sample of a detector is a window (N,); None: it is none.
    """
    names, counts = np.unique(groups, return_counts=True)
    largest = sorted(zip(-counts, names, strict=True))[:MOST]
    rows = {}
    for count, name in largest:
        own = groups == name
        whose = None if recordings is None else recordings[own]
        rows[str(name)] = GroupResult(
            samples=int(-count),
            metrics={
                form: metrics_with(task, take(targets, own), take(answers, own), recordings=whose)
                for form, answers in outputs.items()
            },
        )
    return rows
