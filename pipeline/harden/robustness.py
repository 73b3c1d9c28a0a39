"""Clean and robust accuracy of a Keras model: the share of samples that withstand PGD."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.data.preprocess import to_model_inputs
from pipeline.harden.attacks import pgd
from pipeline.models.blocks import logits_model
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]

BATCH = 256


def attacked_inputs(
    model: Any, dataset: Dataset, positions: Array, *, epsilon: float, steps: int, seed: int
) -> Array:
    """Return the PGD inputs of samples (n, *shape), float32 in [0, 1].

    Args:
        model: the Keras model that is attacked; one input.
        dataset: where the samples are.
        positions: which samples.
        epsilon: radius of the Linf ball; 0 returns the clean inputs.
        steps: gradient steps.
        seed: of the random start.
    """
    (name,) = (entry["name"] for entry in dataset.preprocess["inputs"])
    head = logits_model(keras, model)

    @tf.function(reduce_retracing=True)
    def attack(raw: Any, labels: Any, own: Any) -> Any:
        x = to_model_inputs(raw, dataset.preprocess)[name]
        if epsilon == 0:
            return x
        return pgd(lambda x, training: head({name: x}, training=training), x, labels, epsilon=epsilon, steps=steps, seed=own)

    found = []
    for start in range(0, len(positions), BATCH):
        part = positions[start : start + BATCH]
        labels = np.asarray(dataset.labels[part], np.int32)
        own = tf.constant([fold_seed(seed, "start"), start])
        found.append(attack(dataset.read(part), labels, own).numpy())
    return np.concatenate(found)


def accuracy_on(model: Any, dataset: Dataset, positions: Array, inputs: Array) -> Array:
    """Return whether the model decides rightly on given inputs, for each sample."""
    (name,) = (entry["name"] for entry in dataset.preprocess["inputs"])
    answer = tf.function(lambda x: model({name: x}, training=False), reduce_retracing=True)
    outputs = [answer(inputs[s : s + BATCH]).numpy() for s in range(0, len(inputs), BATCH)]
    return np.concatenate(outputs).argmax(axis=1) == dataset.labels[positions]


def robustness(
    model: Any, dataset: Dataset, positions: Array, *, epsilon: float, steps: int, seed: int
) -> dict[str, float]:
    """Return the share of samples decided rightly, clean and under attack.

    A sample that is wrong without any attack is not robust either.
    """
    clean = accuracy_on(model, dataset, positions, attacked_inputs(model, dataset, positions, epsilon=0, steps=0, seed=seed))
    inputs = attacked_inputs(model, dataset, positions, epsilon=epsilon, steps=steps, seed=seed)
    robust = clean & accuracy_on(model, dataset, positions, inputs)
    return {"clean": float(clean.mean()), "robust": float(robust.mean())}
