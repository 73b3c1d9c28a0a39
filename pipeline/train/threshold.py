"""From which anomaly score on a sample is flagged, calibrated on validation data. Pure NumPy."""

from typing import Any

import numpy as np

from pipeline.arrays import Array

SHARE = 0.99  # of normal samples that lie below the threshold, where no anomaly is known
LEAST = 1e-12  # a threshold of zero would flag everything


def calibrate_threshold(scores: Array, labels: Array) -> dict[str, Any]:
    """Return {threshold, how}: where F1 is greatest, or a quantile of what is normal.

    Args:
        scores: (N,), the larger, the stranger.
        labels: 1 for anomalies, 0 for normal samples (N,).
    """
    if not labels.any():
        return {"threshold": max(LEAST, float(np.quantile(scores, SHARE))), "how": "quantile"}
    order = np.argsort(scores)
    ranked, is_anomaly = scores[order], labels[order] == 1
    hits = np.cumsum(is_anomaly[::-1])[::-1]  # anomalies from here on
    flagged = np.arange(len(scores), 0, -1)
    f1 = 2 * hits / (flagged + is_anomaly.sum())
    first = int(np.argmax(f1))
    below = ranked[first - 1] if first else 0.0
    return {"threshold": max(LEAST, float((below + ranked[first]) / 2)), "how": "f1"}
