"""The compiled steps of one call: each replica trains on its part of each global batch.

Gradients are summed over replicas and divided by the global batch, so that the result does not
depend on the number of devices; nor do random changes of a sample (data/). Masks of
dropout and noise layers differ on each replica.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Arrays, Model, Tensor, Tensors
from pipeline.data.per_replica_random import first_here, share_of
from pipeline.errors import ConfigError
from pipeline.train.batches import Feed
from pipeline.train.weight_constraints import (
    constrain_gradients,
    constrain_values,
    constrained_values,
)

if TYPE_CHECKING:
    from pipeline.train.loop import Trainer


def compiled_steps(trainer: "Trainer", feed: Feed) -> Any:
    """Return the compiled function that makes all the steps of one call.

    It takes named inputs and targets (steps, samples, ...), the seed and the number of the first
    step, and returns the mean of loss and metrics over each step's batch: name -> (steps,).
    """
    strategy = trainer.strategy
    names: list[str] = []  # of the logs; known when the graph is built
    replica_step = _replica_step(trainer, feed, names)

    def one_step(inputs: Tensors, targets: Tensors, seed: Tensor) -> Any:
        with share_of(feed.part * feed.share, feed.share, feed.batch):
            prepared = trainer.prepare(inputs, seed)
        before = constrained_values(trainer.constraints)
        per_replica = strategy.run(replica_step, args=(prepared, targets, seed))
        constrain_values(strategy, trainer.constraints, before, number=seed[1])
        return strategy.reduce("SUM", per_replica, axis=None)

    @tf.function(input_signature=_signature(feed))
    def call(inputs: Tensors, targets: Tensors, seed: Tensor, first: Tensor) -> Any:
        steps = tf.shape(next(iter(targets.values())))[0]
        logs = tf.TensorArray(tf.float32, steps)
        for i in tf.range(steps):
            shown = {name: values[i] for name, values in inputs.items()}
            wanted = {name: values[i] for name, values in targets.items()}
            logs = logs.write(i, one_step(shown, wanted, tf.stack([seed, first + i])))
        return logs.stack()

    def run(inputs: Arrays, targets: Arrays, seed: int, first: int) -> dict[str, Any]:
        rows = call(inputs, targets, tf.constant(seed), tf.constant(first)).numpy()
        return dict(zip(names, rows.T, strict=True))

    return run


def _replica_step(trainer: "Trainer", feed: Feed, names: list[str]) -> Any:
    """Return the step of one replica: it takes its worker's samples, and trains on its own part.

    Raises:
        ConfigError: the batch cannot be shared equally.
    """
    replicas = trainer.strategy.num_replicas_in_sync
    share = _share(feed.batch, replicas)
    if replicas > 1:
        _draw_apart(trainer.model)

    def replica_step(inputs: Tensors, targets: Tensors, seed: Tensor) -> Any:
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group * share
        mine, wanted = (
            {name: _rows(value, first, share, feed) for name, value in named.items()}
            for named in (inputs, targets)
        )
        weights = trainer.model.trainable_variables
        with share_of(first, share, feed.batch), tf.GradientTape() as tape:
            losses, metrics = trainer.step(mine, wanted, seed)
            loss = tf.reduce_sum(losses) / feed.batch
        gradients = tape.gradient(loss, weights)
        if trainer.clip_norm is not None or trainer.clip_value is not None:
            gradients = clip_gradients(context, gradients, trainer, replicas=replicas)
        gradients = constrain_gradients(trainer.constraints, weights, gradients)
        trainer.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        means = {name: tf.reduce_sum(value) / feed.batch for name, value in metrics.items()}
        names[:] = ["loss", *means]
        return tf.stack([loss, *means.values()])

    return replica_step


def _share(batch: int, replicas: int) -> int:
    if batch % replicas:
        raise ConfigError(
            f"data.batch_size: {batch} samples a step cannot be shared equally by {replicas} "
            f"devices; use a multiple of {replicas}, or train.strategy: one_device"
        )
    return batch // replicas


def _rows(value: Tensor, first: Tensor, share: int, feed: Feed) -> Any:
    """Return a replica's rows of what its worker read of a batch; their number is static."""
    if share == feed.share:
        return value
    begin = [first - feed.part * feed.share, *[0] * (len(value.shape) - 1)]
    return tf.slice(value, begin, [share, *[-1] * (len(value.shape) - 1)])


def _draw_apart(model: Model) -> None:
    """Let the masks of a model's layers be drawn from another seed on each replica."""
    for layer in model._flatten_layers():
        for value in list(vars(layer).values()):
            if isinstance(value, keras.random.SeedGenerator) and "next" not in vars(value):
                value.next = _shifted(value.next)


def _shifted(following: Callable[..., Tensor]) -> Any:
    """Return a generator's `next` that differs by the first sample of the replica that asks."""

    def own(ordered: bool = True) -> Any:
        seed = following(ordered=ordered)
        return seed + tf.cast(tf.stack([first_here(), 0]), seed.dtype)

    return own


def _signature(feed: Feed) -> tuple[Any, ...]:
    """Return the types of a call's arguments; the number of its steps is left open."""
    inputs = {
        entry.name: tf.TensorSpec((None, feed.share, *entry.shape), entry.dtype)
        for entry in feed.dataset.inputs
    }
    first = feed.targets_of(np.arange(1))
    targets = {
        name: tf.TensorSpec((None, feed.share, *values.shape[1:]), tf.as_dtype(values.dtype))
        for name, values in first.items()
    }
    return inputs, targets, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)


def clip_gradients(
    context: tf.distribute.ReplicaContext,
    gradients: list[Any],
    trainer: "Trainer",
    *,
    replicas: int,
) -> list[Any]:
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
