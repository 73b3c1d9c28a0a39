"""How a trained detector decides: its score, and the threshold that the validation split gives."""

import numpy as np

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset, with_decision
from pipeline.documents.decision import Decision
from pipeline.models.predict import scores_of
from pipeline.ondevice.prepare import prepare_input

SHARE = 0.99  # of normal samples that lie below the threshold, where no anomaly is known
LEAST = 1e-12  # a threshold of zero would flag everything


def calibrate_decision(model: Model, dataset: Dataset, score: str) -> Decision:
    """Return the contents of decision.json, by the validation split.

    Args:
        model: the detector, trained.
        dataset: as the `data` stage wrote it.
        score: reconstruction, or forecast.
    """
    positions = dataset.split("validation")
    scored = decision_with_range(dataset, score)
    scores = scores_of(model, with_decision(dataset, scored), positions)
    threshold, calibration = calibrate_threshold(scores, np.asarray(dataset.labels[positions]))
    return scored.model_copy(update={"threshold": threshold, "calibration": calibration})


def decision_with_range(dataset: Dataset, score: str) -> Decision:
    """Return how a detector scores, with the range of inputs that integers will hold.

    The range is the least and greatest model input of the calibration samples.
    """
    raw = dataset.read(dataset.split("calibration"))
    (entry,) = dataset.preprocess.inputs
    values = prepare_input(raw[entry.name], entry)
    known = (float(values.min()), float(values.max()))
    return Decision.model_validate({"score": score, "input_range": known})


def calibrate_threshold(scores: Array, labels: Array) -> tuple[float, str]:
    """Return the threshold and its rule: f1, the largest F1; or a quantile of normal scores.

    Args:
        scores: (N,), the larger, the stranger.
        labels: 1 for anomalies, 0 for normal samples (N,).
    """
    if not labels.any():
        return max(LEAST, float(np.quantile(scores, SHARE))), "quantile"
    order = np.argsort(scores)
    ranked, is_anomaly = scores[order], labels[order] == 1
    hits = np.cumsum(is_anomaly[::-1])[::-1]  # anomalies from here on
    flagged = np.arange(len(scores), 0, -1)
    f1 = 2 * hits / (flagged + is_anomaly.sum())
    first = int(np.argmax(f1))
    below = ranked[first - 1] if first else 0.0
    return max(LEAST, float((below + ranked[first]) / 2)), "f1"
