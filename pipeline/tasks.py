"""TASKS: what each task measures, decides, and calls agreement; plain NumPy, no TensorFlow.

Legend: N samples, K classes or outputs. Outputs are what a model answers: probabilities (N, K) for
classification, shares of normal and anomalous (N, 2) for detectors, values in the target's own unit
(N, 1) for regression. Losses live in train/step.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pipeline.arrays import Array

AGREEMENT_SHARE = 0.01  # of the target's 5-95 % range: two values nearer than this are one decision


@dataclass(frozen=True)
class Task:
    """How the answers of a model are judged."""

    metric: str
    """Name of the metric that gates look at; a key of what `metrics` returns."""
    direction: Literal["up", "down"]
    """Whether more is better."""
    is_relative: bool
    """Whether a drop is counted relative to the reference's value, as for errors."""
    score: Callable[[Array, Array], float]
    """(labels (N,), outputs (N, K)) -> value of `metric` alone, for those who need it often."""
    metrics: Callable[[Array, Array], dict[str, float]]
    """(labels (N,), outputs (N, K)) -> name -> value."""
    decisions: Callable[[Array], Array]
    """outputs (N, K) -> the decision for each sample (N,)."""
    agree: Callable[[Array, Array, Array], Array]
    """(decisions, decisions, labels) -> whether two decisions count as the same (N,)."""


def metric_drop(task: Task, reference: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how much worse `other` is, positive when worse; relative for errors."""
    sign = 1 if task.direction == "up" else -1
    drop = sign * (reference[task.metric] - other[task.metric])
    return drop / abs(reference[task.metric]) if task.is_relative else drop


def _accuracy(labels: Array, outputs: Array) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _r2(labels: Array, outputs: Array) -> float:
    """Return the coefficient of determination: 1 is perfect, 0 as good as the mean."""
    error = outputs[:, 0].astype(np.float64) - labels
    spread = float(((labels - labels.mean(dtype=np.float64)) ** 2).sum())
    return 1 - float((error**2).sum()) / spread if spread else 0.0


def _relative_mae(labels: Array, outputs: Array) -> float:
    """Return the mean absolute error over that of the naive forecast, which is no change: zero."""
    naive = float(np.abs(labels.astype(np.float64)).mean())
    return _mae(labels, outputs) / naive if naive else 1.0


def _mae(labels: Array, outputs: Array) -> float:
    return float(np.abs(outputs[:, 0].astype(np.float64) - labels).mean())


def _rmse(labels: Array, outputs: Array) -> float:
    return float(np.sqrt(((outputs[:, 0].astype(np.float64) - labels) ** 2).mean()))


def _classification_metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return accuracy, macro-averaged F1 and, for two classes, the area under the ROC curve.

    A class that is neither there nor answered has no F1 and is left out of the average.
    """
    decided = outputs.argmax(axis=1)
    found = {"accuracy": _accuracy(labels, outputs)}
    scores = []
    for k in range(outputs.shape[1]):
        true, said = labels == k, decided == k
        if true.any() or said.any():
            scores.append(2 * float((true & said).sum()) / float(true.sum() + said.sum()))
    found["macro_f1"] = float(np.mean(scores))
    if outputs.shape[1] == 2 and 0 < labels.sum() < len(labels):
        found["auc"] = area_under_roc(labels, outputs[:, 1])
    return found


def _auc(labels: Array, outputs: Array) -> float:
    """Return the area under the ROC curve; one half, as by chance, where a class is missing."""
    if not 0 < labels.sum() < len(labels):
        return 0.5
    return area_under_roc(labels, outputs[:, 1])


def _anomaly_metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return the area under the ROC curve, and precision, recall and F1 at the threshold."""
    flagged, is_anomaly = outputs.argmax(axis=1) == 1, labels == 1
    found = float((flagged & is_anomaly).sum())
    return {
        "auc": _auc(labels, outputs),
        "f1": 2 * found / max(1.0, float(flagged.sum() + is_anomaly.sum())),
        "precision": found / max(1.0, float(flagged.sum())),
        "recall": found / max(1.0, float(is_anomaly.sum())),
    }


def area_under_roc(labels: Array, scores: Array) -> float:
    """Return the chance that a positive scores above a negative, ties counted half.

    The Mann-Whitney form (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    Args:
        labels: 1 for positive, 0 for negative; both must be there.
        scores: the larger, the more positive.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int((labels == 1).sum())
    negatives = len(labels) - positives
    return float(
        (mean_rank[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def _regression_metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return the coefficient of determination R2, and MAE and RMSE in the target's unit."""
    return {
        "r2": _r2(labels, outputs),
        "mae": _mae(labels, outputs),
        "rmse": _rmse(labels, outputs),
    }


def _forecasting_metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return the mean absolute error, alone and relative to that of the naive forecast.

    Values are changes from the last known one, and the naive forecast is no change: so its error is
    the mean size of the changes (Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001).
    """
    return {
        "relative_mae": _relative_mae(labels, outputs),
        "mae": _mae(labels, outputs),
        "rmse": _rmse(labels, outputs),
    }


def _value_agreement(a: Array, b: Array, labels: Array) -> Array:
    low, high = np.percentile(labels, [5, 95])
    return np.abs(a - b) <= AGREEMENT_SHARE * (high - low)


TASKS = {
    "classification": Task(
        metric="accuracy",
        direction="up",
        is_relative=False,
        score=_accuracy,
        metrics=_classification_metrics,
        decisions=lambda outputs: outputs.argmax(axis=1),
        agree=lambda a, b, labels: a == b,
    ),
    "anomaly": Task(
        metric="auc",
        direction="up",
        is_relative=False,
        score=_auc,
        metrics=_anomaly_metrics,
        decisions=lambda outputs: outputs.argmax(axis=1),
        agree=lambda a, b, labels: a == b,
    ),
    "regression": Task(
        metric="r2",
        direction="up",
        is_relative=False,
        score=_r2,
        metrics=_regression_metrics,
        decisions=lambda outputs: outputs[:, 0],
        agree=_value_agreement,
    ),
    "forecasting": Task(
        metric="relative_mae",
        direction="down",
        is_relative=True,
        score=_relative_mae,
        metrics=_forecasting_metrics,
        decisions=lambda outputs: outputs[:, 0],
        agree=_value_agreement,
    ),
}


# What `task_metric` may name beside the task's own metric: the score alone of it.
OTHERS: dict[str, dict[str, Callable[[Array, Array], float]]] = {
    "classification": {
        "macro_f1": lambda labels, outputs: _classification_metrics(labels, outputs)["macro_f1"],
        "auc": _auc,
    }
}


def task_of(task: str, metric: str = "auto") -> Task:
    """Return a task, judged by one of its metrics.

    Args:
        task: key of TASKS.
        metric: of `task_metric`; auto, or the task's own: as TASKS says.
    """
    found = TASKS[task]
    if metric in ("auto", found.metric):
        return found
    return replace(found, metric=metric, score=OTHERS[task][metric])


def allowed_changes(share: float, samples: int) -> int:
    """Return how many decisions may be others on another runtime: a share, and always one."""
    return max(1, int(share * samples))
