"""Who is worst off: accuracy, clean and under attack, and membership, by group. Pure NumPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.membership import found_at
from pipeline.tasks.metrics import area_under_roc

LEAST = 20  # samples of a group that is judged; the share of fewer says little
MOST = 100  # groups that are told, the largest first


def by_group(
    groups: Array,
    right: Array,
    survivors: Array | None,
    scores: tuple[Array, Array, Array, Array] | None,
    *,
    rate: float,
) -> dict[str, Any]:
    """Return the figures of each group, and which group is worst off in each.

    Args:
        groups: of the audited samples (n,).
        right: whether the shipped file decides rightly (n,).
        survivors: whether it still does under attack (n,); None: nothing was attacked.
        scores: of membership, of members and others (a,) each, and the groups of both (a,) each;
            None: not tried.
        rate: false positives allowed; the threshold is that of all samples.
    """
    names, counts = np.unique(groups, return_counts=True)
    order = sorted(zip(-counts, names, strict=True))[:MOST]
    threshold = None if scores is None else _threshold(scores[0], scores[1], rate)
    rows = {}
    for count, name in order:
        own = groups == name
        row: dict[str, Any] = {
            "samples": int(-count),
            "clean": float(right[own].mean()),
            "robust": None if survivors is None else float(survivors[own].mean()),
            "membership_auc": None,
            "found": None,
        }
        if scores is not None:
            row |= _membership(*scores, name, threshold)
        rows[str(name)] = row
    return {"values": rows, "worst": _worst(rows)}


def _threshold(members: Array, others: Array, rate: float) -> float:
    """Return the score above which at most `rate` of the others lie."""
    share = found_at(members, others, rate)
    if share == 0:
        return np.inf
    return float(np.sort(members)[::-1][round(share * len(members)) - 1])


def _membership(
    members: Array, others: Array, whose: Array, whose_not: Array, name: Any, limit: float | None
) -> dict[str, float | None]:
    """Return AUC, and the share of the group's members that is found."""
    inside, outside = members[whose == name], others[whose_not == name]
    if min(len(inside), len(outside)) < LEAST:
        return {}
    labels = np.repeat([1, 0], [len(inside), len(outside)])
    assert limit is not None  # it is known where there are scores
    return {
        "membership_auc": area_under_roc(labels, np.concatenate([inside, outside])),
        "found": float((inside >= limit).mean()),
    }


def _worst(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str | None]:
    """Return figure -> the group that it is worst for; None where no group is large enough."""
    sides = {"clean": min, "robust": min, "membership_auc": max, "found": max}
    worst: dict[str, str | None] = {}
    for name, side in sides.items():
        known = {
            group: row[name]
            for group, row in rows.items()
            if row[name] is not None and row["samples"] >= LEAST
        }
        worst[name] = side(known, key=lambda group: known[group]) if known else None
    return worst
