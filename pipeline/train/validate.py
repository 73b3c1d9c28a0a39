"""Validation logs of the weights as they stand: the loss and the task's metrics."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Arrays, Model, Tensor, only, take
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import blocks, scratch
from pipeline.data.preprocess import scaled_targets
from pipeline.documents.preprocess import Preprocess
from pipeline.models.blocks import logits_model
from pipeline.models.predict import in_target_unit, predict_samples, predictor
from pipeline.ondevice.predict import SCORES
from pipeline.tasks import TASKS
from pipeline.tasks.task import Task
from pipeline.train.losses import Loss


def evaluator(
    model: Model, dataset: Dataset, *, split: str, task: str, loss: Loss
) -> Callable[[], Mapping[str, float]]:
    """Return a function that measures the model's current weights on one split: val_loss, val_….

    The function is compiled once, however often it is called.
    """
    import keras

    positions = dataset.split(split)
    targets = dataset.targets(positions)
    wanted = scaled_targets(targets, dataset.preprocess)
    compiled = predictor(logits_model(keras, model), dataset.preprocess)

    def evaluate() -> Mapping[str, float]:
        heads = predict_samples(compiled, dataset, positions)
        if TASKS[task].predicts_input:  # heads are scores, and only what is normal is learned
            scores = only(heads)
            auc = TASKS[task].score(targets, {SCORES: np.repeat(scores, 2, axis=1)})
            normal = scores[only(targets) == 0]
            return {"val_loss": float(normal.mean(dtype=np.float64)), "val_auc": auc}
        losses = scratch(len(positions), np.float32)
        outputs = {name: scratch(head.shape, head.dtype) for name, head in heads.items()}
        for part in blocks(losses):
            own = take(heads, part)
            losses[part] = loss(_constants(take(wanted, part)), _constants(own)).numpy()
            for name, values in _outputs(TASKS[task], own, dataset.preprocess).items():
                outputs[name][part] = values
        found = TASKS[task].metrics(targets, outputs)
        return {"val_loss": float(losses.mean(dtype=np.float64))} | {
            f"val_{k}": v for k, v in found.items()
        }

    return evaluate


def _outputs(task: Task, heads: Arrays, preprocess: Preprocess) -> dict[str, Array]:
    """Return the outputs that are judged, by name, from the heads before the softmax."""
    if task.has_softmax:
        return {name: tf.nn.softmax(head).numpy() for name, head in heads.items()}
    return in_target_unit(heads, preprocess)


def _constants(named: Arrays) -> dict[str, Tensor]:
    return {name: tf.constant(values) for name, values in named.items()}
