"""Skill scores: how much better predictions are than guesses. 1 is perfect, 0 is no better.

Legend: N samples, K classes.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.tasks.metrics import auc


def kappa(labels: Array, outputs: Array) -> float:
    """Return Cohen's kappa: accuracy beyond what equally frequent guesses reach.

    Cohen 1960 (doi:10.1177/001316446002000104). A constant prediction has 0, however frequent its
    class is.

    Args:
        labels: class ids (N,).
        outputs: (N, K).
    """
    classes, predicted = outputs.shape[1], outputs.argmax(axis=1)
    known, said = (np.bincount(ids, minlength=classes) / len(labels) for ids in (labels, predicted))
    guessed = float(known @ said)
    accuracy = float((predicted == labels).mean())
    return (accuracy - guessed) / (1 - guessed) if guessed < 1 else 0.0


def ranking_skill(labels: Array, outputs: Array) -> float:
    """Return Somers' D, 2 AUC - 1, of the second of two outputs; labels (N,), outputs (N, 2)."""
    return 2 * auc(labels, outputs) - 1
