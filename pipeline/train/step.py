"""What one training step minimises: the loss of each sample, and the metrics shown beside it.

A step is a function (inputs, targets, seed) -> (loss of each sample, metrics of each sample). The
loop takes its gradient, adds it up over replicas and updates the weights; see loop.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor, Tensors, only
from pipeline.config.train_schema import ClassWeights
from pipeline.data.memmap_arrays import count_ids
from pipeline.data.per_replica_random import draw_per_replica, first_here
from pipeline.documents.decision import Decision
from pipeline.errors import ConfigError
from pipeline.models.blocks import logits_model
from pipeline.models.predict import detector_inputs, detector_targets, mean_error, named_outputs
from pipeline.train.losses import Loss, without_names

PerSample = Mapping[str, Any]
Step = Callable[[Mapping[str, Any], Tensors, Any], tuple[Any, PerSample]]
LabelStep = Callable[[Mapping[str, Any], Any, Any], tuple[Any, PerSample]]
"""A step of (inputs, labels (B,), seed), for tasks with one target."""

MIXUP = 7000  # first seed of its draws, away from those of augmentation


def class_weights(
    setting: ClassWeights | None, labels: Array, names: tuple[str, ...]
) -> Array | None:
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
        counts = count_ids(labels, len(names))
        return (len(labels) / (len(names) * np.maximum(counts, 1))).astype(np.float32)
    unknown = [name for name in setting if name not in names]
    if unknown:
        known = ", ".join(names)
        raise ConfigError(
            *(f"train.class_weights.{name}: no such class; there are {known}" for name in unknown)
        )
    return np.array([setting.get(name, 1.0) for name in names], np.float32)


def on_labels(step: LabelStep) -> Step:
    """Return a step of (inputs, labels (B,), seed) as one of named targets, where there is one."""
    return lambda inputs, targets, seed: step(inputs, only(targets), seed)


def weight_loss(loss: Loss, weights: Array | None) -> Loss:
    """Return the loss multiplied by the class weight of each sample.

    Args:
        loss: (targets (B,), outputs (B, K)) -> loss of each sample (B,).
        weights: (K,); None: all are one.
    """
    if weights is None:
        return loss
    return lambda targets, outputs: loss(targets, outputs) * tf.gather(weights, only(targets))


def sample_metric(labels: Tensor, outputs: Tensor) -> PerSample:
    """Return name -> metric of each sample (B,) that training shows, in the scaled target.

    Args:
        labels: (B,), class ids, or targets as floats.
        outputs: (B, K).

    Returns:
        accuracy: 1 where the predicted class is right, else 0; of a regression mae: absolute error.
    """
    if labels.dtype.is_floating:
        return {"mae": tf.abs(outputs[:, 0] - labels)}
    return {"accuracy": tf.cast(tf.argmax(outputs, 1, labels.dtype) == labels, tf.float32)}


def plain_step(model: Model, loss: Loss) -> Step:
    """Return the ordinary supervised step: the loss of the model's logits or values."""
    head = logits_model(_keras(), model)

    def step(
        inputs: Mapping[str, Any], targets: Tensors, seed: Tensor, loss: Loss = loss
    ) -> tuple[Any, PerSample]:
        outputs = named_outputs(head, head(inputs, training=True))
        outputs = {name: tf.cast(values, tf.float32) for name, values in outputs.items()}
        is_single = len(outputs) == len(targets) == 1
        shown = sample_metric(only(targets), only(outputs)) if is_single else {}
        return loss(targets, outputs), shown

    return step


def distilling_step(
    model: Model, loss: Loss, teacher: Model, temperature: float, weight: float
) -> Step:
    """Return the step of a student: (1 - w) * loss + w * T^2 * KL(teacher_T || student_T).

    Hinton et al. 2015 (arXiv:1503.02531), section 2: both softmaxes have temperature T, and
    T^2 keeps the size of the gradient. A sample without a label is learned only from the teacher
    (w = 1), whose predicted class counts as its class.

    Args:
        model: the student.
        loss: of each sample, from labels and logits.
        teacher: a trained model; its inputs are the student's.
        temperature: T, at least 1.
        weight: w, in [0, 1].
    """
    student, master = logits_model(_keras(), model), logits_model(_keras(), teacher)

    def step(
        inputs: Mapping[str, Any], targets: Tensors, seed: Tensor, loss: Loss = loss
    ) -> tuple[Any, PerSample]:
        labels = only(targets)
        logits = tf.cast(student(inputs, training=True), tf.float32)
        told = tf.stop_gradient(tf.cast(master(inputs, training=False), tf.float32)) / temperature
        own = tf.nn.log_softmax(logits / temperature)
        apart = tf.reduce_sum(tf.nn.softmax(told) * (tf.nn.log_softmax(told) - own), axis=1)
        is_known = labels >= 0
        of_labels = without_names(loss)(tf.where(is_known, labels, 0), logits)
        share = tf.where(is_known, weight, 1.0)
        losses = (1 - share) * of_labels + share * temperature**2 * apart
        chosen = tf.argmax(told, 1, labels.dtype)
        return losses, sample_metric(tf.where(is_known, labels, chosen), logits)

    return step


def mixed_up(step: Step, loss: Loss, alpha: float) -> Step:
    """Return a step that sees mixtures of two samples, and of their losses (mixup).

    Zhang et al. 2018 (arXiv:1710.09412), equation 1: the weight of the first is drawn for each
    sample from Beta(alpha, alpha); the second is another of the same batch.

    Args:
        step: takes its loss as `loss`.
        loss: of each sample.
        alpha: the larger, the more even the mixtures.
    """

    def mixing(inputs: Mapping[str, Any], targets: Tensors, seed: Tensor) -> tuple[Any, PerSample]:
        share, order = _mixture(tf.shape(next(iter(targets.values())))[0], alpha, seed)

        def mixed(x: Tensor) -> Any:
            own = tf.reshape(share, (-1, *[1] * (len(x.shape) - 1)))
            return own * x + (1 - own) * tf.gather(x, order)

        def of_both(targets: Tensors, outputs: Tensors) -> Any:
            others = {name: tf.gather(target, order) for name, target in targets.items()}
            return share * loss(targets, outputs) + (1 - share) * loss(others, outputs)

        shown = {name: mixed(x) for name, x in inputs.items()}
        return step(shown, targets, seed, loss=of_both)  # type: ignore[call-arg]

    return mixing


def _mixture(count: Tensor, alpha: float, seed: Tensor) -> tuple[Any, Any]:
    """Return the weight of each sample (B,) in its mixture, and the index of the other (B,).

    The other is one of the same device.
    """
    seeds = [tf.random.experimental.stateless_fold_in(seed, MIXUP + i) for i in range(3)]
    one, two = (draw_per_replica(tf.random.stateless_gamma, (count,), s, alpha) for s in seeds[:2])
    share = one / tf.maximum(one + two, np.finfo(np.float32).tiny)
    own = seeds[2] + tf.stack([first_here(), 0])
    return share, tf.random.experimental.stateless_shuffle(tf.range(count), own)


def detector_step(model: Model, error: str, decision: Decision, *, noise: float) -> Step:
    """Return the step of a detector, which predicts its input or the next step of a series.

    Args:
        model: reconstructs, or forecasts.
        error: mse or mae; auto is mse.
        decision: says what the network predicts.
        noise: standard deviation of the noise that is added to the inputs, and not to the
            targets (Vincent et al. 2008, "Extracting and composing robust features with denoising
            autoencoders").
    """
    form = tf.abs if error == "mae" else tf.square

    def step(inputs: Mapping[str, Any], targets: Tensors, seed: Tensor) -> tuple[Any, PerSample]:
        shown = detector_inputs(inputs, decision)
        if noise:
            shown = {
                name: x
                + draw_per_replica(tf.random.stateless_normal, tf.shape(x), seed, 0.0, noise)
                for name, x in shown.items()
            }
        answered = tf.cast(model(shown, training=True), tf.float32)
        return mean_error(form(answered - detector_targets(inputs, decision))), {}

    return step


def _keras() -> Any:
    import keras

    return keras
