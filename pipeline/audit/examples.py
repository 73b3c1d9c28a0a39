"""A few attacked samples that are no pictures, before and after, for the report. Pure NumPy.

What is kept is what an attacker holds: rows, series and recordings in their own unit, bands of a
sound, numbers of words. Pictures have their own in shipped.py.

Legend: A inputs that were asked, the clean one first; n samples.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.points import Known
from pipeline.data.dataset import Dataset
from pipeline.samples import KINDS

SHOWN = 12  # at most
BEFORE, AFTER, TEXT = "before_", "after_", "text_"  # and the name of the input


def examples(
    known: Known, answers_An: Array, dataset: Dataset, *, positions: Array
) -> dict[str, Array]:
    """Return attacked samples, those that turn the file's answer first; empty where none moved.

    Args:
        known: what was found on the reference.
        answers_An: classes that the file answers, clean first, then to each restart.
        dataset: has the texts that numbers of words come from.
        positions: of the samples (n,).
    """
    answers = answers_An[: len(known.parts)]
    places, restarts = choose_examples(answers, known.labels, _moved(known.parts))
    if not len(places):
        return {}
    figures = {
        "labels": known.labels[places],
        "prediction_clean": answers[0, places],
        "prediction_adversarial": answers[1 + restarts, places],
    }
    raw = dataset.read(positions[places])
    kinds = {entry.name: entry.kind for entry in dataset.preprocess.inputs}
    for name, clean in known.parts[0].items():
        figures[BEFORE + name] = clean[places]
        pairs = zip(restarts, places, strict=True)
        figures[AFTER + name] = np.stack([known.parts[1 + r][name][i] for r, i in pairs])
        if KINDS[kinds[name]].is_text:
            figures[TEXT + name] = raw[name]
    return figures


def choose_examples(answers_An: Array, labels: Array, moved_Rn: Array) -> tuple[Array, Array]:
    """Return the places of samples worth showing, and the restart that each is shown after.

    Those that were right and are turned come first, then those that withstand; what no restart
    could move is left out.

    Args:
        answers_An: classes, of the clean samples and then of each restart.
        labels: true classes (n,).
        moved_Rn: whether a restart changed a sample at all.
    """
    turned = moved_Rn & (answers_An[1:] != answers_An[0])
    fooled = turned.any(axis=0) & (answers_An[0] == labels)
    others = moved_Rn.any(axis=0) & ~fooled
    places = np.concatenate([np.flatnonzero(fooled), np.flatnonzero(others)])[:SHOWN]
    best = np.where(turned, 2, moved_Rn.astype(int))  # turned, else moved
    return places, best[:, places].argmax(axis=0)


def _moved(parts: Sequence[Mapping[str, Array]]) -> Array:
    """Return whether each restart changed each sample (R, n)."""
    clean, *found = parts
    return np.stack(
        [
            np.logical_or.reduce([_differs(clean[name], own) for name, own in part.items()])
            for part in found
        ]
    )


def _differs(one: Array, other: Array) -> Array:
    """Return which rows differ; two unknown values are the same."""
    same = (one == other) | ((one != one) & (other != other))
    return np.asarray(~same.reshape(len(one), -1).all(axis=1))
