"""What one training step minimises: the loss of each sample, and the metrics shown beside it.

A step is a function (inputs, labels, seed) -> (loss of each sample, metrics of each sample). The
loop takes its gradient, adds it up over replicas and updates the weights; see loop.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.errors import ConfigError
from pipeline.models.blocks import logits_model

Array = np.ndarray[Any, np.dtype[Any]]
PerSample = Mapping[str, Any]
Step = Callable[[Mapping[str, Any], Any, Any], tuple[Any, PerSample]]
Loss = Callable[[Any, Any], Any]

AUTO = {"classification": "categorical_crossentropy", "regression": "mse", "forecasting": "mae"}


def categorical_crossentropy(labels: Any, logits: Any) -> Any:
    """Return -log softmax(logits)[label] of each sample; labels int (B,), logits (B, K)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def squared_error(labels: Any, values: Any) -> Any:
    """Return the squared error of each sample; labels (B,), values (B, 1)."""
    return tf.square(values[:, 0] - labels)


def absolute_error(labels: Any, values: Any) -> Any:
    """Return the absolute error of each sample; labels (B,), values (B, 1)."""
    return tf.abs(values[:, 0] - labels)


LOSSES: dict[str, Loss] = {
    "categorical_crossentropy": categorical_crossentropy,
    "mse": squared_error,
    "mae": absolute_error,
}


def loss_of(name: str, task: str) -> Loss:
    """Return the loss by its name in the config; `auto` goes by the task."""
    return LOSSES[AUTO[task] if name == "auto" else name]


def class_weights(setting: Any, labels: Array, names: tuple[str, ...]) -> Array | None:
    """Return the weight of each class (K,), float32; None when all are one.

    Args:
        setting: None, `balanced` (King and Zeng 2001: n / (K * n_k)), or name -> weight.
        labels: class ids of the training split.
        names: class names, in the order of their ids.

    Raises:
        ConfigError: a weight is given for a class that the data does not have.
    """
    if setting is None:
        return None
    if setting == "balanced":
        counts = np.bincount(labels, minlength=len(names))
        return (len(labels) / (len(names) * np.maximum(counts, 1))).astype(np.float32)
    unknown = [name for name in setting if name not in names]
    if unknown:
        known = ", ".join(names)
        raise ConfigError(
            *(f"train.class_weights.{name}: no such class; there are {known}" for name in unknown)
        )
    return np.array([setting.get(name, 1.0) for name in names], np.float32)


def weighted(loss: Loss, weights: Array | None) -> Loss:
    """Return the loss with each sample counted by the weight of its class."""
    if weights is None:
        return loss
    return lambda labels, outputs: loss(labels, outputs) * tf.gather(weights, labels)


def correct(labels: Any, outputs: Any) -> PerSample:
    """Return the metric of each sample that training shows: accuracy, or absolute error."""
    if labels.dtype.is_floating:
        return {"mae": absolute_error(labels, outputs)}
    return {"accuracy": tf.cast(tf.argmax(outputs, 1, labels.dtype) == labels, tf.float32)}


def plain_step(model: Any, loss: Loss) -> Step:
    """Return the ordinary supervised step: the loss of the model's logits or values."""
    head = logits_model(_keras(), model)

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        outputs = head(inputs, training=True)
        return loss(labels, outputs), correct(labels, outputs)

    return step


def _keras() -> Any:
    import keras

    return keras
