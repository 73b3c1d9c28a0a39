"""The one training loop: a step under `strategy.run`, resumable at any call, exact under the seed.

Train and harden give it a step (see step.py) and nothing else; what one step compiles to, over how
many devices, is in compiled.py. Where several workers train, only their chief measures and writes.
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.arrays import Array, Strategy
from pipeline.seeds import fold_seed
from pipeline.train.batches import Feed
from pipeline.train.checkpoint import (
    CHECKPOINT,
    Progress,
    arrays_of,
    load_checkpoint,
    put_back,
    save_checkpoint,
)
from pipeline.train.compiled import compiled_steps
from pipeline.train.diverged import keeping_last_good, refuse_bad
from pipeline.train.interrupt import finishing_steps
from pipeline.train.step import Step
from pipeline.train.strategy import spans_workers, synchronise
from pipeline.train.weight_constraints import WeightConstraint
from pipeline.train.workers import is_chief, members, share_value

if TYPE_CHECKING:
    from keras.callbacks import CallbackList

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0  # what a kill may cost; a save takes milliseconds for nets of this size


@dataclass(frozen=True)
class Trainer:
    """A model with its optimizer and its training step."""

    model: Any
    optimizer: Any
    step: Step
    prepare: Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
    """(raw inputs of the global batch, seed) -> model inputs: preprocessing and augmentation."""
    strategy: Any
    clip_norm: float | None = None
    clip_value: float | None = None
    averages: bool = False
    """Whether the optimizer keeps a running mean of the weights, which is what counts."""
    constraints: Sequence[WeightConstraint] = ()
    """What weights keep while they learn."""
    rate_key: str = "train.optimizer.learning_rate"
    """Where the config says the learning rate."""
    phase: Callable[[int], Hashable] = lambda epoch: None
    """Makes the model ready for an epoch, and names the phase: a step is compiled for each."""
    learned: list[Any] = field(default_factory=list)
    """All weights that the optimizer may change, in its order."""


@finishing_steps
@keeping_last_good
def fit(
    trainer: Trainer,
    feed: Feed,
    *,
    epochs: int,
    evaluate: Callable[[], Mapping[str, float]],
    callbacks: Sequence[Any],
    work: Path,
    watch: Callable[[Sequence[Mapping[str, float]]], Any] = lambda rows: None,
) -> list[dict[str, float]]:
    """Train, from the checkpoint in `work` where there is one, and return a row of logs an epoch.

    Args:
        trainer: model, optimizer and step, made under the strategy's scope.
        feed: training batches.
        epochs: passes over the training samples.
        evaluate: returns the validation logs (`val_…`) of the current weights; the chief of several
            workers evaluates alone, and broadcasts the result.
        callbacks: Keras callbacks; those that stop training set `model.stop_training`.
        work: folder of the checkpoint; its contents decide nothing but how much is done again.
        watch: is shown the rows of all finished epochs after each, and once more at the end.

    Raises:
        Diverged: the loss is no longer a number.
    """
    listed = _callback_list(trainer, feed, callbacks, epochs)
    path = work / CHECKPOINT
    progress = _same_start(trainer, callbacks, load_checkpoint(path, trainer, callbacks))
    feed = _own_part(feed, trainer.strategy)
    synchronise(trainer.model, trainer.strategy)
    compiled: dict[Hashable, Any] = {}

    def save() -> None:
        save_checkpoint(path, trainer, callbacks, progress=progress)

    while progress.epoch < epochs and not trainer.model.stop_training:
        listed.on_epoch_begin(progress.epoch)
        phase = trainer.phase(progress.epoch)
        compiled[phase] = compiled.get(phase) or compiled_steps(trainer, feed)
        _run_epoch(trainer, feed, compiled[phase], progress, listed, save)
        with _averaged(trainer):
            logs = _epoch_logs(trainer, feed, progress, agree_on(trainer.strategy, evaluate))
            progress.end_epoch(logs)
            listed.on_epoch_end(progress.epoch - 1, dict(logs))
            watch(progress.history)
        is_last = trainer.model.stop_training or progress.epoch == epochs
        if is_last or progress.is_due(CHECKPOINT_SECONDS):
            save()
    if trainer.averages:
        trainer.optimizer.finalize_variable_values(trainer.learned)
    listed.on_train_end()  # early stopping may take the best weights back
    synchronise(trainer.model, tf.distribute.get_strategy())
    return progress.history


@contextlib.contextmanager
def _averaged(trainer: Trainer) -> Iterator[None]:
    """Swap the weights for their running mean, where the optimizer has one."""
    if not trainer.averages:
        yield
        return
    own = [tf.identity(variable.value) for variable in trainer.learned]
    trainer.optimizer.finalize_variable_values(trainer.learned)
    yield
    for variable, value in zip(trainer.learned, own, strict=True):
        variable.assign(value)


def agree_on(strategy: Strategy, find: Callable[[], Any]) -> Any:
    """Return the chief's result in all workers of a strategy."""
    if not spans_workers(strategy):
        return find()
    return share_value(find() if is_chief() else None)


def _same_start(trainer: Trainer, callbacks: Sequence[Any], progress: Progress) -> Progress:
    """Let several workers begin where their chief does, and return the position."""
    if progress.epoch or progress.step:
        log.info("          resumed at epoch %d, step %d", progress.epoch + 1, progress.step)
    if not spans_workers(trainer.strategy):
        return progress
    found = agree_on(trainer.strategy, lambda: arrays_of(trainer, callbacks, progress))
    return put_back(found, trainer, callbacks)


def _own_part(feed: Feed, strategy: Strategy) -> Feed:
    """Return the batches of which this worker reads only its rows."""
    if not spans_workers(strategy):
        return feed
    place = members().place
    return replace(feed, part=place.index, parts=place.count)


def stepper(trainer: Trainer, feed: Feed) -> Callable[[int, float], float]:
    """Return a function that makes one step at a rate, on the next batch, and returns its loss."""
    single = replace(_own_part(feed, trainer.strategy), most_steps=1)
    _callback_list(trainer, single, [], 1)
    trainer.model.stop_training = False
    _same_start(trainer, [], Progress())
    synchronise(trainer.model, trainer.strategy)
    compiled = compiled_steps(trainer, single)
    seed = fold_seed(feed.seed, "steps")
    batches = (call for epoch in itertools.count() for call in single.calls(epoch, 0))

    def step_at(number: int, rate: float) -> float:
        _, inputs, targets = next(batches)
        trainer.optimizer.learning_rate = rate
        return float(compiled(inputs, targets, seed, number)["loss"][0])

    return step_at


def _callback_list(trainer: Trainer, feed: Feed, callbacks: Sequence[Any], epochs: int) -> Any:
    """Build the optimizer and begin the callbacks, which see it as the model's own."""
    import keras

    with trainer.strategy.scope():
        trainer.learned.extend(trainer.model.trainable_variables)
        trainer.optimizer.build(trainer.learned)
    trainer.model.optimizer = trainer.optimizer
    listed = keras.callbacks.CallbackList(
        list(callbacks), model=trainer.model, epochs=epochs, steps=feed.steps, verbose=0
    )
    listed.on_train_begin()
    return listed


def _run_epoch(
    trainer: Trainer,
    feed: Feed,
    compiled: Callable[..., Mapping[str, Array]],
    progress: Progress,
    listed: "CallbackList",
    save: Callable[[], None],
) -> None:
    """Make the steps that are left of the current epoch, adding their logs to the progress."""
    for start, inputs, targets in feed.calls(progress.epoch, progress.step):
        first = progress.epoch * feed.steps + start
        seed = fold_seed(feed.seed, "steps")
        logs = compiled(inputs, targets, seed, first)
        refuse_bad(trainer, [logs["loss"]], progress.epoch, step=start)
        progress.add(logs, steps=len(logs["loss"]))
        listed.on_train_batch_end(
            progress.step - 1, {name: float(v[-1]) for name, v in logs.items()}
        )
        is_due = progress.is_due(CHECKPOINT_SECONDS)
        if is_due or progress.step == feed.steps:
            refuse_bad(trainer, trainer.model.variables, progress.epoch, step=start)
        if is_due:
            save()


def _epoch_logs(
    trainer: Trainer, feed: Feed, progress: Progress, validation: Mapping[str, float]
) -> dict[str, float]:
    """Return the row of one epoch: mean training logs, validation logs, learning rate."""
    means = {name: total / feed.steps for name, total in progress.sums.items()}
    return {"learning_rate": float(trainer.optimizer.learning_rate.numpy()), **means, **validation}
