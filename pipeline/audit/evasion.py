"""Accuracy under evasion attacks, with intervals. Pure NumPy."""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.evasion import Accuracy, Interval
from pipeline.tasks.classification import CLASSIFICATION
from pipeline.tasks.intervals import wilson
from pipeline.verify.parity import drop_interval


def survivors(clean: Array, attacked: Sequence[Array]) -> Array:
    """Return which samples (n,) are correct without and under every attack."""
    return np.logical_and.reduce([clean, *attacked])


def under_transfer(correct: Sequence[Array], count: int) -> dict[str, Array]:
    """Return attack -> which samples (n,) are correct under adversarial examples of float models.

    Args:
        correct: masks (n,) of the clean samples, of each restart on the trained model, and of each
            on the float model that the file is made from, where that is another.
        count: of those, clean and the trained model's.
    """
    clean = correct[0]
    masks = {"clean": clean, "pgd_transfer": survivors(clean, correct[1:count])}
    if len(correct) > count:
        masks["pgd_parent"] = survivors(clean, correct[count:])
    return masks


def evenly(positions: Array, count: int) -> Array:
    """Return at most `count` of the positions (n,), spread evenly over them."""
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(int)]


def paired_drop(reference: Array, file: Array, seed: int) -> Interval:
    """Return the 95 % interval of the loss of an accuracy, by the paired bootstrap over samples.

    Args:
        reference: which samples are correct there (n,).
        file: which are correct here (n,).
        seed: of the bootstrap.
    """
    always = {"class": np.zeros(len(reference), np.int64)}
    outputs = [
        {"is_correct": np.stack([mask, ~mask], axis=1).astype(np.float32)}
        for mask in (reference, file)
    ]
    low, high = drop_interval(CLASSIFICATION, always, *outputs, seed=seed)
    return low, high


def accuracy_of(mask: Array) -> Accuracy:
    """Return the fraction of correct samples of a mask (n,), with its interval."""
    return Accuracy(accuracy=float(mask.mean()), ci95=wilson(int(mask.sum()), len(mask)))
