"""Train the network of a spec on labeled samples: what `train` does once and `tune` many times."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import keras
from pydantic import TypeAdapter

from pipeline.arrays import Model
from pipeline.artifacts import WORK
from pipeline.config.schema import Schedule, Train
from pipeline.data.dataset import Dataset, with_decision
from pipeline.documents.decision import Decision
from pipeline.documents.spec import Spec
from pipeline.documents.training import Warned
from pipeline.models import MODELS
from pipeline.train.batches import Feed
from pipeline.train.history import watchers
from pipeline.train.loop import Trainer, fit, stepper
from pipeline.train.losses import Loss, loss_of
from pipeline.train.make import TrainingOptions, reset_keras, trainer_of
from pipeline.train.precision import in_float32, policy
from pipeline.train.range_test import known_rate, range_test
from pipeline.train.validate import evaluator
from pipeline.train.watch import watcher
from pipeline.train.workers import is_chief, together

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
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    *,
    batch_size: int,
    augment: Sequence[Mapping[str, Any]],
    seed: int,
    out: Path,
    begin: Callable[[Any], None] | None = None,
    teacher: Model = None,
    is_watched: bool = True,
    is_shown: bool = True,
) -> Trained:
    """Train from the seeded start, or from the checkpoint of a killed run.

    Args:
        spec: of the network.
        settings: the `train` section.
        dataset: its train split is learned, its validation split watched.
        batch_size: samples a step, over all replicas.
        augment: sections of `data.augment`, dumped.
        seed: of order, augmentation and dropout.
        out: folder of checkpoints (`work/`) and TensorBoard logs.
        begin: gives the model the weights to start from; None: the seed says.
        teacher: a trained model that it learns from, too; None: it learns only from labels.
        is_watched: whether to look for problems while it trains, and log them.
        is_shown: whether to show the progress.
    """
    learning: TrainingOptions = {"batch_size": batch_size, "augment": augment, "seed": seed}
    if settings.range_test:
        settings = _at_tested_rate(spec, settings, dataset, out, begin, **learning)
    return together(
        settings.strategy,
        _trained,
        spec,
        settings,
        dataset,
        own={"begin": begin},  # the other workers start from the checkpoint
        out=out,
        teacher=teacher,
        is_watched=is_watched,
        is_shown=is_shown,
        **learning,
    )


def evaluate_pretrained(
    spec: Spec, settings: Train, dataset: Dataset, *, begin: Callable[[Any], None]
) -> Trained:
    """Return a network as it was trained elsewhere, and its metrics on the validation split.

    Args:
        spec: of a network from outside.
        settings: the `train` section.
        dataset: its validation split is predicted.
        begin: gives the weights.
    """
    dataset, loss = _begun(spec, settings, dataset)
    model = MODELS[spec.model.kind](keras, spec)
    begin(model)
    found = evaluator(model, dataset, split="validation", task=spec.task, loss=loss)()
    return Trained(model, [], found, [])


def _trained(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    *,
    out: Path,
    begin: Callable[[Any], None] | None,
    teacher: Model,
    is_watched: bool,
    is_shown: bool,
    **learning: Unpack[TrainingOptions],
) -> Trained | None:
    """Train, as one of the workers that do; those that are not the chief return nothing."""
    dataset, loss = _begun(spec, settings, dataset)
    with policy(settings.precision):
        trainer, feed = trainer_of(spec, settings, dataset, loss=loss, teacher=teacher, **learning)
    if begin is not None:
        begin(trainer.model)
    watch: Callable[[Any], list[Warned]] = lambda rows: []  # noqa: E731
    if is_watched and is_chief():
        watch = watcher(trainer.model, spec, settings, feed=feed, loss=loss)
    callbacks = watchers(out, settings, is_shown=is_shown)
    return _fitted(trainer, feed, spec, settings, dataset, loss, out, watch, callbacks)


def _begun(spec: Spec, settings: Train, dataset: Dataset) -> tuple[Dataset, Loss]:
    """Reset Keras, and return the dataset as it is learned, and the loss."""
    reset_keras()
    task = spec.task
    if (score := spec.score) is not None:
        dataset = with_decision(dataset, Decision(score=score))
    return dataset, loss_of(settings, task)


def _fitted(
    trainer: Trainer,
    feed: Feed,
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    loss: Loss,
    out: Path,
    watch: Callable[[Any], list[Warned]],
    callbacks: Sequence[Any],
) -> Trained | None:
    """Make all epochs, and measure the weights that are kept."""

    def evaluator_of(model: Model) -> Callable[[], Mapping[str, float]]:
        task = spec.task
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
    if not is_chief():
        return None
    model = in_float32(trainer.model, spec)
    validation = (evaluate if model is trainer.model else evaluator_of(model))()
    return Trained(model, rows, validation, watch(rows))


def _at_tested_rate(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    out: Path,
    begin: Callable[[Any], None] | None,
    **learning: Unpack[TrainingOptions],
) -> Train:
    """Return the settings with the peak rate that a range test finds from where training begins."""
    path = out / RANGE_TEST
    rate = known_rate(path)
    if rate is None:
        rate = together(
            settings.strategy,
            _tested_rate,
            spec,
            settings,
            dataset,
            path,
            own={"begin": begin},
            **learning,
        )
    chosen = settings.optimizer.model_copy(update={"learning_rate": rate})
    return settings.model_copy(update={"optimizer": chosen, "range_test": False})


def _tested_rate(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    path: Path,
    *,
    begin: Callable[[Any], None] | None,
    **learning: Unpack[TrainingOptions],
) -> float:
    """Try the rates, as one of the workers that do."""
    constant = TypeAdapter(Schedule).validate_python({"kind": "constant"})
    plain = settings.model_copy(update={"schedule": constant, "freeze": None, "ema": None})
    dataset, loss = _begun(spec, settings, dataset)
    trainer, feed = trainer_of(spec, plain, dataset, loss=loss, teacher=None, **learning)
    if begin is not None:
        begin(trainer.model)
    return range_test(stepper(trainer, feed), path)
