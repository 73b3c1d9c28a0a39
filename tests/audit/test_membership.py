"""Membership inference: nothing is told of who was not learnt, and much of who was learnt by heart.

The rates are compared with a slow version that tries every threshold by hand.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pipeline.audit import membership

ROUNDING = 1e-9
FEW = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


def slow_found(members: Any, others: Any, rate: float) -> float:
    """Try every threshold, and nothing above all of them."""
    allowed = [
        threshold
        for threshold in {*members, *others}
        if sum(x >= threshold for x in others) / len(others) <= rate + ROUNDING
    ]
    return max((sum(x >= t for x in members) / len(members) for t in allowed), default=0.0)


def slow_auc(members: Any, others: Any) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in members for b in others]
    return float(sum(pairs)) / len(pairs)


@given(members=FEW, others=FEW, rate=st.floats(0, 1))
def test_what_is_found_equals_trying_every_threshold(
    members: list[int], others: list[int], rate: float
) -> None:
    own = np.array(members, float), np.array(others, float)
    assert membership.true_positive_rate(*own, rate) == pytest.approx(
        slow_found(members, others, rate)
    )
    assert membership.membership_metrics(*own).auc == pytest.approx(slow_auc(members, others))


@given(members=FEW, others=FEW)
def test_the_curve_rises_from_nobody_to_all(members: list[int], others: list[int]) -> None:
    false, true = membership.roc(np.array(members), np.array(others))
    assert false[0] == true[0] == 0
    assert false[-1] == true[-1] == 1
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()


def test_strangers_are_not_told_apart(rng: np.random.Generator) -> None:
    """Of 60 draws in which nobody was learnt, few may say that somebody was."""
    said = 0
    for _ in range(60):
        found = membership.membership_metrics(rng.normal(size=1500), rng.normal(size=1500))
        assert found.auc == pytest.approx(0.5, abs=0.05)
        said += any(row.is_significant for row in found.operating_points)
    assert said <= 4  # where members and others both fall well by chance


def test_the_learnt_are_told_apart(rng: np.random.Generator) -> None:
    found = membership.membership_metrics(rng.normal(3, 1, 1500), rng.normal(size=1500))
    wanted = [1 - norm.cdf(norm.ppf(1 - rate) - 3) for rate in membership.RATES]
    assert [row.tpr for row in found.operating_points] == pytest.approx(wanted, abs=0.12)
    assert all(row.is_significant for row in found.operating_points)


def test_a_rate_that_the_sample_cannot_tell_is_not_told() -> None:
    rows = membership.membership_metrics(np.arange(100.0), np.arange(100.0)).operating_points
    assert rows[0].tpr is not None
    assert rows[1].tpr is None
    assert rows[1].reason == "a false positive rate of 0.001 takes 1000 nonmembers, not 100"


@given(st.integers(2, 6), st.integers(0, 99))
def test_confidence_orders_as_the_probability_of_the_true_class(classes: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    outputs = draw.dirichlet(np.ones(classes), 20)
    labels = draw.integers(0, classes, 20)
    own = outputs[np.arange(20), labels]
    scores = membership.confidence(outputs, labels, membership.FLOOR)
    order = np.argsort(own)
    assert (np.diff(scores[order]) >= -ROUNDING).all()
    assert np.isfinite(membership.confidence(np.eye(classes)[labels], labels, 1e-6)).all()


def test_levels_of_the_classes_are_taken_out(rng: np.random.Generator) -> None:
    """Where classes differ more than members do, only a level for each class finds them."""
    labels = rng.integers(0, 10, 2000), rng.integers(0, 10, 2000)
    members, others = (20.0 * own + rng.normal(size=2000) for own in labels)
    members += 3
    plain = membership.membership_metrics(members, others).auc
    levelled = membership.membership_metrics(*membership.by_class(members, others, labels)).auc
    assert plain < 0.6 < 0.95 < levelled


def test_levelling_tells_nothing_of_strangers(rng: np.random.Generator) -> None:
    """A level that saw the sample itself would tell members from others where there are none."""
    found = []
    for _ in range(30):
        labels = rng.integers(0, 20, 200), rng.integers(0, 20, 200)
        own = membership.by_class(rng.normal(size=200), rng.normal(size=200), labels)
        found.append(membership.membership_metrics(*own).auc)
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


@given(count=st.integers(1, 40).map(lambda n: 2 * n), pairs=st.integers(2, 8))
def test_each_sample_is_learnt_by_half_of_the_shadow_models(count: int, pairs: int) -> None:
    learnt = membership.halves(count, 2 * pairs, 5)
    assert (learnt.sum(axis=0) == pairs).all()
    assert (learnt.sum(axis=1) == count // 2).all()
    assert (learnt == membership.halves(count, 2 * pairs, 5)).all()


@pytest.mark.parametrize(("models", "form"), [(4, "offline"), (16, "online"), (64, "online")])
def test_shadow_models_find_members_that_thresholds_miss(
    models: int, form: str, rng: np.random.Generator
) -> None:
    """How hard a sample is counts more than whether it was learnt, but the shadows know it."""
    hard = rng.normal(0, 5, 2000)
    learnt = membership.halves(2000, models, 3)
    shadows = hard + 3 * learnt + rng.normal(size=(models, 2000))
    is_member = np.arange(2000) < 1000
    observed = hard + 3 * is_member + rng.normal(size=2000)
    ratio, how = membership.likelihood_ratio(observed, shadows, learnt)
    plain = membership.membership_metrics(observed[:1000], observed[1000:])
    found = membership.membership_metrics(ratio[:1000], ratio[1000:])
    assert how == form
    assert plain.auc < 0.7 < 0.9 < found.auc
    assert found.operating_points[0].tpr > 5 * plain.operating_points[0].tpr


@pytest.mark.parametrize("models", [4, 16])
def test_shadow_models_tell_nothing_of_strangers(models: int, rng: np.random.Generator) -> None:
    learnt = membership.halves(2000, models, 3)
    shadows = 3 * learnt + rng.normal(size=(models, 2000))
    ratio, _ = membership.likelihood_ratio(rng.normal(size=2000), shadows, learnt)
    assert membership.membership_metrics(ratio[:1000], ratio[1000:]).auc == pytest.approx(
        0.5, abs=0.05
    )
