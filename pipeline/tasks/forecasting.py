"""Forecasting: how much a series will have changed, from its last known value."""

import numpy as np

from pipeline.arrays import Array
from pipeline.tasks.metrics import mae, rmse
from pipeline.tasks.task import Output, Target, Task, close_values, of_one, predicted_value


def _relative_mae(targets: Array, outputs: Array) -> float:
    """Return the mean absolute error over that of the naive forecast, which is no change: zero."""
    naive = float(np.abs(targets.astype(np.float64)).mean())
    return mae(targets, outputs) / naive if naive else 1.0


def _metrics(targets: Array, outputs: Array) -> dict[str, float]:
    """Return the mean absolute error, absolute and relative to that of the naive forecast.

    Targets are changes from the last known value, and the naive forecast is no change: its error is
    the mean size of the changes (Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001).
    """
    return {
        "relative_mae": _relative_mae(targets, outputs),
        "mae": mae(targets, outputs),
        "rmse": rmse(targets, outputs),
    }


FORECASTING = Task(
    metric="relative_mae",
    direction="down",
    is_relative=True,
    score=of_one(_relative_mae),
    metrics=of_one(_metrics),
    metric_names=("relative_mae", "mae", "rmse"),
    other_scores={},
    decisions=predicted_value,
    agree=close_values,
    skill=of_one(lambda targets, outputs: 1 - _relative_mae(targets, outputs)),
    constants=lambda targets, classes: {"no change": [0.0]},
    constant_score=lambda counts: 1.0,
    targets=(Target(name="change", dtype="float32"),),
    outputs=(
        Output(name="value", meaning="change from the last value, in deviations from its mean"),
    ),
    losses=("mae", "mse", "huber"),
    takes_changes=True,
    baselines="forecasters",
    split="time",
)
