"""Search a space for what fools a Keras model, and ask the model about it, in batches.

The last batch is filled up by its own samples, so that one graph does for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.data.dataset import Dataset
from pipeline.harden.space import Space, of_classes
from pipeline.harden.space_tokens import Texts
from pipeline.models.blocks import logits_model
from pipeline.seeds import fold_seed

Finder = Callable[..., Array]

BATCH = 256
BATCH_VALUES = 1 << 21  # of points: recordings and long texts go fewer at a time


@dataclass(frozen=True)
class Samples:
    """Samples that an attack begins with."""

    given: Mapping[str, Array]
    """Name -> what `ready` made of them (n, ...)."""
    x: Array
    """Their points (n, ...)."""
    labels: Array
    """Class ids (n,) int32."""


def samples_of(dataset: Dataset, space: Space | Texts, positions: Array) -> Samples:
    """Return the samples at some positions, ready to be attacked."""
    given = {name: x.numpy() for name, x in space.ready(dataset.read(positions)).items()}
    return Samples(
        given,
        np.asarray(space.point(given)),
        np.asarray(dataset.labels[positions], np.int32),
    )


def attacked_positions(
    labels: Array, space: Space | Texts, positions: Array, *, most: int
) -> Array:
    """Return the first positions, until `most` of the attacked classes are among them.

    Where a rare class alone is attacked, the first thousand samples hold a handful of it.

    Args:
        labels: class ids of the whole set (N,).
        space: says which classes are attacked.
        positions: in random order (n,).
        most: samples of attacked classes; at most ten times as many are taken in all.
    """
    if space.classes is None:
        return positions[:most]
    first = positions[: 10 * most]
    before = np.cumsum(np.isin(labels[first], space.classes))
    return first[: int(np.searchsorted(before, most, side="left")) + 1]


def searcher(model: Model, space: Space | Texts, attack: Callable[..., Any]) -> Finder:
    """Return (samples, *, seed, share=1.0) -> possible points that the model gets wrong (n, ...).

    The graph is built once; the weights are those at the time of the call.

    Args:
        model: a Keras classifier.
        space: what can be moved.
        attack: (model, x, labels, seed, share) -> possible x', as `attack_in` gives it.
    """
    through = space.through(logits_model(keras, model))

    @tf.function(reduce_retracing=True, autograph=False)  # converting the code takes most time
    def found(given: Any, x: Tensor, labels: Tensor, seed: Tensor, share: Any) -> Any:
        return attack(through(given), x, labels, seed, share)

    def find(samples: Samples, *, seed: int, share: float = 1.0) -> Array:
        parts, size = [], batch_of(samples)
        for start in range(0, len(samples.x), size):
            count = min(size, len(samples.x) - start)
            own = np.arange(start, start + size) % len(samples.x)
            given = {name: tf.constant(x[own]) for name, x in samples.given.items()}
            seeds = tf.constant([fold_seed(seed, "start"), start])
            asked = tf.constant(samples.x[own]), tf.constant(samples.labels[own])
            parts.append(found(given, *asked, seeds, tf.constant(share))[:count].numpy())
        return np.concatenate(parts)

    return find


def batch_of(samples: Samples) -> int:
    """Return how many samples go at a time."""
    values = int(np.prod(samples.x.shape[1:]))
    return int(np.clip(BATCH_VALUES // max(1, values), 1, BATCH))


def model_inputs(space: Space | Texts, samples: Samples, x: Array) -> dict[str, Array]:
    """Return name -> model input (n, ...) of samples with the points x in their place."""
    parts = []
    size = batch_of(samples)
    for start in range(0, len(x), size):
        given = {name: own[start : start + size] for name, own in samples.given.items()}
        parts.append(space.inputs(tf.constant(x[start : start + size]), given))
    return {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in parts[0]}


def outputs_of(model: Model, space: Space | Texts, samples: Samples, *, x: Array) -> Array:
    """Return what a Keras model answers to samples with the points x in their place, (n, K)."""
    inputs = model_inputs(space, samples, x)
    found = [
        np.asarray(model({n: v[s : s + BATCH] for n, v in inputs.items()}, training=False))
        for s in range(0, len(x), BATCH)
    ]
    return np.concatenate(found)


def noise(space: Space | Texts, samples: Samples, seed: int) -> Array:
    """Return random possible points (n, ...): what an attack must be stronger than.

    Of a space of numbers, uniform in the ball; of texts and categories, unlike an attack, nothing
    is known of the model, and the samples stay as they are.
    """
    if isinstance(space, Texts):
        return samples.x
    x = tf.constant(samples.x)
    moved = space.ball().start(x, tf.constant([fold_seed(seed, "noise"), 0]))
    possible = space.possible(moved, x)
    return np.asarray(of_classes(possible, x, tf.constant(samples.labels), classes=space.classes))
