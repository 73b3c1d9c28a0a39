"""A network as a white box: its answers, and the gradient of a loss with regard to its inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.harden.input_gradient import quick
from pipeline.models.blocks import logits_model
from pipeline.models.tflite.differentiable import DifferentiableCopy

Loss = Literal["cross_entropy", "margin"]

BATCH = 256
ROUND = 32  # a part is filled up to a multiple: oneDNN reads beyond odd ones
FAR = 1e9  # below every logit


@dataclass(frozen=True)
class WhiteBox:
    """What an attacker with full access can ask of a network; x is (n, *shape), float32."""

    answers: Callable[[Array], Array]
    """x -> outputs (n, K)."""
    gradient: Callable[[Array, Array, Loss], tuple[Array, Array, Array]]
    """(x, labels (n,), loss) -> loss (n,), whether the answer is right (n,), gradient as x."""


def box_of(model: Model) -> WhiteBox:
    """Return a trained Keras model of one input as a white box."""
    return _box(model, logits_model(keras, model))


def box_of_copy(twin: DifferentiableCopy) -> WhiteBox:
    """Return a file's twin as a white box: the gradient goes straight through its rounding."""
    return _box(twin.answers, twin.logits)


def _box(answering: Any, deciding: Any) -> WhiteBox:
    model = quick(keras.Model(answering.inputs, [answering.output, deciding.output]))
    (given,) = model.inputs
    x_spec = tf.TensorSpec((None, *given.shape[1:]), tf.float32)
    labels_spec = tf.TensorSpec((None,), tf.int32)

    @tf.function(input_signature=[x_spec])
    def answer(x: Tensor) -> Any:
        return answering({given.name: x}, training=False)

    def slope_of(loss: Callable[[Any, Any], Any]) -> Any:
        @tf.function(input_signature=[x_spec, labels_spec])
        def slope(x: Tensor, labels: Tensor) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                outputs, logits = model({given.name: x}, training=False)
                losses = loss(labels, logits)
            is_right = tf.argmax(outputs, axis=1, output_type=tf.int32) == labels
            none = tf.UnconnectedGradients.ZERO  # a rounding layer cuts it off, and is found out
            return losses, is_right, tape.gradient(losses, x, unconnected_gradients=none)

        return slope

    slopes = {name: slope_of(loss) for name, loss in LOSSES.items()}

    def answers(x: Array) -> Array:
        return np.concatenate([answer(tf.constant(p)).numpy()[:n] for n, p in _parts(x)])

    def gradient(x: Array, labels: Array, loss: Loss) -> tuple[Array, Array, Array]:
        known = np.asarray(labels, np.int32)
        found = [
            [found.numpy()[:n] for found in slopes[loss](tf.constant(p), tf.constant(k))]
            for (n, p), (_, k) in zip(_parts(x), _parts(known), strict=True)
        ]
        losses, is_right, steepest = (np.concatenate(part) for part in zip(*found, strict=True))
        return losses, is_right, np.nan_to_num(steepest)  # beside 1 / sqrt(0) there is no slope

    return WhiteBox(answers, gradient)


def _parts(x: Array) -> Iterator[tuple[int, Array]]:
    """Yield the samples of each batch and their number; the last is filled up with its first."""
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        spare = -len(part) % ROUND
        filled = np.concatenate([part, np.repeat(part[:1], spare, axis=0)]) if spare else part
        yield len(part), filled


def _margin(labels: Tensor, logits: Tensor) -> Any:
    """Return by how much the best wrong logit leads (Carlini and Wagner 2017, arXiv:1608.04644).

    It has a slope where the probabilities are saturated and the cross-entropy has none.
    """
    true = tf.one_hot(labels, logits.shape[-1])
    other = tf.reduce_max(logits - FAR * true, axis=-1)
    return other - tf.reduce_sum(logits * true, axis=-1)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": tf.nn.sparse_softmax_cross_entropy_with_logits,
    "margin": _margin,
}
