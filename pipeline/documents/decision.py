"""decision.json, and `anomaly` of preprocess.json: how a detector scores, and when it flags."""

from typing import Literal

from pipeline.documents.record import Record


class Decision(Record):
    """How a detector decides; in training, before the threshold is calibrated, only its score."""

    score: Literal["reconstruction", "forecast"]
    """What the anomaly score is the mean squared error of."""
    input_range: tuple[float, float] | None = None
    """Least and greatest model input of the calibration samples, to which inputs are clipped; null:
    they are not."""
    threshold: float | None = None
    """Score from which on a sample is flagged; null: not calibrated."""
    calibration: Literal["f1", "quantile"] | None = None
    """Where the threshold stands on the validation split: at the largest F1 or, where it holds no
    anomaly, at the 0.99 quantile of the scores."""
