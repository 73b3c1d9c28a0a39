"""Forecasts of a series from its own past only: the value one season ago, and ARIMA.

Both take windows of one channel in its own unit (N, T), and predict how much it changes until
`horizon` steps after the window's end, as the network does.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.verify.seasonal import SeasonalNaive

MOST = 3  # p and q at most
EXACT = 1e-12  # of a series' variance: errors below it are those of arithmetic
LONG = 8  # order of the autoregression whose errors stand for the unknown ones


def forecasters(horizon: int) -> dict[str, Any]:
    """Return name -> untrained forecaster."""
    return {"seasonal naive": SeasonalNaive(horizon), "ARIMA": Arima(horizon)}


@dataclass
class Arima:
    """ARIMA(p, d, q) (Box and Jenkins 1970) of the least AIC, fitted by Hannan and Rissanen 1982.

    A long autoregression estimates the errors; steps are then regressed on the steps and the errors
    before them. Each window is forecast from its own steps; errors before them count as zero.
    """

    horizon: int
    order: tuple[int, int, int] = (0, 1, 0)
    mean: float = 0.0
    weights: Array = field(default_factory=lambda: np.zeros(0))
    """Of the p steps and the q errors before, the latest first."""

    def fit(self, windows: Array, changes: Array) -> None:
        """Choose the order by AIC, and fit its weights on all windows together.

        Args:
            windows: (N, T), in the channel's unit.
            changes: not used; the fit is on one step.
        """
        long = min(LONG, windows.shape[1] // 3)
        most = min(MOST, (windows.shape[1] - 1 - long) // 2)
        found, floor = [], EXACT * float(windows.var()) + np.finfo(np.float64).tiny
        for d in (0, 1):
            mean = 0.0 if d else float(windows.mean())
            steps = np.diff(windows, axis=1) if d else windows - mean
            errors = np.zeros_like(steps)
            rows, values = _lags(steps, long, long), steps[:, long:].ravel()
            apart = values - rows @ np.linalg.lstsq(rows, values, rcond=None)[0]
            errors[:, long:] = apart.reshape(len(steps), -1)
            first = long + most + 1 - d  # the same moments for every order
            for p, q in itertools.product(range(most + 1), repeat=2):
                x = np.hstack([_lags(steps, p, first), _lags(errors, q, first)])
                y = steps[:, first:].ravel()
                weights = np.linalg.lstsq(x, y, rcond=None)[0]
                if np.abs(np.roots([1.0, *weights[p:]])).max(initial=0) >= 1:
                    continue  # not invertible: errors would grow from step to step
                variance = float(((y - x @ weights) ** 2).mean())
                aic = len(y) * np.log(max(variance, floor)) + 2 * (p + q)
                found.append((aic, (p, d, q), mean, weights))
        _, self.order, self.mean, self.weights = min(found, key=lambda row: row[:2])

    def predict(self, windows: Array) -> Array:
        """Return the change of each window (N,), by the recursion of its errors."""
        p, d, q = self.order
        steps = np.diff(windows, axis=1) if d else windows - self.mean
        errors, count = np.zeros_like(steps), steps.shape[1]

        def expected(t: int) -> Array:
            past = [steps[:, t - 1 - i] for i in range(p)] + [
                errors[:, t - 1 - i] for i in range(q)
            ]
            return sum(
                (w * x for w, x in zip(self.weights, past, strict=True)), np.zeros(len(steps))
            )

        for t in range(max(p, q), count):
            errors[:, t] = steps[:, t] - expected(t)
        for t in range(count, count + self.horizon):
            steps = np.hstack([steps, expected(t)[:, None]])
            errors = np.hstack([errors, np.zeros((len(errors), 1))])
        ahead = steps[:, count:] + self.mean
        return np.asarray(ahead.sum(axis=1) if d else ahead[:, -1] - windows[:, -1])


FORECASTERS = (SeasonalNaive, Arima)


def _lags(values: Array, count: int, first: int) -> Array:
    """Return the `count` values before each step from `first` on: (N * steps, count)."""
    length = values.shape[1]
    columns = [values[:, first - 1 - i : length - 1 - i].ravel() for i in range(count)]
    return np.stack(columns, axis=1) if columns else np.zeros((values[:, first:].size, 0))
