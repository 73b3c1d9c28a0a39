"""LOSSES: the loss of each sample, from labels and the network's outputs before its softmax.

Legend: B batch, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from pipeline.arrays import Tensor, Tensors
from pipeline.config.schema import Train
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS
from pipeline.tasks.task import of_one

Loss = Callable[[Tensors, Tensors], Any]
"""(targets, outputs before a softmax), by name -> the loss of each sample (B,)."""
OfOne = Callable[[Any, Any], Any]
"""The same of one target and one output, without their names."""


def categorical_crossentropy(settings: Train) -> Loss:
    """Return -sum_k q_k log softmax(logits)_k; q is the label, smoothed where asked for.

    Smoothing: q = (1 - s) of the label + s / K of every class (Szegedy et al. 2016,
    arXiv:1512.00567, section 7).
    """
    smoothing = settings.label_smoothing

    def loss(labels: Tensor, logits: Tensor) -> Any:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if not smoothing:
            return plain
        of_all = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
        return (1 - smoothing) * plain + smoothing * of_all

    return of_one(loss)


def binary_crossentropy(settings: Train) -> Loss:
    """Return -q log p - (1 - q) log(1 - p), p the probability of the second of two classes.

    Smoothing: q = (1 - s) of the label + s / 2.
    """
    smoothing = settings.label_smoothing

    def loss(labels: Tensor, logits: Tensor) -> Any:
        if logits.shape[1] != 2:
            raise ConfigError(
                f"train.loss: binary_crossentropy is for two classes and there are "
                f"{logits.shape[1]}; wanted categorical_crossentropy"
            )
        q = (1 - smoothing) * tf.cast(labels, logits.dtype) + smoothing / 2
        return tf.nn.sigmoid_cross_entropy_with_logits(q, logits[:, 1] - logits[:, 0])

    return of_one(loss)


def focal(settings: Train) -> Loss:
    """Return -(1 - p)^gamma log p, p the probability of the true class.

    Lin et al. 2017 (arXiv:1708.02002), equation 4; without the weights of classes, which
    `train.class_weights` gives.
    """
    gamma = settings.focal_gamma

    def loss(labels: Tensor, logits: Tensor) -> Any:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return (-tf.math.expm1(-plain)) ** gamma * plain  # 1 - p, exact where p is near 1

    return of_one(loss)


def generalized_crossentropy(settings: Train) -> Loss:
    """Return (1 - p^q) / q, p the probability of the true class.

    Zhang and Sabuncu 2018 (arXiv:1805.07836), equation 6: between cross-entropy (q near 0) and the
    absolute error of p (q = 1). Its gradient is that of cross-entropy times p^q, so that a sample
    which stays wrong, by its label or for want of capacity, does not outweigh the others.
    """
    q = settings.generalized_q

    def loss(labels: Tensor, logits: Tensor) -> Any:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return -tf.math.expm1(-q * plain) / q

    return of_one(loss)


def perceptron(settings: Train) -> Loss:
    """Return how far each wrong sample is from right, and 0 for right ones; logits (B, K).

    The perceptron criterion (Bishop 2006, section 4.1.7, equation 4.54): its gradient on one sample
    is Rosenblatt's rule, w += x for a positive that is missed, w -= x for a negative. Of several
    classes, the true one is compared with the best of the others. A tie is wrong.
    """

    def loss(labels: Tensor, logits: Tensor) -> Any:
        right = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)
        of_label = tf.reduce_sum(tf.where(right, logits, tf.zeros_like(logits)), axis=1)
        of_others = tf.reduce_max(tf.where(right, logits.dtype.min, logits), axis=1)
        margin = of_label - of_others
        return tf.where(margin <= 0, -margin, tf.zeros_like(margin))

    return of_one(loss)


def squared_error(settings: Train) -> Loss:
    """Return the squared error; labels (B,), values (B, 1)."""
    return of_one(lambda labels, values: tf.square(values[:, 0] - labels))


def absolute_error(settings: Train) -> Loss:
    """Return the absolute error; labels (B,), values (B, 1)."""
    return of_one(lambda labels, values: tf.abs(values[:, 0] - labels))


def huber(settings: Train) -> Loss:
    """Return e^2 / 2 up to delta, and delta (|e| - delta / 2) beyond (Huber 1964)."""
    delta = settings.huber_delta

    def loss(labels: Tensor, values: Tensor) -> Any:
        error = tf.abs(values[:, 0] - labels)
        near = tf.minimum(error, delta)
        return near * (error - near / 2)

    return of_one(loss)


LOSSES: dict[str, Callable[[Any], Loss]] = {
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "focal": focal,
    "generalized_crossentropy": generalized_crossentropy,
    "perceptron": perceptron,
    "mse": squared_error,
    "mae": absolute_error,
    "huber": huber,
}


@dataclass(frozen=True)
class LossOf:
    """The loss of a `train` section; it can be sent to another process."""

    settings: Any
    task: str

    @cached_property
    def _own(self) -> Loss:
        name = TASKS[self.task].losses[0] if self.settings.loss == "auto" else self.settings.loss
        return LOSSES[name](self.settings)

    def __call__(self, targets: Tensors, outputs: Tensors) -> Any:
        """Return the loss of each sample (B,), of what samples should be and of outputs by name."""
        return self._own(targets, outputs)


def loss_of(settings: Train, task: str) -> Loss:
    """Return the loss of a `train` section; `auto` goes by the task."""
    return LossOf(settings, task)


def without_names(loss: Loss) -> OfOne:
    """Return the loss of tensors, for steps whose task has one target and one output."""
    return lambda target, output: loss({"target": target}, {"output": output})
