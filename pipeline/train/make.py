"""The parts that every training is built of; and the trainer of a spec and a `train` section."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.config.schema import Train
from pipeline.config.train_schema import RateScaling
from pipeline.data.augment import augment
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import filter_array, join_arrays, take_rows
from pipeline.data.preprocess import scaled_targets, to_model_inputs
from pipeline.data.unlabeled import NONE, UNLABELED
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.batches import Feed, oversample_rare
from pipeline.train.freeze import frozen_epochs, phases
from pipeline.train.loop import Trainer
from pipeline.train.losses import Loss
from pipeline.train.step import (
    Step,
    class_weights,
    detector_step,
    distilling_step,
    mixed_up,
    plain_step,
    weight_loss,
)
from pipeline.train.strategy import choose


def reset_keras() -> None:
    """Count layers from zero again, and have every operation give the same bits each time."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()


def train_batches(dataset: Dataset, *, batch_size: int, seed: int) -> Feed:
    """Return the batches of the train split, as it is."""
    positions = dataset.split("train")
    targets = scaled_targets(dataset.targets(positions), dataset.preprocess)
    return Feed(dataset, positions, targets, batch_size=batch_size, seed=seed)


def cosine_rate(
    feed: Feed, *, peak: float, epochs: int, scaling: RateScaling | None = None
) -> schedule.Rate:
    """Return a half cosine from the peak to zero; the peak grows with the batch as `scaling` says.

    Args:
        feed: of the training.
        peak: learning rate of the first step.
        epochs: after which it is zero.
        scaling: the `train.rate_scaling` section; None: the peak is as it is.
    """
    return schedule.cosine(
        keras,
        peak=peak * schedule.rate_factor(scaling, feed.batch),
        warmup_steps=0,
        total_steps=epochs * feed.steps,
    )


def preparer(
    preprocess: Preprocess, changes: Sequence[Mapping[str, Any]]
) -> Callable[[Mapping[str, Any], Tensor], Mapping[str, Any]]:
    """Return (raw inputs, seed) -> augmented model inputs.

    Args:
        preprocess: contents of preprocess.json.
        changes: sections of `data.augment`, dumped.

    Returns:
        (input -> raw samples (B, …), seed int32 (2,)) -> input -> model input (B, …).
    """

    def prepare(raw: Mapping[str, Any], seed: Tensor) -> Mapping[str, Any]:
        ready = to_model_inputs(raw, preprocess)
        return {name: augment(x, changes, seed) if changes else x for name, x in ready.items()}

    return prepare


class TrainingOptions(TypedDict):
    """Arguments of a training besides its settings."""

    batch_size: int
    """Samples a step, over all replicas."""
    augment: Sequence[Mapping[str, Any]]
    """Sections of `data.augment`, dumped."""
    seed: int
    """Of order, augmentation and dropout."""


def trainer_of(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    *,
    loss: Loss,
    batch_size: int,
    augment: Sequence[Mapping[str, Any]],
    seed: int,
    teacher: Model,
) -> tuple[Trainer, Feed]:
    """Build an untrained network with optimizer, step and batches, under the strategy's scope.

    Args:
        spec: of the network.
        settings: the `train` section.
        dataset: its training split is learned.
        loss: of each sample.
        batch_size: of all devices together.
        augment: sections of `data.augment`, dumped.
        seed: of order, draws and hidden samples.
        teacher: a trained model that it learns from, too; None: only from labels.
    """
    positions, labels = _samples(settings, dataset, seed, is_taught=teacher is not None)
    feed = Feed(
        dataset,
        positions,
        scaled_targets(dataset.name_targets(labels), dataset.preprocess),
        batch_size=batch_size,
        seed=fold_seed(seed, "train"),
    )
    strategy = choose(settings.strategy)
    with strategy.scope():
        model = MODELS[spec.model.kind](keras, spec)
        optimizer = _optimizer(settings, feed)
    trainer = Trainer(
        model,
        optimizer,
        _step(model, spec, settings, dataset, loss, labels, augment, teacher),
        preparer(dataset.preprocess, augment),
        strategy,
        clip_norm=settings.optimizer.clip_norm,
        clip_value=settings.optimizer.clip_value,
        averages=settings.ema is not None,
        phase=phases(model, settings.freeze),
    )
    return trainer, feed


def _samples(settings: Train, dataset: Dataset, seed: int, *, is_taught: bool) -> tuple[Any, Any]:
    """Return indices and labels of the training samples: with a teacher they need no label."""
    positions = dataset.split("train")
    if settings.oversample:
        positions = oversample_rare(positions, dataset.labels, fold_seed(seed, "oversample"))
    labels = take_rows(dataset.labels, positions)
    if not is_taught or UNLABELED not in dataset.splits:
        return positions, labels
    others = dataset.split(UNLABELED)
    unknown = np.broadcast_to(labels.dtype.type(NONE), len(others))
    return join_arrays([positions, others]), join_arrays([labels, unknown])


def _step(
    model: Model,
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    loss: Loss,
    labels: Tensor,
    augment: Sequence[Mapping[str, Any]],
    teacher: Model,
) -> Step:
    """Return the step that the settings ask for."""
    decision = dataset.preprocess.anomaly
    if decision is not None:
        noise = getattr(spec.model, "noise", 0.0)  # of an autoencoder
        return detector_step(model, settings.loss, decision, noise=noise)
    known = filter_array(labels, lambda own: own != NONE) if dataset.class_names else labels
    weights = class_weights(settings.class_weights, known, dataset.class_names or ())
    counted = weight_loss(loss, weights)
    if teacher is not None:
        assert settings.distill is not None
        taught = settings.distill.temperature, settings.distill.weight
        step = distilling_step(model, counted, teacher, *taught)
    else:
        step = plain_step(model, counted)
    alphas = [change["alpha"] for change in augment if change["kind"] == "mixup"]
    for alpha in alphas:
        step = mixed_up(step, counted, alpha)
    return step


def _optimizer(settings: Train, feed: Feed) -> Any:
    """Return the optimizer with its schedule."""
    steps_an_epoch, frozen = feed.steps, frozen_epochs(settings.freeze)
    factor = schedule.rate_factor(settings.rate_scaling, feed.batch)
    peak = settings.optimizer.learning_rate * factor
    rate = schedule.learning_rate(
        keras,
        settings.schedule,
        peak=peak * settings.freeze.rate if settings.freeze else peak,
        steps_an_epoch=steps_an_epoch,
        epochs=settings.epochs - frozen,
    )
    if frozen:
        rate = schedule.after(keras, frozen * steps_an_epoch, peak, later=rate)
    return schedule.optimizer(keras, settings.optimizer, rate, ema=settings.ema)
