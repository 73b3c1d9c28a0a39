"""Metrics per group: clean and robust accuracy, and membership inference. Pure NumPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.membership import true_positive_rate
from pipeline.documents.audit import GroupMetrics, GroupRobustness
from pipeline.tasks.metrics import area_under_roc

LEAST = 20  # samples of a group whose rates are compared; those of fewer are too noisy
MOST = 100  # groups in the document, the largest first


def by_group(
    groups: Array,
    right: Array,
    survivors: Array | None,
    *,
    scores: tuple[Array, Array, Array, Array] | None,
    rate: float,
) -> GroupMetrics:
    """Return the metrics of each group, and the worst group of each metric.

    Args:
        groups: of the audited samples (n,).
        right: whether the shipped file is correct (n,).
        survivors: whether it is correct under every attack (n,); None: nothing was attacked.
        scores: of membership, of members and others (a,) each, and the groups of both (a,) each;
            None: not tried.
        rate: false positives allowed; the threshold is that of all samples.
    """
    names, counts = np.unique(groups, return_counts=True)
    order = sorted(zip(-counts, names, strict=True))[:MOST]
    threshold = None if scores is None else _threshold(scores[0], scores[1], rate)
    rows: dict[str, GroupRobustness] = {}
    for count, name in order:
        own = groups == name
        inferred = {} if scores is None else _membership(*scores, name, threshold)
        rows[str(name)] = GroupRobustness(
            samples=int(-count),
            clean_accuracy=float(right[own].mean()),
            robust_accuracy=None if survivors is None else float(survivors[own].mean()),
            **inferred,
        )
    return GroupMetrics(values=rows, worst=_worst(rows))


def _threshold(members: Array, others: Array, rate: float) -> float:
    """Return the score above which at most `rate` of the others lie."""
    tpr = true_positive_rate(members, others, rate)
    if tpr == 0:
        return np.inf
    return float(np.sort(members)[::-1][round(tpr * len(members)) - 1])


def _membership(
    members: Array,
    others: Array,
    groups: Array,
    other_groups: Array,
    name: Any,
    limit: float | None,
) -> dict[str, float]:
    """Return AUC and true positive rate of the group; nothing where it is too small."""
    inside, outside = members[groups == name], others[other_groups == name]
    if min(len(inside), len(outside)) < LEAST:
        return {}
    labels = np.repeat([1, 0], [len(inside), len(outside)])
    assert limit is not None  # it is known where there are scores
    return {
        "membership_auc": area_under_roc(labels, np.concatenate([inside, outside])),
        "membership_tpr": float((inside >= limit).mean()),
    }


def _worst(rows: Mapping[str, GroupRobustness]) -> dict[str, str | None]:
    """Return metric -> group with the worst value; None where no group is large enough."""
    sides = {
        "clean_accuracy": min,
        "robust_accuracy": min,
        "membership_auc": max,
        "membership_tpr": max,
    }
    worst: dict[str, str | None] = {}
    for name, side in sides.items():
        known = {
            group: getattr(row, name)
            for group, row in rows.items()
            if getattr(row, name) is not None and row.samples >= LEAST
        }
        worst[name] = side(known, key=lambda group: known[group]) if known else None
    return worst
