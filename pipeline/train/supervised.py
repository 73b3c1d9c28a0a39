"""Train the network of a spec on labelled samples: what `train` does once and `tune` many times."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter

from pipeline.artifacts import WORK
from pipeline.config.schema import Schedule, Train
from pipeline.data.dataset import Dataset, detecting
from pipeline.data.preprocess import target_of
from pipeline.data.unlabelled import NONE, UNLABELLED
from pipeline.models import MODELS
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.feed import Feed, oversampled
from pipeline.train.freeze import frozen_epochs, phases
from pipeline.train.history import watchers
from pipeline.train.loop import Trainer, fit, stepper
from pipeline.train.losses import Loss, loss_of
from pipeline.train.precision import in_float32, policy
from pipeline.train.prepare import preparer
from pipeline.train.range_test import range_test
from pipeline.train.step import (
    Step,
    class_weights,
    detector_step,
    distilling_step,
    mixed_up,
    plain_step,
    weighted,
)
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator
from pipeline.train.warnings import Warned
from pipeline.train.watch import watcher

RANGE_TEST = "range_test.json"


@dataclass(frozen=True)
class Trained:
    """What came of a training."""

    model: Any
    history: list[dict[str, float]]
    validation: Mapping[str, float]
    """Logs of the final weights: val_loss, val_…."""
    warnings: list[Warned]
    """What goes wrong at the end, and what to do."""


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
    teacher: Any = None,
    is_watched: bool = True,
    is_shown: bool = True,
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
        teacher: a trained model that it learns from too; None: from labels alone.
        is_watched: whether to look for what goes wrong, and tell it while it trains.
        is_shown: whether to show the progress.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    task = spec["output"]["task"]
    if task == "anomaly":
        dataset = detecting(dataset, spec["output"]["score"])
    loss = loss_of(settings, task)
    learning: dict[str, Any] = {"batch_size": batch_size, "augment": augment, "seed": seed}
    if settings.range_test:
        settings = _at_tested_rate(spec, settings, dataset, out, begin, **learning)
        keras.utils.clear_session()
    with policy(settings.precision):
        trainer, feed = _trainer(spec, settings, dataset, loss, teacher=teacher, **learning)
    if begin is not None:
        begin(trainer.model)
    watch = watcher(trainer.model, spec, settings, feed, loss) if is_watched else lambda rows: []
    callbacks = watchers(out, settings, is_shown=is_shown)
    return _fitted(trainer, feed, spec, settings, dataset, loss, out, watch, callbacks)


def _fitted(
    trainer: Trainer,
    feed: Feed,
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    loss: Loss,
    out: Path,
    watch: Callable[[Any], list[Warned]],
    callbacks: Sequence[Any],
) -> Trained:
    """Make all epochs, and measure the weights that are kept."""

    def evaluator_of(model: Any) -> Callable[[], Mapping[str, float]]:
        task = spec["output"]["task"]
        return evaluator(model, dataset, split="validation", task=task, loss=loss)

    evaluate = evaluator_of(trainer.model)
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=evaluate,
        callbacks=callbacks,
        work=out / WORK,
        watch=watch,
    )
    model = in_float32(trainer.model, spec)
    validation = (evaluate if model is trainer.model else evaluator_of(model))()
    return Trained(model, rows, validation, watch(rows))


def _trainer(
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    loss: Any,
    *,
    batch_size: int,
    augment: Sequence[Mapping[str, Any]],
    seed: int,
    teacher: Any,
) -> tuple[Trainer, Feed]:
    """Return what is trained, made under the strategy's scope, and its batches."""
    positions, labels = _samples(settings, dataset, seed, is_taught=teacher is not None)
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
    """Return positions and labels of what is learnt: a teacher needs no label to teach."""
    positions = dataset.split("train")
    if settings.oversample:
        positions = oversampled(positions, dataset.labels, fold_seed(seed, "oversample"))
    labels = np.asarray(dataset.labels[positions])
    if not is_taught or UNLABELLED not in dataset.splits:
        return positions, labels
    others = dataset.split(UNLABELLED)
    unknown = np.full(len(others), NONE, labels.dtype)
    return np.concatenate([positions, others]), np.concatenate([labels, unknown])


def _at_tested_rate(
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    out: Path,
    begin: Callable[[Any], None] | None,
    **learning: Any,
) -> Train:
    """Return the settings with the peak rate that a range test finds from where training begins."""
    constant = TypeAdapter(Schedule).validate_python({"kind": "constant"})
    tested = settings.model_copy(update={"schedule": constant, "freeze": None, "ema": None})
    loss = loss_of(settings, spec["output"]["task"])
    trainer, feed = _trainer(spec, tested, dataset, loss, teacher=None, **learning)
    if begin is not None:
        begin(trainer.model)
    rate = range_test(stepper(trainer, feed), out / RANGE_TEST)
    chosen = settings.optimizer.model_copy(update={"learning_rate": rate})
    return settings.model_copy(update={"optimizer": chosen, "range_test": False})


def _step(
    model: Any,
    spec: Mapping[str, Any],
    settings: Train,
    dataset: Dataset,
    loss: Any,
    labels: Any,
    augment: Sequence[Mapping[str, Any]],
    teacher: Any,
) -> Step:
    """Return the step that the settings ask for."""
    anomaly = dataset.preprocess["anomaly"]
    if anomaly is not None:
        noise = spec["model"].get("noise", 0.0)  # of an autoencoder
        return detector_step(model, settings.loss, anomaly, noise=noise)
    known = labels[labels != NONE] if dataset.class_names else labels
    weights = class_weights(settings.class_weights, known, dataset.class_names or ())
    counted = weighted(loss, weights)
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
    return schedule.optimizer(keras, settings.optimizer, rate, ema=settings.ema)
