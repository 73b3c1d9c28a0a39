"""Figures by group: each equals those of the group alone, and the worst is named."""

import numpy as np
import pytest

from pipeline.audit.groups import LEAST, by_group

GROUPS = np.array(["a"] * 60 + ["b"] * 40 + ["c"] * 3)


def test_each_group_has_its_own_share_and_the_worst_is_named() -> None:
    right = np.concatenate([np.ones(60), np.arange(40) < 10, np.zeros(3)]).astype(bool)
    survived = right & (np.arange(103) % 2 == 0)
    found = by_group(GROUPS, right, survived, scores=None, rate=0.01)
    first = found.values["a"]
    assert (first.samples, first.clean_accuracy) == (60, 1.0)
    assert first.membership_auc is first.membership_tpr is None
    assert found.values["b"].clean_accuracy == 0.25
    assert found.values["b"].robust_accuracy == pytest.approx(0.125)
    assert found.worst["clean_accuracy"] == "b"  # c is smaller than what is judged
    assert found.worst["membership_tpr"] is None
    assert list(found.values) == ["a", "b", "c"]


def test_membership_is_told_where_both_sides_are_large_enough(rng: np.random.Generator) -> None:
    members, others = rng.normal(size=103), rng.normal(size=103)
    members[GROUPS == "b"] += 10  # learnt by heart
    scores = members, others, GROUPS, GROUPS
    found = by_group(GROUPS, np.ones(103, bool), None, scores=scores, rate=0.01)
    assert found.values["b"].membership_auc == 1.0
    assert found.values["b"].membership_tpr == 1.0
    assert found.values["a"].membership_auc == pytest.approx(0.5, abs=0.2)
    assert found.values["c"].membership_auc is None
    assert found.worst["membership_tpr"] == "b"
    assert (GROUPS == "c").sum() < LEAST


def test_nobody_is_found_where_no_threshold_holds() -> None:
    scores = np.zeros(60), np.ones(60), GROUPS[:60], GROUPS[:60]
    found = by_group(GROUPS[:60], np.ones(60, bool), None, scores=scores, rate=0.01)
    assert found.values["a"].membership_tpr == 0.0
