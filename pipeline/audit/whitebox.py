"""A network as a white box: outputs, gradients by its inputs, and what follows from them.

Legend: n samples, K classes; x is (n, *shape), float32.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.harden.ball import Ball
from pipeline.harden.input_gradient import quick
from pipeline.harden.objectives import margin
from pipeline.harden.pgd import FIRST_STEP, ascend, review_numbers
from pipeline.models.blocks import logits_model
from pipeline.models.tflite.differentiable import DifferentiableCopy
from pipeline.terminal import show_progress

Loss = Literal["cross_entropy", "margin"]
Front = Callable[[Any], Any]
"""x (n, *shape) -> model input, in the graph: input sanitization."""

BATCH = 256
ROUND = 32  # a part is filled up to a multiple: oneDNN reads beyond odd ones
PATH = 32  # points of integrated gradients; their sum misses the change by a few per cent at most

LOSSES: dict[Loss, Callable[[Any, Any], Any]] = {
    "cross_entropy": tf.nn.sparse_softmax_cross_entropy_with_logits,
    "margin": margin,  # it has a slope where probabilities are saturated and the other has none
}


@dataclass(frozen=True)
class WhiteBox:
    """What an attacker with full access can ask of a network."""

    outputs: Callable[[Array], Array]
    """x -> outputs (n, K)."""
    gradient: Callable[[Array, Array, Loss], tuple[Array, Array, Array]]
    """(x, labels (n,), loss) -> loss (n,), whether x is misclassified (n,), gradient like x."""


def box_of(model: Model, front: Front = lambda x: x) -> WhiteBox:
    """Return a trained Keras model of one input, behind what makes its inputs, as a white box."""
    return _box(model, logits_model(keras, model), front)


def box_of_copy(copy: DifferentiableCopy, front: Front = lambda x: x) -> WhiteBox:
    """Return the differentiable copy of a file; gradients go straight through its rounding."""
    return _box(copy.answers, copy.logits, front)


def auto_pgd(
    box: WhiteBox, x: Array, labels: Array, *, ball: Ball, steps: int, loss: Loss, seed: Array
) -> Array:
    """Return for each sample the input of the ball with the greatest loss that was evaluated.

    A misclassified input goes before all others. Auto-PGD (Croce and Hein 2020, algorithm 1,
    arXiv:2003.01690) needs no step size, which is what most often makes an attack look weak.

    Args:
        box: where the gradients come from.
        x: not modified.
        labels: class ids (n,).
        ball: where the attack moves.
        steps: gradients that are computed, the start's among them.
        loss: what is raised.
        seed: int32 (2,), of the random start.
    """

    def evaluate(at: Tensor) -> tuple[Any, ...]:
        return tuple(map(tf.constant, box.gradient(np.asarray(at), labels, loss)))

    sizes = show_progress([FIRST_STEP] * steps, "steps", "gradient attack")
    moved = ascend(
        evaluate,
        x,
        ball=ball,
        start=ball.start(x, seed),
        sizes=sizes,
        reviews=review_numbers(steps),
        returns_best=True,
    )
    return np.asarray(moved)


def integrated_gradients(box: WhiteBox, x: Array, predicted: Array) -> Array:
    """Return how much each value of x contributes to the margin of the predicted class, like x.

    Sundararajan et al. 2017 (arXiv:1703.01365), equation 1, from an input of zeros (black).

    Args:
        box: where the gradients come from.
        x: not modified.
        predicted: class ids (n,).
    """
    total = np.zeros(x.shape, np.float64)
    for index in range(PATH):
        part = np.asarray(x * ((index + 0.5) / PATH), np.float32)
        total -= box.gradient(part, predicted, "margin")[2]
    return np.asarray(x * total / PATH, np.float32)


def _box(net: Any, head: Any, front: Front) -> WhiteBox:
    """Return a network (outputs) with its head (logits) as a white box."""
    model = quick(keras.Model(net.inputs, [net.output, head.output]))
    (given,) = model.inputs
    x_spec = tf.TensorSpec((None, *given.shape[1:]), tf.float32)
    labels_spec = tf.TensorSpec((None,), tf.int32)

    @tf.function(input_signature=[x_spec])
    def predict(x: Tensor) -> Any:
        return net({given.name: front(x)}, training=False)

    def slope_of(loss: Callable[[Any, Any], Any]) -> Any:
        @tf.function(input_signature=[x_spec, labels_spec])
        def slope(x: Tensor, labels: Tensor) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                outputs, logits = model({given.name: front(x)}, training=False)
                losses = loss(labels, logits)
            is_wrong = tf.argmax(outputs, axis=1, output_type=tf.int32) != labels
            none = tf.UnconnectedGradients.ZERO  # a rounding layer cuts it off; a check detects it
            return losses, is_wrong, tape.gradient(losses, x, unconnected_gradients=none)

        return slope

    slopes = {name: slope_of(loss) for name, loss in LOSSES.items()}

    def outputs(x: Array) -> Array:
        return np.concatenate([predict(tf.constant(p)).numpy()[:n] for n, p in _parts(x)])

    def gradient(x: Array, labels: Array, loss: Loss) -> tuple[Array, Array, Array]:
        known = np.asarray(labels, np.int32)
        batches = [
            [part.numpy()[:n] for part in slopes[loss](tf.constant(p), tf.constant(k))]
            for (n, p), (_, k) in zip(_parts(x), _parts(known), strict=True)
        ]
        losses, is_wrong, slope = (np.concatenate(part) for part in zip(*batches, strict=True))
        return losses, is_wrong, np.nan_to_num(slope)  # beside 1 / sqrt(0) there is no slope

    return WhiteBox(outputs, gradient)


def _parts(x: Array) -> Iterator[tuple[int, Array]]:
    """Yield the samples of each batch and their number; the last is filled up with its first."""
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        spare = -len(part) % ROUND
        filled = np.concatenate([part, np.repeat(part[:1], spare, axis=0)]) if spare else part
        yield len(part), filled
