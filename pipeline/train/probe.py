"""What a network's layers and gradients look like on a few training samples, between two epochs.

It changes nothing: no weight, no running statistic, no draw of a later step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.arrays import Layer, Model, Tensor, Tensors, only
from pipeline.data.preprocess import to_model_inputs
from pipeline.models.blocks import logits_model
from pipeline.models.predict import detector_inputs, detector_targets, mean_error, named_outputs
from pipeline.train.batches import Feed
from pipeline.train.losses import Loss

SAMPLES, BYTES = 256, 4 << 20  # looked at, at most
# With AVX-512 oneDNN writes past its memory in the gradient of a strided 1x1 convolution over an
# odd number of samples, as 173 (TensorFlow 2.21): looked at are multiples of this.
WHOLE = 16
RECTIFIERS = ("relu", "relu6")
SQUASHING = ("sigmoid", "tanh", "softmax")
RECURRENT = ("SimpleRNN", "LSTM", "GRU", "Bidirectional", "RNN")


@dataclass(frozen=True)
class Form:
    """What of a network does not change while it learns."""

    weighted: tuple[str, ...]
    """Hidden dense and convolution layers."""
    squashing: tuple[str, ...]
    """Hidden layers that end with a sigmoid or tanh, gates left out."""
    is_normalized: bool
    """Whether any layer normalizes."""
    ending: str | None
    """Activation of the last layer; None: it has none, or there are several outputs."""


@dataclass(frozen=True)
class Signs:
    """What a network does with the samples, and what it would learn from them."""

    dead: Mapping[str, float]
    """Rectified layer -> fraction of its units that are 0 for every sample."""
    gradients: Mapping[str, float]
    """Layer -> root mean square of its kernel's gradient, in the order of the layers."""
    norm: float
    """Of the gradient over all weights."""
    through_time: Mapping[str, float]
    """Recurrent layer -> gradient at its first steps, as a fraction of the largest of any step."""
    seen: float
    """Root mean square of the first weighted layer's input; 0 where that is not finite."""


class _Look(NamedTuple):
    """The measurements of one pass, in the order of the layers."""

    dead: Sequence[Any]
    gradients: Sequence[Any]
    norm: Any
    through_time: Sequence[Any]
    seen: Sequence[Any]


def form_of(model: Model) -> Form:
    """Return the form of a Functional model."""
    lasts = [output._keras_history.operation for output in model.outputs]
    hidden = [layer for layer in model.layers if layer not in lasts]
    names = [type(layer).__name__ for layer in model.layers]
    logits = {"logits", "value"}
    return Form(
        tuple(x.name for x in hidden if _is_weighted(x) and x.name not in logits),
        tuple(x.name for x in hidden if _activation(x) in SQUASHING[:2] and not _is_gate(x)),
        any("Norm" in name for name in names),
        _activation(lasts[0]) if len(lasts) == 1 else None,
    )


def _is_weighted(layer: Layer) -> bool:
    name = type(layer).__name__
    return "Dense" in name or "Conv" in name


def _is_gate(layer: Layer) -> bool:
    """Return whether a layer's output is only a factor, as in squeeze-and-excitation."""
    users = [type(node.operation).__name__ for node in layer._outbound_nodes]
    return "Multiply" in users


def _activation(layer: Layer) -> str | None:
    """Return the name of a layer's activation; a ReLU with a slope below zero is none."""
    if type(layer).__name__ in ("LSTM", "GRU", "SimpleRNN"):
        return None
    if type(layer).__name__ == "ReLU":
        return None if layer.negative_slope else "relu"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def prober(model: Model, feed: Feed, *, loss: Loss) -> Callable[[], Signs]:
    """Return a function that measures the model with its current weights; it is compiled once.

    Args:
        model: Functional, with a `logits` layer where it ends with a softmax.
        feed: of the training samples, in any order.
        loss: (targets, outputs) -> loss of each sample; not used for a detector, whose loss is the
            mean squared error.
    """
    dataset, decision = feed.dataset, feed.dataset.preprocess.anomaly
    count = int(np.clip(BYTES // max(1, dataset.sample_bytes), 16, SAMPLES))
    kept = np.unique(np.linspace(0, len(feed.positions) - 1, count).astype(int))
    kept = kept[: len(kept) // WHOLE * WHOLE or len(kept)]
    inputs = to_model_inputs(dataset.read(feed.positions[kept]), dataset.preprocess)
    targets = {name: tf.constant(values) for name, values in feed.targets_of(kept).items()}

    def loss_of(heads: Tensors) -> Any:
        if decision is None:
            return tf.reduce_mean(loss(targets, heads))
        error = only(heads) - detector_targets(inputs, decision)
        return tf.reduce_mean(mean_error(tf.square(error)))

    rectified = [x for x in model.layers if _activation(x) in RECTIFIERS]
    recurrent = [x for x in model.layers if type(x).__name__ in RECURRENT]
    kernels = [w for w in model.trainable_variables if len(w.shape) > 1]
    owners = {id(w): x.name for x in model.layers for w in x.trainable_variables}
    shown = inputs if decision is None else detector_inputs(inputs, decision)
    look = _looker(model, rectified, recurrent, kernels, shown, loss_of)

    def signs() -> Signs:
        found = tf.nest.map_structure(lambda x: float(x.numpy()), look())
        by_layer: dict[str, float] = {}
        for kernel, value in zip(kernels, found.gradients, strict=True):
            name = owners[id(kernel)]
            by_layer[name] = max(by_layer.get(name, 0.0), value)
        return Signs(
            {x.name: v for x, v in zip(rectified, found.dead, strict=True)},
            by_layer,
            found.norm,
            {x.name: v for x, v in zip(recurrent, found.through_time, strict=True)},
            found.seen[0] if found.seen else 0.0,
        )

    return signs


def _looker(
    model: Model,
    rectified: Sequence[Any],
    recurrent: Sequence[Any],
    kernels: Sequence[Any],
    shown: Mapping[str, Any],
    loss_of: Callable[[Any], Any],
) -> Callable[[], _Look]:
    """Return the compiled function that goes through the model forward and back, once."""
    import keras

    first = next((x for x in model.layers if _is_weighted(x) or x in recurrent), None)
    ending = logits_model(keras, model)
    parts = (
        list(ending.outputs),
        [x.output for x in rectified],
        [x.input for x in recurrent],
        [] if first is None else [first.input],
    )
    watched = keras.Model(model.inputs, parts)

    @tf.function
    def look() -> _Look:
        with tf.GradientTape() as tape:
            tape.watch([w.value for w in kernels])  # frozen ones too
            tape.watch([x for x in shown.values() if x.dtype.is_floating])
            heads, answers, sequences, given = watched(shown, training=False)
            heads = [tf.cast(head, tf.float32) for head in heads]
            mean = loss_of(named_outputs(ending, heads))
        gradients, steps = tape.gradient(mean, ([w.value for w in kernels], sequences))
        return _Look(
            dead=[_dead(x) for x in answers],
            gradients=[_rms(tf.convert_to_tensor(g)) for g in gradients],
            norm=tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients]),
            through_time=[_first_of(g) for g in steps],
            seen=[_rms(x) for x in given],
        )

    return look


def _rms(x: Tensor) -> Any:
    return tf.sqrt(tf.reduce_mean(tf.square(tf.cast(x, tf.float32))))


def _dead(x: Tensor) -> Any:
    """Return the fraction of the units (last axis) that are 0 for every sample and position."""
    largest = tf.reduce_max(tf.reshape(x, (-1, x.shape[-1])), axis=0)
    return tf.reduce_mean(tf.cast(largest <= 0, tf.float32))


def _first_of(gradient: Tensor) -> Any:
    """Return the gradient (B, T, C) at the first quarter of the steps over that at the best."""
    by_step = tf.sqrt(tf.reduce_mean(tf.square(tf.cast(gradient, tf.float32)), axis=(0, 2)))
    first = tf.reduce_max(by_step[: max(1, by_step.shape[0] // 4)])
    return tf.math.divide_no_nan(first, tf.reduce_max(by_step))
