"""threshold.json, and `decision` of preprocess.json: where a classifier of two classes decides."""

from typing import Literal

from pipeline.documents.record import Record


class Threshold(Record):
    """The decision threshold of the positive class, and how it is built into the network."""

    metric: Literal[
        "f1", "balanced_accuracy", "recall_at_precision", "precision_at_recall", "cost", "fixed"
    ]
    """What it was chosen by, on the validation split."""
    positive: str
    """Name of the positive class."""
    threshold: float
    """Probability of the positive class, as it was trained, from which on it is predicted."""
    shift: float
    """What was added to the last layer's bias of that class: log((1 - threshold) / threshold). So
    the model's own probability is 0.5 at the threshold, in every file."""
    precision: float | None
    """Of the positive class on the validation split; null: it is never predicted."""
    recall: float | None
    """Of the positive class on the validation split; null: it has no sample."""


class DecisionQuality(Record):
    """Precision and recall of the positive class; null: it is never predicted, or has no sample."""

    precision: float | None
    """Fraction of the samples predicted positive that are."""
    recall: float | None
    """Fraction of the positive samples that are predicted so."""
    f1: float
    """2 hits / (samples predicted positive + positive samples); 0 where there is neither."""
