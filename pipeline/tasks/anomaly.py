"""Anomaly detection: a model of normal samples; a sample that it predicts badly is flagged."""

from pipeline.arrays import Array
from pipeline.tasks.metrics import auc
from pipeline.tasks.skill import ranking_skill
from pipeline.tasks.task import Target, Task, of_one, predicted_class, same_class


def _metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return the area under the ROC curve, and precision, recall and F1 at the threshold."""
    flagged, is_anomaly = outputs.argmax(axis=1) == 1, labels == 1
    hits = float((flagged & is_anomaly).sum())
    return {
        "auc": auc(labels, outputs),
        "f1": 2 * hits / max(1.0, float(flagged.sum() + is_anomaly.sum())),
        "precision": hits / max(1.0, float(flagged.sum())),
        "recall": hits / max(1.0, float(is_anomaly.sum())),
    }


ANOMALY = Task(
    metric="auc",
    direction="up",
    score=of_one(auc),
    metrics=of_one(_metrics),
    metric_names=("auc", "f1", "precision", "recall"),
    other_scores={},
    decisions=predicted_class,
    agree=same_class,
    skill=of_one(ranking_skill),
    ranking=of_one(auc),
    constants=lambda labels, classes: {"a guess": [0.5, 0.5]},
    constant_score=None,
    targets=(Target(name="class", dtype="int64"),),
    outputs=(),
    losses=("mse", "mae"),
    has_classes=True,
    predicts_input=True,
    learns_normal=True,
    has_threshold=True,
    has_recordings=True,
    baselines="detectors",
    split="time",
    agreement=0.97,
    agreement_note="an error near the threshold is flagged or not by one step of int8",
)
