"""The one training loop: a step under `strategy.run`, resumable at any call, exact under the seed.

Train and harden give it a step (see step.py) and nothing else. Gradients are summed over replicas
and divided by the global batch, so that the result does not depend on the number of devices.
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipeline.errors import ConfigError
from pipeline.seeds import fold_seed
from pipeline.train.checkpoint import CHECKPOINT, Progress, load_checkpoint, save_checkpoint
from pipeline.train.diverged import keeping_last_good, refuse_bad
from pipeline.train.feed import Feed
from pipeline.train.hold import Hold, held_gradients, hold_values, values_of
from pipeline.train.interrupt import finishing_steps
from pipeline.train.step import Step
from pipeline.train.strategy import synchronise

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 5.0  # what a kill may cost; a save takes milliseconds for nets of this size


@dataclass(frozen=True)
class Trainer:
    """What is trained, and how a step of it is made."""

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
    holds: Sequence[Hold] = ()
    """What weights keep while they learn."""
    rate_key: str = "train.optimizer.learning_rate"
    """Where the config says the learning rate."""
    phase: Callable[[int], Hashable] = lambda epoch: None
    """Makes the model ready for an epoch, and names the phase: a step is compiled for each."""
    learnt: list[Any] = field(default_factory=list)
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
        evaluate: returns the validation logs (`val_…`) of the current weights.
        callbacks: Keras callbacks; those that stop training set `model.stop_training`.
        work: folder of the checkpoint; its contents decide nothing but how much is done again.
        watch: is shown the rows of all finished epochs after each, and once more at the end.

    Raises:
        Diverged: the loss is no longer a number.
    """
    listed = _callback_list(trainer, feed, callbacks, epochs)
    path = work / CHECKPOINT
    progress = load_checkpoint(path, trainer, callbacks)
    if progress.epoch or progress.step:
        log.info("          resumed at epoch %d, step %d", progress.epoch + 1, progress.step)
    synchronise(trainer.model, trainer.strategy)
    compiled: dict[Hashable, Any] = {}

    def save() -> None:
        save_checkpoint(path, trainer, callbacks, progress)

    while progress.epoch < epochs and not trainer.model.stop_training:
        listed.on_epoch_begin(progress.epoch)
        phase = trainer.phase(progress.epoch)
        compiled[phase] = compiled.get(phase) or _compile(trainer, feed)
        _run_epoch(trainer, feed, compiled[phase], progress, listed, save)
        with _averaged(trainer):
            logs = _epoch_logs(trainer, feed, progress, evaluate())
            progress.end_epoch(logs)
            listed.on_epoch_end(progress.epoch - 1, dict(logs))
            watch(progress.history)
        is_last = trainer.model.stop_training or progress.epoch == epochs
        if is_last or progress.is_due(CHECKPOINT_SECONDS):
            save()
    if trainer.averages:
        trainer.optimizer.finalize_variable_values(trainer.learnt)
    listed.on_train_end()  # early stopping may take the best weights back
    synchronise(trainer.model, tf.distribute.get_strategy())
    return progress.history


@contextlib.contextmanager
def _averaged(trainer: Trainer) -> Iterator[None]:
    """Hold the running mean of the weights in their place, where the optimizer keeps one."""
    if not trainer.averages:
        yield
        return
    own = [tf.identity(variable.value) for variable in trainer.learnt]
    trainer.optimizer.finalize_variable_values(trainer.learnt)
    yield
    for variable, value in zip(trainer.learnt, own, strict=True):
        variable.assign(value)


def stepper(trainer: Trainer, feed: Feed) -> Callable[[int, float], float]:
    """Return a function that makes one step at a rate, on the next batch, and returns its loss."""
    single = replace(feed, most_steps=1)
    _callback_list(trainer, single, [], 1)
    synchronise(trainer.model, trainer.strategy)
    compiled = _compile(trainer, single)
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
        trainer.learnt.extend(trainer.model.trainable_variables)
        trainer.optimizer.build(trainer.learnt)
    trainer.model.optimizer = trainer.optimizer
    listed = keras.callbacks.CallbackList(
        list(callbacks), model=trainer.model, epochs=epochs, steps=feed.steps, verbose=0
    )
    listed.on_train_begin()
    return listed


def _run_epoch(
    trainer: Trainer,
    feed: Feed,
    compiled: Any,
    progress: Progress,
    listed: Any,
    save: Callable[[], None],
) -> None:
    """Make the steps that are left of the current epoch, adding their logs to the progress."""
    for start, inputs, targets in feed.calls(progress.epoch, progress.step):
        first = progress.epoch * feed.steps + start
        seed = fold_seed(feed.seed, "steps")
        logs = compiled(inputs, targets, seed, first)
        refuse_bad(trainer, [logs["loss"]], progress.epoch, start)
        progress.add(logs, steps=len(targets))
        listed.on_train_batch_end(
            progress.step - 1, {name: float(v[-1]) for name, v in logs.items()}
        )
        is_due = progress.is_due(CHECKPOINT_SECONDS)
        if is_due or progress.step == feed.steps:
            refuse_bad(trainer, trainer.model.variables, progress.epoch, start)
        if is_due:
            save()


def _compile(trainer: Trainer, feed: Feed) -> Any:
    """Return the compiled function that makes all the steps of one call.

    It takes inputs and targets of shape (steps, batch, ...), the seed and the number of the first
    step, and returns the mean of loss and metrics over each step's batch: name -> (steps,).
    """
    strategy, replica_step = trainer.strategy, _replica_step(trainer, feed)

    def one_step(inputs: Any, targets: Any, seed: Any) -> dict[str, Any]:
        prepared = trainer.prepare(inputs, seed)
        before = values_of(trainer.holds)
        per_replica = strategy.run(replica_step, args=(prepared, targets, seed))
        hold_values(strategy, trainer.holds, before, seed[1])
        return {
            name: strategy.reduce("SUM", value, axis=None) for name, value in per_replica.items()
        }

    names: list[str] = []  # of the logs; known when the graph is built

    @tf.function(input_signature=_signature(feed))
    def call(inputs: Any, targets: Any, seed: Any, first: Any) -> Any:
        logs = tf.TensorArray(tf.float32, tf.shape(targets)[0])
        for i in tf.range(tf.shape(targets)[0]):
            step_inputs = {name: value[i] for name, value in inputs.items()}
            found = one_step(step_inputs, targets[i], tf.stack([seed, first + i]))
            names[:] = list(found)
            logs = logs.write(i, tf.stack(list(found.values())))
        return logs.stack()

    def run(inputs: Any, targets: Any, seed: int, first: int) -> dict[str, Any]:
        rows = call(inputs, targets, tf.constant(seed), tf.constant(first)).numpy()
        return dict(zip(names, rows.T, strict=True))

    return run


def _replica_step(trainer: Trainer, feed: Feed) -> Any:
    """Return the step of one replica: it takes the global batch, and learns from its own share.

    Raises:
        ConfigError: the batch cannot be shared equally.
    """
    replicas = trainer.strategy.num_replicas_in_sync
    if feed.batch % replicas:
        raise ConfigError(
            f"data.batch_size: {feed.batch} samples a step cannot be shared equally by {replicas} "
            f"devices; use a multiple of {replicas}, or train.strategy: one_device"
        )
    share = feed.batch // replicas

    def replica_step(inputs: Any, targets: Any, seed: Any) -> dict[str, Any]:
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group
        mine = {
            name: value[replica * share : (replica + 1) * share] for name, value in inputs.items()
        }
        labels = targets[replica * share : (replica + 1) * share]
        weights = trainer.model.trainable_variables
        with tf.GradientTape() as tape:
            losses, metrics = trainer.step(mine, labels, seed + tf.stack([replica, 0]))
            loss = tf.reduce_sum(losses) / feed.batch
        gradients = tape.gradient(loss, weights)
        if trainer.clip_norm is not None or trainer.clip_value is not None:
            gradients = _clip(context, gradients, trainer, replicas)
        gradients = held_gradients(trainer.holds, weights, gradients)
        trainer.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        means = {name: tf.reduce_sum(value) / feed.batch for name, value in metrics.items()}
        return {"loss": loss, **means}

    return replica_step


def _signature(feed: Feed) -> tuple[Any, ...]:
    """Return the types of a call's arguments; the number of its steps is left open."""
    inputs = {
        entry["name"]: tf.TensorSpec((None, feed.batch, *entry["shape"]), entry["dtype"])
        for entry in feed.dataset.inputs
    }
    targets = tf.TensorSpec((None, feed.batch), tf.as_dtype(feed.targets.dtype))
    return inputs, targets, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)


def _clip(context: Any, gradients: list[Any], trainer: Trainer, replicas: int) -> list[Any]:
    """Clip the gradient over all replicas: each value, then the global norm.

    Pascanu et al. 2013 (arXiv:1211.5063). The optimizer sums over replicas once more, hence the
    division.
    """
    dense = [tf.convert_to_tensor(gradient) for gradient in gradients]  # an embedding's is sparse
    summed = context.all_reduce("sum", dense)
    most = trainer.clip_value
    if most is not None:
        summed = [tf.clip_by_value(gradient, -most, most) for gradient in summed]
    if trainer.clip_norm is not None:
        summed, _ = tf.clip_by_global_norm(summed, trainer.clip_norm)
    return [gradient / replicas for gradient in summed]


def _epoch_logs(
    trainer: Trainer, feed: Feed, progress: Progress, validation: Mapping[str, float]
) -> dict[str, float]:
    """Return the row of one epoch: mean training logs, validation logs, learning rate."""
    means = {name: total / feed.steps for name, total in progress.sums.items()}
    return {"learning_rate": float(trainer.optimizer.learning_rate.numpy()), **means, **validation}
