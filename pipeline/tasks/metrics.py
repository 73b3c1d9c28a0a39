"""Metrics that several tasks use, or that are useful outside of any."""

import numpy as np

from pipeline.arrays import Array

SILENCE_DB = 200.0  # stands for "no noise at all": float32 itself ends near 150 dB


def mae(targets: Array, outputs: Array) -> float:
    """Return the mean absolute error; targets (N,), outputs (N, 1)."""
    return float(np.abs(outputs[:, 0].astype(np.float64) - targets).mean())


def rmse(targets: Array, outputs: Array) -> float:
    """Return the root mean squared error; targets (N,), outputs (N, 1)."""
    return float(np.sqrt(((outputs[:, 0].astype(np.float64) - targets) ** 2).mean()))


def auc(labels: Array, outputs: Array) -> float:
    """Return the area under the ROC curve of the second output; 0.5, chance, without both classes.

    Args:
        labels: 0 or 1 (N,).
        outputs: of two classes (N, 2).
    """
    if not 0 < labels.sum() < len(labels):
        return 0.5
    return area_under_roc(labels, outputs[:, 1])


def area_under_roc(labels: Array, scores: Array) -> float:
    """Return the chance that a positive scores above a negative, ties counted half.

    The Mann-Whitney form (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    Args:
        labels: (N,), 1 for positive, 0 for negative; both must be there.
        scores: (N,), the larger, the more positive.

    Returns:
        AUC in [0, 1]; 0.5 is chance.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int((labels == 1).sum())
    negatives = len(labels) - positives
    return float(
        (mean_rank[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def sqnr_db(reference: Array, outputs: Array) -> float:
    """Return the signal-to-quantization-noise ratio: 10 log10(sum of x^2 / sum of (y - x)^2).

    Args:
        reference: x, of any shape.
        outputs: y, of the same shape.

    Returns:
        Decibels, clipped to [-SILENCE_DB, SILENCE_DB], which also stand for no noise and no signal.
    """
    reference = reference.astype(np.float64)
    signal = float((reference**2).sum())
    noise = float(((outputs - reference) ** 2).sum())
    if noise == 0:
        return SILENCE_DB
    if signal == 0:
        return -SILENCE_DB
    return float(np.clip(10 * np.log10(signal / noise), -SILENCE_DB, SILENCE_DB))
