"""What a detector says of whole recordings, of which each sample is a window. Pure.

A recording's score is the mean over its windows, as in DCASE 2020 task 2 and MLPerf Tiny (Banbury
et al. 2021, arXiv:2106.07597): one strange moment among many counts little, a strange hum much.
"""

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.tasks.metrics import auc
from pipeline.tasks.task import Task

AUC = "recording_auc"  # the name that it has among the metrics
MOST = 1 - 2.0**-24  # the next float32 below one: an output of one would be an infinite score


def metrics_with(
    task: Task,
    targets: Arrays,
    outputs: Arrays,
    *,
    recordings: Array | None,
    groups: Array | None = None,
) -> dict[str, float]:
    """Return the task's metrics, and those of whole recordings where samples are windows of some.

    Args:
        task: whose metrics count.
        targets: name -> (N, ...).
        outputs: name -> (N, ...).
        recordings: of which each sample of a detector is a window (N,); None: it is none.
        groups: as for `recording_auc`.
    """
    found = task.metrics(targets, outputs)
    if recordings is None:
        return found
    return found | {AUC: recording_auc(only(targets), only(outputs), recordings, groups=groups)}


def recording_auc(
    labels: Array, outputs: Array, recordings: Array, *, groups: Array | None = None
) -> float:
    """Return the area under the ROC curve over recordings; the mean over groups that have both.

    Args:
        labels: 1 for an anomaly (N,); a recording with an anomalous window is anomalous.
        outputs: (N, 2), normal and anomalous, in [0, 1].
        recordings: of each window (N,).
        groups: machine, site, … of each window (N,); None: all are one.
    """
    if groups is None:
        return _auc(labels, outputs, recordings)
    both = [
        own
        for own in (groups == name for name in np.unique(groups))
        if 0 < labels[own].sum() < own.sum()
    ]
    areas = [_auc(labels[own], outputs[own], recordings[own]) for own in both]
    return float(np.mean(areas)) if areas else _auc(labels, outputs, recordings)


def _auc(labels: Array, outputs: Array, recordings: Array) -> float:
    _, inverse, counts = np.unique(recordings, return_inverse=True, return_counts=True)
    share = np.minimum(outputs[:, 1].astype(np.float64), MOST)
    mean = np.bincount(inverse, share / (1 - share)) / counts  # the scores, in thresholds
    is_anomaly = np.bincount(inverse, labels) > 0
    return auc(is_anomaly.astype(int), np.stack([-mean, mean], axis=1))
