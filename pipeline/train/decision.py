"""How a trained detector decides: what it scores by, and from where on it flags."""

from typing import Any

import numpy as np

from pipeline.arrays import Model
from pipeline.data.dataset import Dataset, with_score
from pipeline.device.runner import prepare_input
from pipeline.models.predict import scores_of
from pipeline.train.threshold import calibrate_threshold


def decision(model: Model, dataset: Dataset, score: str) -> dict[str, Any]:
    """Return the contents of decision.json, by the validation split.

    Args:
        model: the detector, trained.
        dataset: as the `data` stage wrote it.
        score: reconstruction, or forecast.
    """
    positions, known = dataset.split("validation"), known_range(dataset)
    scores = scores_of(model, with_score(dataset, score, known=known), positions)
    found = calibrate_threshold(scores, np.asarray(dataset.labels[positions]))
    return {"score": score, "known": known, **found}


def known_range(dataset: Dataset) -> list[float]:
    """Return the least and greatest model input of the calibration samples, as integers will."""
    raw = dataset.read(dataset.split("calibration"))
    (entry,) = dataset.preprocess.inputs
    values = prepare_input(raw[entry["name"]], entry)
    return [float(values.min()), float(values.max())]
