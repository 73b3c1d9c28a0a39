"""Fine-tuning of a compressed network by distillation: it learns the trained model's outputs.

It learns not the labels but the trained model's outputs, for files are judged by
whether they decide as that does (Hinton et al. 2015, arXiv:1503.02531, at temperature 1). So it is
the same for every task, and knows nothing of the training's loss.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from pipeline.arrays import Model, Tensor, Tensors
from pipeline.compress.fake_quant import Span, rounded_value, rounding_scope
from pipeline.config.train_schema import RateScaling
from pipeline.data.dataset import Dataset
from pipeline.documents.decision import Decision
from pipeline.harden.attacks import attack_of
from pipeline.models.blocks import logits_model
from pipeline.models.predict import detector_inputs
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed
from pipeline.train.history import ShowProgress
from pipeline.train.loop import Trainer, fit
from pipeline.train.make import cosine_rate, preparer, reset_keras, train_batches
from pipeline.train.step import PerSample, Step
from pipeline.train.strategy import choose
from pipeline.train.weight_constraints import WeightConstraint
from pipeline.train.workers import is_chief

CLIP_NORM = 1.0  # of a gradient that goes straight through what has none


@dataclass(frozen=True)
class Rounding:
    """What int8 rounds, besides the weights."""

    spans: Mapping[str, Span]
    """Layer -> range of its output."""
    inputs: Mapping[str, Span]
    """Input -> its range."""


@dataclass(frozen=True)
class DistillationJob:
    """A distillation job: student, teacher, data and epochs."""

    student: Path
    teacher: Path
    dataset: Dataset
    settings: Any
    """`epochs` and `learning_rate`."""
    key: str
    """Where the config says them, such as compress.prune."""
    seed: int
    strategy: str
    batch_size: int
    augment: Sequence[Mapping[str, Any]]
    work: Path
    """Folder of the checkpoint; a killed run goes on from there."""
    attack: Mapping[str, Any] | None = None
    """As a `harden.attack` section: the student learns from what it finds, too. None: it learns
    from samples as they are."""
    scaling: Mapping[str, Any] | None = None
    """The `train.rate_scaling` section, dumped."""


def distill_network(
    job: DistillationJob,
    constraints: Callable[[Any, int], Sequence[WeightConstraint]],
    rounding: Callable[[Any], Rounding | None] = lambda model: None,
) -> Any:
    """Return the student's network when it has learned; all workers of a cluster call this.

    Args:
        job: student, teacher, data and epochs.
        constraints: (model, steps in all) -> what its weights keep.
        rounding: model -> its ranges that are rounded while it learns; None: nothing is rounded.

    Raises:
        ConfigError: the loss is no longer a number.
    """
    reset_keras()
    job.work.mkdir(parents=True, exist_ok=True)
    dataset, settings = job.dataset, job.settings
    seed = fold_seed(job.seed, job.key.rpartition(".")[2])  # in an order of the job's own
    feed = train_batches(dataset, batch_size=job.batch_size, seed=seed)
    scaling = None if job.scaling is None else RateScaling.model_validate(job.scaling)
    rate = cosine_rate(feed, peak=settings.learning_rate, epochs=settings.epochs, scaling=scaling)
    strategy = choose(job.strategy)
    with strategy.scope():
        model, teacher = load_keras(job.student), load_keras(job.teacher)
        held = constraints(model, settings.epochs * feed.steps)
        optimizer = keras.optimizers.Adam(rate)
    trainer = Trainer(
        model,
        optimizer,
        distillation_step(
            model, teacher, dataset.preprocess.anomaly, rounding=rounding(model), attack=job.attack
        ),
        preparer(dataset.preprocess, job.augment),
        strategy,
        clip_norm=CLIP_NORM,
        constraints=held,
        rate_key=f"{job.key}.learning_rate",
    )
    shown = [ShowProgress(is_shown=is_chief())]
    fit(trainer, feed, epochs=settings.epochs, evaluate=dict, callbacks=shown, work=job.work)
    return model


def distillation_step(
    model: Model,
    teacher: Model,
    decision: Decision | None,
    *,
    rounding: Rounding | None = None,
    attack: Mapping[str, Any] | None = None,
) -> Step:
    """Return the step whose loss is the distance of the student's outputs from the teacher's.

    That is KL(teacher || student) for classes and the mean squared difference for values. The
    student learns as in any training: statistics of normalization follow what pruning does to them.
    Where it is rounded it drops nothing out and they stay, for ranges were measured with them.

    With an attack, half of the loss is the distance of its outputs on adversarial inputs from the
    teacher's on the same inputs, so that it is as robust as the teacher. The attack goes through
    the rounding, against the teacher's decisions. The teacher's outputs on the clean inputs instead
    (Goldblum et al. 2020, arXiv:1905.09747, equation 5) would harden the network once more, to
    another balance of clean and robust than the teacher has.

    Args:
        model: learns.
        teacher: the same network before.
        decision: how a detector decides; None: the task has no detector.
        rounding: what the student computes with; None: with what it is.
        attack: as a `harden.attack` section, of a network with one input and classes; None: none.
    """
    student, master = logits_model(keras, model), logits_model(keras, teacher)
    apart = _kl_divergence if student is not model else _squared
    spans = {} if rounding is None else rounding.inputs
    find = None if attack is None else attack_of(attack)

    def outputs_of(shown: Mapping[str, Any], training: bool) -> Any:
        near = {
            name: rounded_value(x, spans[name]) if name in spans else x for name, x in shown.items()
        }
        return tf.cast(student(near, training=training), tf.float32)

    def step(inputs: Mapping[str, Any], targets: Tensors, seed: Tensor) -> tuple[Any, PerSample]:
        shown = detector_inputs(inputs, decision) if decision is not None else dict(inputs)
        wanted = tf.stop_gradient(tf.cast(master(shown, training=False), tf.float32))
        with (
            contextlib.nullcontext() if rounding is None else rounding_scope(model, rounding.spans)
        ):
            if find is None:
                return apart(wanted, outputs_of(shown, rounding is None)), {}
            ((name, x),) = shown.items()
            decided = tf.argmax(wanted, axis=1, output_type=tf.int32)
            found = find(lambda z, training: outputs_of({name: z}, training), x, decided, seed)
            both = outputs_of({name: tf.concat([x, found], axis=0)}, rounding is None)
        there = tf.stop_gradient(tf.cast(master({name: found}, training=False), tf.float32))
        clean, adversarial = tf.split(apart(tf.concat([wanted, there], axis=0), both), 2)
        return (clean + adversarial) / 2, {}

    return step


def _kl_divergence(wanted: Any, found: Any) -> Any:
    """Return KL(teacher || student) of each sample (B,), from logits (B, K)."""
    apart = tf.nn.log_softmax(wanted) - tf.nn.log_softmax(found)
    return tf.reduce_sum(tf.nn.softmax(wanted) * apart, axis=1)


def _squared(wanted: Any, found: Any) -> Any:
    """Return the mean squared difference of each sample (B,); both (B, ...)."""
    squared = tf.square(found - wanted)
    return tf.reduce_mean(tf.reshape(squared, (tf.shape(squared)[0], -1)), axis=1)
