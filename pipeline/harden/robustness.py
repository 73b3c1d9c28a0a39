"""Clean and robust accuracy of a Keras model: the share of samples that withstand PGD."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.device.runner import prepare
from pipeline.harden.attacks import ATTACKS
from pipeline.harden.ball import Ball, Norm
from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_figures import attacked_figures
from pipeline.harden.space_search import Samples, outputs_of, searcher
from pipeline.harden.space_tokens import Texts
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
    space: Space | Texts,
    samples: Samples,
    names: Sequence[str],
    *,
    steps: int,
    seed: int,
    has_one_step: bool = False,
) -> Callable[[], dict[str, Any]]:
    """Return a function that measures the current weights: see `attacked_figures`.

    Args:
        model: a classifier.
        space: what is attacked.
        samples: that are attacked.
        names: of the classes.
        steps: of PGD; of texts the space knows all.
        seed: of its random start.
        has_one_step: whether to measure `one_step` too: the share that withstands the plain sign
            step.
    """
    many = finder_in(model, space, steps=steps)
    one = searcher(model, space, attack_in(space, {"kind": "fgsm"})) if has_one_step else None

    def measured() -> dict[str, Any]:
        clean = outputs_of(model, space, samples, samples.x)
        attacked = outputs_of(model, space, samples, many(samples, seed=seed))
        found = attacked_figures(clean, attacked, samples.labels, names)
        if one is not None:
            other = outputs_of(model, space, samples, one(samples, seed=seed))
            held = attacked_figures(clean, other, samples.labels, names)
            found["one_step"] = held["robust"]
        return found

    return measured


def finder_in(model: Any, space: Space | Texts, *, steps: int) -> Callable[..., Array]:
    """Return (samples, *, seed, share=1.0) -> what PGD, or of texts substitution, finds.

    Args:
        model: a Keras classifier; the weights are those at the time of a call.
        space: what can be moved.
        steps: gradient steps.
    """
    return searcher(model, space, attack_in(space, {"kind": "pgd", "steps": steps}))
