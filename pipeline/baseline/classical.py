"""Classical models on flattened inputs: what one reaches without a network."""

import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from pipeline.arrays import Array, Arrays, Model, take
from pipeline.documents.baseline import TreeSize
from pipeline.documents.preprocess import CodesEntry, Entry, TokensEntry
from pipeline.ondevice.predict import anomaly_predictions
from pipeline.samples import KINDS
from pipeline.tasks.intervals import bootstrap
from pipeline.tasks.task import Task

ITERATIONS = 200  # of the solver, and of boosting; both stop earlier where they converge
HELD_BACK = 20  # samples of the rarest class: above it, holding back a tenth leaves some of each
DEPTH = 8  # of a single tree: as far as one can read it
READABLE = 0.01  # what fewer questions may cost
TREES, LEAF = 100, 2  # of a forest, and samples in its smallest leaf: half the size, hardly worse
SHARE = 1 / 3  # of the columns that a split of a regression forest looks at (Breiman 2001)
NEIGHBORS = 5
RAREST = 100  # rows of each class, where it has so many, however few are taken of all
MOST = dict.fromkeys(  # rows at most, for models whose time or size grows with the square of them
    ("SVC", "TransformedTargetRegressor", "KNeighborsClassifier", "KNeighborsRegressor"), 5000
)
RESAMPLES = 300  # the bounds then move by a tenth of the interval
DETECTED = 0.99  # fraction of normal rows below a detector's threshold
STILL = 1e-6  # deviation below which a window counts as still
FEATURES = 400  # columns at most: images beyond are averaged down, and lose little to these models


@dataclass
class Detector:
    """A model that detects anomalies; it learns only from normal samples."""

    score: Callable[[Any, Array], Array]
    """(model, rows) -> the larger, the stranger, above zero (N,)."""
    model: Any
    threshold: float = 1.0

    def fit(self, x: Array, labels: Array) -> None:
        """Learn from normal rows; the threshold is the 99th percentile of their scores.

        Args:
            x: (N, F), normal rows only.
            labels: not used.
        """
        if self.model is not None:
            self.model.fit(x)
        self.threshold = float(np.quantile(self.score(self.model, x), DETECTED)) or 1.0

    def predict_proba(self, x: Array) -> Array:
        """Return the outputs (N, 2) of rows (N, F): normal and anomalous, each in [0, 1]."""
        return anomaly_predictions(self.score(self.model, x), self.threshold)


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
        "decision tree": DecisionTreeClassifier(max_depth=DEPTH, random_state=seed),
        "random forest": RandomForestClassifier(
            n_estimators=TREES, min_samples_leaf=LEAF, random_state=seed
        ),
        "gradient boosting": boosting,
        "support vector machine": SVC(random_state=seed),
        "nearest neighbors": KNeighborsClassifier(NEIGHBORS),
    }


def regressors(seed: int, channels: int | None) -> dict[str, Any]:
    """Return name -> untrained model for values."""
    boosting = HistGradientBoostingRegressor(
        max_iter=ITERATIONS, max_leaf_nodes=15, early_stopping=True, random_state=seed
    )
    return {
        "linear regression": Ridge(alpha=1.0),
        "decision tree": DecisionTreeRegressor(max_depth=DEPTH, random_state=seed),
        "random forest": RandomForestRegressor(
            n_estimators=TREES, min_samples_leaf=LEAF, max_features=SHARE, random_state=seed
        ),
        "gradient boosting": boosting,
        "support vector machine": TransformedTargetRegressor(
            SVR(),
            transformer=StandardScaler(),  # its margin is a tenth of a deviation
        ),
        "nearest neighbors": KNeighborsRegressor(NEIGHBORS),
    }


def forecasters(seed: int, channels: int | None) -> dict[str, Any]:
    """Return name -> untrained model for the change after a window."""
    naive = DummyRegressor(strategy="constant", constant=0.0)  # nothing changes
    return {"naive": naive, **regressors(seed, channels)}


def for_texts(models: dict[str, Any]) -> dict[str, Any]:
    """Return the models with counts of words weighed by how rare they are before the linear one.

    TF-IDF (Salton and Buckley 1988), with lengths made equal.
    """
    linear = make_pipeline(TfidfTransformer(sublinear_tf=True), models["logistic regression"])
    return {"TF-IDF and logistic regression": linear, **models}


FAMILIES: dict[str, Callable[[int, int | None], dict[str, Any]]] = {
    "detectors": detectors,
    "classifiers": classifiers,
    "regressors": regressors,
    "forecasters": forecasters,
}


def fit(model: Model, x: Array, labels: Array) -> bool:
    """Train a model, and return whether its solver converged.

    Boosting stops early by samples of every class that it sets aside; with too few samples of one
    class it makes all its iterations.

    Args:
        model: untrained; modified.
        x: (N, F) rows, or (N, T) windows, in random order.
        labels: (N,), class numbers or values.
    """
    if isinstance(model, HistGradientBoostingClassifier):
        rarest = np.unique(labels, return_counts=True)[1].min()
        model.set_params(early_stopping=bool(rarest >= HELD_BACK))
    most = MOST.get(type(model).__name__, len(x))
    kept = thin_rows(labels, min(most, len(x)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x[kept], labels[kept])
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def thin_rows(labels: Array, samples: int) -> Array:
    """Return indices of about `samples` rows in random order, RAREST of each class at least.

    Args:
        labels: (N,), class ids (whole numbers) or values.
        samples: how many are wanted, N at most.
    """
    is_kept = np.zeros(len(labels), bool)
    is_kept[np.linspace(0, len(labels) - 1, samples).astype(int)] = True
    if samples == len(labels) or labels.dtype.kind not in "iu":
        return np.flatnonzero(is_kept)
    for own in np.unique(labels):
        places = np.flatnonzero(labels == own)
        if is_kept[places].sum() < RAREST:
            is_kept[places[:RAREST]] = True
    return np.flatnonzero(is_kept)


def outputs(model: Model, x: Array, classes: int | None) -> Array:
    """Return probabilities (N, classes), or values (N, 1); classes never trained have 0.

    Args:
        model: trained.
        x: (N, F) rows, or (N, T) windows.
        classes: number of classes; None: the model predicts values.
    """
    if isinstance(model, Detector):
        return model.predict_proba(x)
    if classes is None:
        return np.asarray(model.predict(x))[:, None]
    found = np.zeros((len(x), classes))
    found[:, model.classes_.astype(int)] = _shares(model, x)
    return found


def _shares(model: Model, x: Array) -> Array:
    """Return class probabilities (N, classes); without them the softmax of the margins."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x))
    margins = np.asarray(model.decision_function(x))
    margins = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
    return np.asarray(softmax(margins, axis=1))


def interval(task: Task, targets: Arrays, outputs: Arrays, *, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the task's metric, by the bootstrap over samples.

    Args:
        task: its metric is computed.
        targets: name -> (N, ...).
        outputs: name -> (N, ...), for the same samples.
        seed: of the resampling.
    """

    def score(drawn: Array) -> float:
        return task.score(take(targets, drawn), take(outputs, drawn))

    return bootstrap(score, len(next(iter(targets.values()))), resamples=RESAMPLES, seed=seed)


def readable_tree(seed: int, *, is_class: bool) -> Any:
    """Return an untrained tree that takes the least depth that does about as well as any.

    Of depths 1 to DEPTH the least within a hundredth of the best, by three-fold cross-validation.
    """
    plain = DecisionTreeClassifier if is_class else DecisionTreeRegressor
    depths = {"max_depth": list(range(1, DEPTH + 1))}
    return GridSearchCV(plain(random_state=seed), depths, cv=3, refit=_least_depth)


def _least_depth(results: Mapping[str, Any]) -> int:
    """Return the first depth within READABLE of the best."""
    scores = np.asarray(results["mean_test_score"])
    return int(np.flatnonzero(scores >= scores.max() - READABLE)[0])


def tree_of(model: Model) -> TreeSize | None:
    """Return depth and leaves of a readable tree; None of other models."""
    if not isinstance(model, GridSearchCV):
        return None
    tree = model.best_estimator_
    return TreeSize(depth=int(tree.get_depth()), leaves=int(tree.get_n_leaves()))


def size_bytes(model: Model) -> int:
    """Return the bytes of the trained model, as it would be stored."""
    return len(pickle.dumps(model.model if isinstance(model, Detector) else model))


def features(x: Array, entry: Entry) -> Array:
    """Return a model input (N, ...) as rows; words and categories as how often each is there."""
    if not isinstance(entry, CodesEntry | TokensEntry):
        return flatten(x)
    size = entry.vocabulary_size
    places = x.astype(np.int64) + size * np.arange(len(x))[:, None]
    counts = np.bincount(places.ravel(), minlength=size * len(x)).reshape(len(x), size)
    padding_id = KINDS[entry.kind].padding_id
    if padding_id is not None:
        counts[:, padding_id] = 0
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
