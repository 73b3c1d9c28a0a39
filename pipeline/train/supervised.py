"""Train the network of a spec on labelled samples: what `train` does once and `tune` many times."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.artifacts import WORK
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset, detecting
from pipeline.data.preprocess import target_of
from pipeline.models import MODELS
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.feed import Feed
from pipeline.train.freeze import frozen_epochs, phases
from pipeline.train.history import watchers
from pipeline.train.loop import Trainer, fit
from pipeline.train.prepare import preparer
from pipeline.train.step import class_weights, detector_step, loss_of, plain_step, weighted
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator


@dataclass(frozen=True)
class Trained:
    """What came of a training."""

    model: Any
    history: list[dict[str, float]]
    validation: Mapping[str, float]
    """Logs of the final weights: val_loss, val_…."""


def train_network(
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    *,
    batch_size: int,
    augment: Sequence[Mapping[str, Any]],
    seed: int,
    out: Path,
    begin: Callable[[Any], None] | None = None,
) -> Trained:
    """Train from the seeded start, or from the checkpoint of a killed run.

    Args:
        spec: contents of spec.json.
        settings: the `train` section.
        dataset: its train split is learnt, its validation split watched.
        batch_size: samples a step, over all replicas.
        augment: sections of `data.augment`, dumped.
        seed: of order, augmentation and dropout.
        out: folder of checkpoints (`work/`) and TensorBoard logs.
        begin: gives the model the weights to start from; None: the seed says.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    task = spec["output"]["task"]
    if task == "anomaly":
        dataset = detecting(dataset, spec["output"]["score"])
    loss = loss_of(settings.loss, task)
    trainer, feed = _trainer(
        spec, settings, dataset, loss, batch_size=batch_size, augment=augment, seed=seed
    )
    if begin is not None:
        begin(trainer.model)
    patience = settings.early_stopping.patience if settings.early_stopping else None
    evaluate = evaluator(trainer.model, dataset, split="validation", task=task, loss=loss)
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=evaluate,
        callbacks=watchers(out, patience=patience, thawed=frozen_epochs(settings.freeze)),
        work=out / WORK,
    )
    return Trained(trainer.model, rows, evaluate())


def _trainer(
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    loss: Any,
    *,
    batch_size: int,
    augment: Sequence[Mapping[str, Any]],
    seed: int,
) -> tuple[Trainer, Feed]:
    """Return what is trained, made under the strategy's scope, and its batches."""
    positions = dataset.split("train")
    labels = np.asarray(dataset.labels[positions])
    feed = Feed(
        dataset,
        positions,
        target_of(labels, dataset.preprocess),
        batch_size=batch_size,
        seed=fold_seed(seed, "train"),
    )
    strategy = choose(settings.strategy)
    with strategy.scope():
        model = MODELS[spec["model"]["kind"]](keras, spec)
        optimizer = _optimizer(settings, feed.steps)
    weights = class_weights(settings.class_weights, labels, dataset.class_names or ())
    anomaly = dataset.preprocess["anomaly"]
    if anomaly is None:
        step = plain_step(model, weighted(loss, weights))
    else:
        noise = spec["model"].get("noise", 0.0)  # of an autoencoder
        step = detector_step(model, settings.loss, anomaly, noise=noise)
    trainer = Trainer(
        model,
        optimizer,
        step,
        preparer(dataset.preprocess, augment),
        strategy,
        clip_norm=settings.optimizer.clip_norm,
        phase=phases(model, settings.freeze),
    )
    return trainer, feed


def _optimizer(settings: Train, steps_an_epoch: int) -> Any:
    """Return the optimizer with its schedule."""
    peak, frozen = settings.optimizer.learning_rate, frozen_epochs(settings.freeze)
    rate = schedule.learning_rate(
        keras,
        settings.schedule,
        peak=peak * settings.freeze.rate if settings.freeze else peak,
        steps_an_epoch=steps_an_epoch,
        epochs=settings.epochs - frozen,
    )
    if frozen:
        rate = schedule.after(keras, frozen * steps_an_epoch, peak, rate)
    return schedule.optimizer(keras, settings.optimizer, rate)
