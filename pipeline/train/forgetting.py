"""Forgetting: the per-class recall of a trained network before and after fine-tuning."""

from pipeline.arrays import Model, only
from pipeline.data.dataset import Dataset
from pipeline.documents.training import ValidationRecall
from pipeline.models.predict import predict
from pipeline.tasks import TASKS


def validation_recall(model: Model, dataset: Dataset, task: str) -> ValidationRecall:
    """Return the metric on the validation split and, of classes, the recall of each.

    Args:
        model: its present weights count.
        dataset: of the samples.
        task: a key of TASKS, not anomaly.
    """
    positions = dataset.split("validation")
    targets, outputs = dataset.targets(positions), predict(model, dataset, positions)
    recall = None
    if dataset.class_names is not None:
        labels = only(targets)
        right = only(outputs).argmax(axis=1) == labels
        recall = {
            name: float(right[labels == k].mean())
            for k, name in enumerate(dataset.class_names)
            if (labels == k).any()
        }
    return ValidationRecall(metric=float(TASKS[task].score(targets, outputs)), recall=recall)
