"""Validation logs of the weights as they stand: the loss and the task's metrics."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from pipeline.arrays import Model
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import blocks, scratch, take_rows
from pipeline.data.preprocess import scaled_targets
from pipeline.models.blocks import logits_model
from pipeline.models.predict import in_target_unit, predict_samples, predictor
from pipeline.tasks import TASKS
from pipeline.train.losses import Loss


def evaluator(
    model: Model, dataset: Dataset, *, split: str, task: str, loss: Loss
) -> Callable[[], Mapping[str, float]]:
    """Return a function that measures the model's current weights on one split: val_loss, val_….

    The function is compiled once, however often it is called.
    """
    import keras

    positions = dataset.split(split)
    labels = take_rows(dataset.labels, positions)
    targets = scaled_targets(labels, dataset.preprocess)
    compiled = predictor(logits_model(keras, model), dataset.preprocess)

    def evaluate() -> Mapping[str, float]:
        heads = predict_samples(compiled, dataset, positions)
        if TASKS[task].predicts_input:  # heads are scores, and only what is normal is learned
            auc = TASKS[task].score(labels, np.repeat(heads, 2, axis=1))
            normal = heads[labels == 0]
            return {"val_loss": float(normal.mean(dtype=np.float64)), "val_auc": auc}
        losses, outputs = scratch(len(heads), np.float32), scratch(heads.shape, heads.dtype)
        for part in blocks(heads):
            losses[part] = loss(tf.constant(targets[part]), tf.constant(heads[part])).numpy()
            if TASKS[task].has_softmax:
                outputs[part] = tf.nn.softmax(heads[part]).numpy()
            else:
                outputs[part] = in_target_unit(heads[part], dataset.preprocess)
        found = TASKS[task].metrics(labels, outputs)
        return {"val_loss": float(losses.mean(dtype=np.float64))} | {
            f"val_{k}": v for k, v in found.items()
        }

    return evaluate
