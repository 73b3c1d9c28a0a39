"""Regression: one value a sample, in the target's own unit."""

import numpy as np

from pipeline.arrays import Array
from pipeline.tasks.metrics import mae, rmse
from pipeline.tasks.task import Output, Target, Task, close_values, of_one, predicted_value


def _r2(targets: Array, outputs: Array) -> float:
    """Return the coefficient of determination: 1 is perfect, 0 as good as the mean."""
    error = outputs[:, 0].astype(np.float64) - targets
    spread = float(((targets - targets.mean(dtype=np.float64)) ** 2).sum())
    return 1 - float((error**2).sum()) / spread if spread else 0.0


def _metrics(targets: Array, outputs: Array) -> dict[str, float]:
    """Return the coefficient of determination R2, and MAE and RMSE in the target's unit."""
    return {
        "r2": _r2(targets, outputs),
        "mae": mae(targets, outputs),
        "rmse": rmse(targets, outputs),
    }


def _central_values(targets: Array, classes: int) -> dict[str, list[float]]:
    """Return the mean and the median of the targets of training; hidden ones are NaN."""
    return {"the mean": [float(np.nanmean(targets))], "the median": [float(np.nanmedian(targets))]}


REGRESSION = Task(
    metric="r2",
    direction="up",
    score=of_one(_r2),
    metrics=of_one(_metrics),
    metric_names=("r2", "mae", "rmse"),
    other_scores={},
    decisions=predicted_value,
    agree=close_values,
    skill=of_one(_r2),
    constants=_central_values,
    constant_score=lambda counts: 0.0,
    targets=(Target(name="value", dtype="float32"),),
    outputs=(Output(name="value", meaning="the value, in deviations of the target from its mean"),),
    losses=("mse", "mae", "huber"),
    takes_hidden_labels=True,
    baselines="regressors",
    split="random",
)
