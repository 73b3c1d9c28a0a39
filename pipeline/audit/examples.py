"""Adversarial examples that are no images, before and after, for the report. Pure NumPy.

They are what an attacker holds: rows, series and recordings in their own unit, bands of a sound,
ids of words. Images have their own in attack_file.py.

Legend: A sets of inputs, the clean one first; R restarts; n samples.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.points import PointResult
from pipeline.data.dataset import Dataset
from pipeline.samples import KINDS

SHOWN = 12  # at most
BEFORE, AFTER, TEXT = "before_", "after_", "text_"  # and the name of the input


def examples(
    known: PointResult, predicted_An: Array, dataset: Dataset, *, positions: Array
) -> dict[str, Array]:
    """Return attacked samples, misclassified ones first; empty where none moved.

    Args:
        known: the attack on the trained model.
        predicted_An: classes that the file predicts, of the clean samples, then of each restart.
        dataset: has the texts of word ids.
        positions: of the samples (n,).
    """
    predicted = predicted_An[: len(known.parts)]
    indices, restarts = choose_examples(predicted, known.labels, _moved(known.parts))
    if not len(indices):
        return {}
    figures = {
        "labels": known.labels[indices],
        "prediction_clean": predicted[0, indices],
        "prediction_adversarial": predicted[1 + restarts, indices],
    }
    raw = dataset.read(positions[indices])
    kinds = {entry.name: entry.kind for entry in dataset.preprocess.inputs}
    for name, clean in known.parts[0].items():
        figures[BEFORE + name] = clean[indices]
        pairs = zip(restarts, indices, strict=True)
        figures[AFTER + name] = np.stack([known.parts[1 + r][name][i] for r, i in pairs])
        if KINDS[kinds[name]].is_text:
            figures[TEXT + name] = raw[name]
    return figures


def choose_examples(predicted_An: Array, labels: Array, moved_Rn: Array) -> tuple[Array, Array]:
    """Return the indices of samples to show, and the restart that each is shown after.

    Misclassified ones come first, then robust ones; what no restart moved is left out.

    Args:
        predicted_An: classes, of the clean samples, then of each restart.
        labels: true classes (n,).
        moved_Rn: whether a restart changed a sample at all.
    """
    is_changed = moved_Rn & (predicted_An[1:] != predicted_An[0])
    is_hit = is_changed.any(axis=0) & (predicted_An[0] == labels)
    others = moved_Rn.any(axis=0) & ~is_hit
    indices = np.concatenate([np.flatnonzero(is_hit), np.flatnonzero(others)])[:SHOWN]
    best = np.where(is_changed, 2, moved_Rn.astype(int))  # another class, else moved
    return indices, best[:, indices].argmax(axis=0)


def _moved(parts: Sequence[Mapping[str, Array]]) -> Array:
    """Return whether each restart changed each sample (R, n)."""
    clean, *moved = parts
    return np.stack(
        [
            np.logical_or.reduce([_differs(clean[name], own) for name, own in part.items()])
            for part in moved
        ]
    )


def _differs(one: Array, other: Array) -> Array:
    """Return which rows differ; two unknown values are the same."""
    same = (one == other) | ((one != one) & (other != other))
    return np.asarray(~same.reshape(len(one), -1).all(axis=1))
