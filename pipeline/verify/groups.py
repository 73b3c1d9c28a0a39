"""Metrics per group: for each speaker, machine, region or whatever the data names. Pure."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.parity import GroupResult
from pipeline.tasks.task import Task
from pipeline.verify.recordings import metrics_with

MOST = 100


def measure_groups(
    task: Task,
    labels: Array,
    groups: Array,
    *,
    outputs: Mapping[str, Array],
    recordings: Array | None = None,
) -> dict[str, GroupResult]:
    """Return group -> its metrics, of at most MOST groups, the largest first.

    Args:
        task: whose metrics count.
        labels: class ids or targets (N,).
        groups: of each sample (N,).
        outputs: `reference` and each format -> its answers (N, K).
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
                form: metrics_with(task, labels[own], answers[own], recordings=whose)
                for form, answers in outputs.items()
            },
        )
    return rows
