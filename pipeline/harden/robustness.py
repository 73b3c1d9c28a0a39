"""Clean and robust accuracy of a Keras model: the share of samples that withstand PGD."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.device.runner import prepare
from pipeline.harden.attacks import ATTACKS
from pipeline.harden.ball import Ball, Norm
from pipeline.models.blocks import logits_model
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]
Finder = Callable[..., Array]

BATCH = 256


def clean_inputs(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs of samples (n, *shape), float32 in [0, 1]; there is one input."""
    (entry,) = dataset.preprocess["inputs"]
    return prepare(dataset.read(positions)[entry["name"]], entry)


def attacker(model: Any, norm: Norm = "linf", kind: str = "pgd") -> Finder:
    """Return (x, labels, *, epsilon, seed, steps=None) -> the inputs that an attack finds around x.

    They are NumPy arrays, as is what it takes. The graph is built once for each number of steps;
    the weights are those at the time of the call.

    Args:
        model: has one input in [0, 1].
        norm: of the ball, whose radius is epsilon.
        kind: of ATTACKS; one of a single step takes no `steps`.
    """
    (name,) = (tensor.name for tensor in model.inputs)
    head = logits_model(keras, model)

    @tf.function
    def attack(x: Any, labels: Any, epsilon: Any, seed: Any, steps: int | None) -> Any:
        logits = lambda x, training: head({name: x}, training=training)  # noqa: E731
        options = {} if steps is None else {"steps": steps}
        return ATTACKS[kind](logits, x, labels, ball=Ball(norm, epsilon), seed=seed, **options)

    def find(
        x: Array, labels: Array, *, epsilon: float, seed: int, steps: int | None = None
    ) -> Array:
        found = []
        for start in range(0, len(x), BATCH):
            part, known = x[start : start + BATCH], np.asarray(labels[start : start + BATCH])
            filled = np.resize(part, (BATCH, *part.shape[1:])), np.resize(known, BATCH)
            own = tf.constant([fold_seed(seed, "start"), start])
            sent = tf.constant(filled[0]), tf.constant(filled[1].astype(np.int32))
            moved = attack(*sent, tf.constant(epsilon, tf.float32), own, steps)
            found.append(moved[: len(part)].numpy())
        return np.concatenate(found)

    return find


def right(model: Any, x: Array, labels: Array) -> Array:
    """Return whether the model decides rightly on given inputs, for each sample."""
    (name,) = (tensor.name for tensor in model.inputs)
    outputs = [
        np.asarray(model({name: x[s : s + BATCH]}, training=False)) for s in range(0, len(x), BATCH)
    ]
    return np.concatenate(outputs).argmax(axis=1) == labels


def judge(
    model: Any,
    dataset: Dataset,
    positions: Array,
    *,
    norm: Norm,
    epsilon: float,
    steps: int,
    seed: int,
    has_one_step: bool = False,
) -> Callable[[], dict[str, float]]:
    """Return a function that measures the current weights: clean and robust, shares of samples.

    A sample that is wrong without any attack is not robust either.

    Args:
        model: has one input in [0, 1].
        dataset: where the samples are.
        positions: which samples.
        norm: of the ball.
        epsilon: its radius.
        steps: of PGD.
        seed: of its random start.
        has_one_step: whether to measure `one_step` too: what withstands the plain sign step.
    """
    x, labels = clean_inputs(dataset, positions), dataset.labels[positions]
    reach = {"epsilon": epsilon, "seed": seed}
    many, one = attacker(model, norm), attacker(model, norm, "fgsm")

    def measured() -> dict[str, float]:
        clean = right(model, x, labels)
        held = {"robust": right(model, many(x, labels, steps=steps, **reach), labels)}
        if has_one_step:
            held["one_step"] = right(model, one(x, labels, **reach), labels)
        shares = {name: float((clean & kept).mean()) for name, kept in held.items()}
        return {"clean": float(clean.mean()), **shares}

    return measured
