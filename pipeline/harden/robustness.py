"""Clean and robust accuracy of a Keras model: the share of samples that withstand PGD."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.device.runner import prepare
from pipeline.harden.attacks import pgd
from pipeline.harden.ball import Ball
from pipeline.models.blocks import logits_model
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]
Finder = Callable[..., Array]

BATCH = 256


def clean_inputs(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs of samples (n, *shape), float32 in [0, 1]; there is one input."""
    (entry,) = dataset.preprocess["inputs"]
    return prepare(dataset.read(positions)[entry["name"]], entry)


def attacker(model: Any) -> Finder:
    """Return (x, labels, *, epsilon, steps, seed) -> the PGD inputs around x, as NumPy arrays.

    The graph is built once for each number of steps; the weights are those at the time of the call.
    """
    (name,) = (tensor.name for tensor in model.inputs)
    head = logits_model(keras, model)

    @tf.function
    def attack(x: Any, labels: Any, epsilon: Any, seed: Any, steps: int) -> Any:
        logits = lambda x, training: head({name: x}, training=training)  # noqa: E731
        return pgd(logits, x, labels, ball=Ball("linf", epsilon), steps=steps, seed=seed)

    def find(x: Array, labels: Array, *, epsilon: float, steps: int, seed: int) -> Array:
        found = []
        for start in range(0, len(x), BATCH):
            part, known = (
                x[start : start + BATCH],
                np.asarray(labels[start : start + BATCH], np.int32),
            )
            filled = np.resize(part, (BATCH, *part.shape[1:])), np.resize(known, BATCH)
            own = tf.constant([fold_seed(seed, "start"), start])
            found.append(
                attack(*map(tf.constant, filled), tf.constant(epsilon), own, steps)[
                    : len(part)
                ].numpy()
            )
        return np.concatenate(found)

    return find


def right(model: Any, x: Array, labels: Array) -> Array:
    """Return whether the model decides rightly on given inputs, for each sample."""
    (name,) = (tensor.name for tensor in model.inputs)
    outputs = [
        np.asarray(model({name: x[s : s + BATCH]}, training=False)) for s in range(0, len(x), BATCH)
    ]
    return np.concatenate(outputs).argmax(axis=1) == labels


def robustness(
    model: Any, find: Finder, dataset: Dataset, positions: Array, judge: Mapping[str, Any]
) -> dict[str, float]:
    """Return the share of samples decided rightly, clean and under attack.

    A sample that is wrong without any attack is not robust either.

    Args:
        model: what is judged, as it stands.
        find: its attacker.
        dataset: where the samples are.
        positions: which samples.
        judge: epsilon, steps and seed of the attack.
    """
    x, labels = clean_inputs(dataset, positions), dataset.labels[positions]
    clean = right(model, x, labels)
    robust = clean & right(model, find(x, labels, **judge), labels)
    return {"clean": float(clean.mean()), "robust": float(robust.mean())}
