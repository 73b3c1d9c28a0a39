"""Classical models on flattened inputs: what one reaches without a network."""

import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from pipeline.device.runner import anomaly_shares

Array = np.ndarray[Any, np.dtype[Any]]

ITERATIONS = 200  # of the solver, and of boosting; both stop earlier where they converge
HELD_BACK = 20  # samples of the rarest class: above it, holding back a tenth leaves some of each
DETECTED = 0.99  # share of normal rows below a detector's threshold
STILL = 1e-6  # deviation below which a window counts as still
FEATURES = 400  # columns at most: images beyond are averaged down, and lose little to these models


@dataclass
class Detector:
    """A model that finds what is strange; it learns from what is normal alone."""

    score: Callable[[Any, Array], Array]
    """(model, rows) -> the larger, the stranger, above zero (N,)."""
    model: Any
    threshold: float = 1.0

    def fit(self, x: Array, labels: Array) -> None:
        """Learn from normal rows; what a hundredth of them passes is the threshold."""
        if self.model is not None:
            self.model.fit(x)
        self.threshold = float(np.quantile(self.score(self.model, x), DETECTED)) or 1.0

    def answers(self, x: Array) -> Array:
        """Return the shares of normal and anomalous (N, 2)."""
        return anomaly_shares(self.score(self.model, x), self.threshold)


def detectors(seed: int, channels: int | None) -> dict[str, Any]:
    """Return name -> untrained detector; of series (channels known) also the rolling z-score."""
    forest = IsolationForest(n_estimators=ITERATIONS, random_state=seed)
    found = {"isolation forest": Detector(lambda model, x: -model.score_samples(x), forest)}
    if channels is not None:
        found["rolling z-score"] = Detector(lambda _, x: rolling_z(x, channels), None)
    return found


def rolling_z(x: Array, channels: int) -> Array:
    """Return how many deviations the last step is from the mean of those before it (N,).

    Args:
        x: windows as rows (N, steps * channels).
        channels: the largest of their values counts.
    """
    windows = x.reshape(len(x), -1, channels).astype(np.float64)
    before, last = windows[:, :-1], windows[:, -1]
    deviation = np.maximum(before.std(axis=1), STILL)
    return np.asarray((np.abs(last - before.mean(axis=1)) / deviation).max(axis=1))


def classifiers(seed: int, channels: int | None) -> dict[str, Any]:
    """Return name -> untrained model for classes."""
    boosting = HistGradientBoostingClassifier(
        max_iter=ITERATIONS, max_leaf_nodes=15, early_stopping=True, random_state=seed
    )
    return {
        "logistic regression": LogisticRegression(max_iter=ITERATIONS),
        "gradient boosting": boosting,
    }


def regressors(seed: int, channels: int | None) -> dict[str, Any]:
    """Return name -> untrained model for values."""
    boosting = HistGradientBoostingRegressor(
        max_iter=ITERATIONS, max_leaf_nodes=15, early_stopping=True, random_state=seed
    )
    return {"linear regression": Ridge(alpha=1.0), "gradient boosting": boosting}


FAMILIES: dict[str, Callable[[int, int | None], dict[str, Any]]] = {
    "anomaly": detectors,
    "classification": classifiers,
    "regression": regressors,
    "forecasting": regressors,
}


def fit(model: Any, x: Array, labels: Array) -> bool:
    """Train a model, and tell whether its solver converged.

    Boosting holds samples of every class back to know when to stop; where there are too few of one,
    it makes all its iterations.
    """
    if isinstance(model, HistGradientBoostingClassifier):
        rarest = np.unique(labels, return_counts=True)[1].min()
        model.set_params(early_stopping=bool(rarest >= HELD_BACK))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, labels)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def outputs(model: Any, x: Array, classes: int | None) -> Array:
    """Return probabilities (N, classes), or values (N, 1); classes never trained have 0."""
    if isinstance(model, Detector):
        return model.answers(x)
    if classes is None:
        return np.asarray(model.predict(x))[:, None]
    found = np.zeros((len(x), classes))
    found[:, model.classes_.astype(int)] = model.predict_proba(x)
    return found


def size_bytes(model: Any) -> int:
    """Return the bytes of the trained model, as it would be stored."""
    return len(pickle.dumps(model.model if isinstance(model, Detector) else model))


def features(x: Array, entry: Mapping[str, Any]) -> Array:
    """Return a model input (N, ...) as rows; words and categories as how often each is there."""
    if entry["kind"] not in ("tokens", "codes"):
        return flatten(x)
    size = entry["vocabulary_size"]
    places = x.astype(np.int64) + size * np.arange(len(x))[:, None]
    counts = np.bincount(places.ravel(), minlength=size * len(x)).reshape(len(x), size)
    if entry["kind"] == "tokens":
        counts[:, 0] = 0  # what stands after the end
    return counts.astype(np.float32)


def flatten(x: Array) -> Array:
    """Return inputs (N, ...) as rows (N, n); images above FEATURES values are averaged down."""
    while x.ndim == 4 and np.prod(x.shape[1:]) > FEATURES and min(x.shape[1:3]) >= 2:
        height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
        x = (
            x[:, :height, :width]
            .reshape(len(x), height // 2, 2, width // 2, 2, x.shape[3])
            .mean(axis=(2, 4))
        )
    return x.reshape(len(x), -1)
