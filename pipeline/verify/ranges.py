"""How a detector does on anomalies as spans of time, however many windows each covers. Pure NumPy.

An anomaly counts once: it is detected where any window inside is flagged. A run of flagged windows
is a false alarm where none of them is anomalous (Hundman et al. 2018, arXiv:1802.04431, section
4.2). A point-wise metric would reward many windows of one long anomaly above several short ones.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.parity import RangeMetrics


def measure_ranges(
    labels: Array, flagged: Array, groups: Array | None, *, times: Array
) -> RangeMetrics:
    """Return precision, recall and F1 of spans, and how many spans there are.

    Args:
        labels: 1 for anomalous windows (N,).
        flagged: windows that the detector flags, bool (N,).
        groups: name of each window's series (N,); None: all are of one.
        times: moment of each window (N,); windows of a series follow each other in this order.
    """
    names = np.zeros(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.lexsort((times, names))
    names, is_anomaly, flagged = names[order], labels[order] == 1, flagged[order]
    real, said = _runs(is_anomaly, names), _runs(flagged, names)
    found = sum(bool(flagged[run].any()) for run in real)
    right = sum(bool(is_anomaly[run].any()) for run in said)
    recall, precision = found / max(1, len(real)), right / max(1, len(said))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return RangeMetrics(range_f1=f1, precision=precision, recall=recall, ranges=float(len(real)))


def _runs(is_set: Array, names: Array) -> list[slice]:
    """Return the runs of windows in a row that are set, none of them across two series."""
    goes_on = is_set[1:] & is_set[:-1] & (names[1:] == names[:-1])
    starts = np.flatnonzero(is_set & ~np.r_[False, goes_on])
    ends = np.flatnonzero(is_set & ~np.r_[goes_on, False])
    return [slice(a, b + 1) for a, b in zip(starts, ends, strict=True)]
