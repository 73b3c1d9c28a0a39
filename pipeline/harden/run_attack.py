"""Run an attack on a Keras model and predict its adversarial examples, in batches.

The last batch is padded with its own samples, so that one graph is enough.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.data.dataset import Dataset
from pipeline.harden.threat_model import of_classes
from pipeline.harden.word_substitution import ThreatModel, WordSubstitution
from pipeline.models.blocks import logits_model
from pipeline.seeds import fold_seed

Perturb = Callable[..., Array]

BATCH = 256
BATCH_VALUES = 1 << 21  # of points: recordings and long texts go fewer at a time


@dataclass(frozen=True)
class Samples:
    """Samples that an attack starts from."""

    given: Mapping[str, Array]
    """Name -> result of `ready` (n, ...)."""
    x: Array
    """Their points (n, ...)."""
    labels: Array
    """Class ids (n,) int32."""


def samples_of(dataset: Dataset, threat: ThreatModel, positions: Array) -> Samples:
    """Return the samples at some positions (n,), ready to be attacked."""
    given = {name: x.numpy() for name, x in threat.ready(dataset.read(positions)).items()}
    return Samples(
        given,
        np.asarray(threat.point(given)),
        np.asarray(dataset.labels[positions], np.int32),
    )


def attacked_positions(labels: Array, threat: ThreatModel, positions: Array, *, most: int) -> Array:
    """Return the first positions, until `most` of the attacked classes are among them.

    Of a rare class the first thousand samples have a handful.

    Args:
        labels: class ids of the whole set (N,).
        threat: has the attacked classes.
        positions: in random order (n,).
        most: samples of attacked classes; at most ten times as many are taken in all.
    """
    if threat.classes is None:
        return positions[:most]
    first = positions[: 10 * most]
    before = np.cumsum(np.isin(labels[first], threat.classes))
    return first[: int(np.searchsorted(before, most, side="left")) + 1]


def compile_attack(model: Model, threat: ThreatModel, attack: Callable[..., Any]) -> Perturb:
    """Return (samples, *, seed, share=1.0) -> possible points with a greater loss (n, ...).

    The graph is built once; the weights are those at the time of the call.

    Args:
        model: a Keras classifier.
        threat: what the attack may change.
        attack: (model, x, labels, seed, share) -> possible x', as `attack_in` gives it.
    """
    through = threat.through(logits_model(keras, model))

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
    """Return the number of samples of a batch."""
    values = int(np.prod(samples.x.shape[1:]))
    return int(np.clip(BATCH_VALUES // max(1, values), 1, BATCH))


def model_inputs(threat: ThreatModel, samples: Samples, x: Array) -> dict[str, Array]:
    """Return name -> model input (n, ...) of samples with the points x in their place."""
    parts = []
    size = batch_of(samples)
    for start in range(0, len(x), size):
        given = {name: own[start : start + size] for name, own in samples.given.items()}
        parts.append(threat.inputs(tf.constant(x[start : start + size]), given))
    return {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in parts[0]}


def outputs_of(model: Model, threat: ThreatModel, samples: Samples, *, x: Array) -> Array:
    """Return the outputs (n, K) of a Keras model for samples with the points x in their place."""
    inputs = model_inputs(threat, samples, x)
    outputs = [
        np.asarray(model({n: v[s : s + BATCH] for n, v in inputs.items()}, training=False))
        for s in range(0, len(x), BATCH)
    ]
    return np.concatenate(outputs)


def noise(threat: ThreatModel, samples: Samples, seed: int) -> Array:
    """Return random possible points (n, ...): what an attack must be stronger than.

    Numbers move uniformly in the ball; texts and categories are unchanged.
    """
    if isinstance(threat, WordSubstitution):
        return samples.x
    x = tf.constant(samples.x)
    moved = threat.ball().start(x, tf.constant([fold_seed(seed, "noise"), 0]))
    possible = threat.possible(moved, x)
    return np.asarray(of_classes(possible, x, tf.constant(samples.labels), classes=threat.classes))
