"""Validation logs of the weights as they stand: the loss and the task's metrics."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.data.preprocess import target_of
from pipeline.models.blocks import logits_model
from pipeline.models.predict import batches, in_target_unit, predictor
from pipeline.tasks import TASKS
from pipeline.train.losses import Loss


def evaluator(
    model: Any, dataset: Dataset, *, split: str, task: str, loss: Loss
) -> Callable[[], Mapping[str, float]]:
    """Return a function that measures the model's current weights on one split: val_loss, val_….

    The function is compiled once, however often it is called.
    """
    import keras

    positions = dataset.split(split)
    labels = np.asarray(dataset.labels[positions])
    targets = target_of(labels, dataset.preprocess)
    compiled = predictor(logits_model(keras, model), dataset.preprocess)
    is_normal = labels == 0

    def evaluate() -> Mapping[str, float]:
        heads = np.concatenate([compiled(raw).numpy() for raw in batches(dataset, positions)])
        if task == "anomaly":  # heads are scores, and only what is normal is learnt
            auc = TASKS[task].score(labels, np.repeat(heads, 2, axis=1))
            return {"val_loss": float(heads[is_normal].mean(dtype=np.float64)), "val_auc": auc}
        losses = loss(tf.constant(targets), tf.constant(heads)).numpy()
        outputs = in_target_unit(heads, dataset.preprocess)
        if task == "classification":
            outputs = tf.nn.softmax(heads).numpy()
        found = TASKS[task].metrics(labels, outputs)
        return {"val_loss": float(losses.mean(dtype=np.float64))} | {
            f"val_{k}": v for k, v in found.items()
        }

    return evaluate
