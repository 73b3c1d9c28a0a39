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
from pipeline.models.predict import expected, given, mean_error

Array = np.ndarray[Any, np.dtype[Any]]
PerSample = Mapping[str, Any]
Step = Callable[[Mapping[str, Any], Any, Any], tuple[Any, PerSample]]
Loss = Callable[[Any, Any], Any]

AUTO = {
    "classification": "categorical_crossentropy",
    "regression": "mse",
    "forecasting": "mae",
    "anomaly": "mse",
}


def categorical_crossentropy(labels: Any, logits: Any) -> Any:
    """Return -log softmax(logits)[label] of each sample; labels int (B,), logits (B, K)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def perceptron(labels: Any, logits: Any) -> Any:
    """Return how far each wrong sample is from right, and 0 for right ones; logits (B, K).

    The perceptron criterion (Bishop 2006, section 4.1.7, equation 4.54): its gradient on one sample
    is Rosenblatt's rule, w += x for a positive that is missed, w -= x for a negative. Of several
    classes the right one is held against the best of the others. A tie is wrong.
    """
    right = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)
    of_label = tf.reduce_sum(tf.where(right, logits, tf.zeros_like(logits)), axis=1)
    of_others = tf.reduce_max(tf.where(right, logits.dtype.min, logits), axis=1)
    margin = of_label - of_others
    return tf.where(margin <= 0, -margin, tf.zeros_like(margin))


def squared_error(labels: Any, values: Any) -> Any:
    """Return the squared error of each sample; labels (B,), values (B, 1)."""
    return tf.square(values[:, 0] - labels)


def absolute_error(labels: Any, values: Any) -> Any:
    """Return the absolute error of each sample; labels (B,), values (B, 1)."""
    return tf.abs(values[:, 0] - labels)


LOSSES: dict[str, Loss] = {
    "categorical_crossentropy": categorical_crossentropy,
    "perceptron": perceptron,
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


def detector_step(model: Any, error: str, anomaly: Mapping[str, Any], *, noise: float) -> Step:
    """Return the step of a net that answers its own input, or the step after what it sees.

    Args:
        model: reconstructs, or forecasts.
        error: mse or mae; auto is mse.
        anomaly: of preprocess.json; `score` says what is answered.
        noise: standard deviation of what is added to what the model sees, and not to what it should
            answer (Vincent et al. 2008, "Extracting and composing robust features with denoising
            autoencoders").
    """
    form = tf.abs if error == "mae" else tf.square

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        shown = given(inputs, anomaly)
        if noise:
            shown = {
                name: x + tf.random.stateless_normal(tf.shape(x), seed, stddev=noise)
                for name, x in shown.items()
            }
        return mean_error(form(model(shown, training=True) - expected(inputs, anomaly))), {}

    return step


def _keras() -> Any:
    import keras

    return keras
