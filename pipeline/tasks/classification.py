"""Classification: one of K classes a sample."""

import numpy as np

from pipeline.arrays import Array
from pipeline.tasks.metrics import area_under_roc, auc
from pipeline.tasks.skill import kappa, ranking_skill
from pipeline.tasks.task import Output, Target, Task, of_one, predicted_class, same_class


def _accuracy(labels: Array, outputs: Array) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _metrics(labels: Array, outputs: Array) -> dict[str, float]:
    """Return accuracy, macro-averaged F1 and, for two classes, the area under the ROC curve.

    A class that is neither there nor predicted has no F1 and is left out of the average.
    """
    predicted = outputs.argmax(axis=1)
    metrics = {"accuracy": _accuracy(labels, outputs)}
    scores = []
    for k in range(outputs.shape[1]):
        is_class, is_predicted = labels == k, predicted == k
        if is_class.any() or is_predicted.any():
            hits = float((is_class & is_predicted).sum())
            scores.append(2 * hits / float(is_class.sum() + is_predicted.sum()))
    metrics["macro_f1"] = float(np.mean(scores))
    if (area := _ranking(labels, outputs)) is not None:
        metrics["auc"] = area
    return metrics


def _ranking(labels: Array, outputs: Array) -> float | None:
    """Return the area under the ROC curve of two classes that both have samples; else None."""
    if outputs.shape[1] != 2 or not 0 < labels.sum() < len(labels):
        return None
    return area_under_roc(labels, outputs[:, 1])


def _most_frequent(labels: Array, classes: int) -> dict[str, list[float]]:
    """Return the certain prediction of the most frequent class; hidden labels are below 0."""
    most = np.bincount(labels[labels >= 0], minlength=classes).argmax()
    return {"the most frequent class": [float(k == most) for k in range(classes)]}


CLASSIFICATION = Task(
    metric="accuracy",
    direction="up",
    score=of_one(_accuracy),
    metrics=of_one(_metrics),
    metric_names=("accuracy", "macro_f1", "auc"),
    other_scores={
        "macro_f1": of_one(lambda labels, outputs: _metrics(labels, outputs)["macro_f1"]),
        "auc": of_one(auc),
    },
    decisions=predicted_class,
    agree=same_class,
    skill=of_one(kappa),
    ranking=of_one(_ranking),
    other_skills={"auc": of_one(ranking_skill)},
    constants=_most_frequent,
    constant_score=lambda counts: float(counts.max() / counts.sum()),
    targets=(Target(name="class", dtype="int64"),),
    outputs=(
        Output(name="probabilities", meaning="probability of each class, in the order of ids"),
    ),
    losses=(
        "categorical_crossentropy",
        "binary_crossentropy",
        "focal",
        "generalized_crossentropy",
        "perceptron",
    ),
    has_softmax=True,
    has_classes=True,
    learns_classes=True,
    takes_hidden_labels=True,
    can_be_attacked=True,
    can_abstain=True,
    baselines="classifiers",
    split="stratified",
)
