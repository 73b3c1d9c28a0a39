"""Audit figures: intervals, and the worst case of each sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.evasion import evenly, paired_drop, survivors
from pipeline.tasks.intervals import wilson

ROUNDING = 1e-12  # of float64, where share and bound are the same number


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_in_range(n: int, share: float) -> None:
    successes = round(share * n)
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n + ROUNDING
    assert successes / n - ROUNDING <= high <= 1


def test_the_interval_equals_the_known_one() -> None:
    assert wilson(15, 50) == pytest.approx([0.1910, 0.4375], abs=1e-4)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5))
def test_more_attacks_never_raise_robustness(attacks: list[list[bool]]) -> None:
    clean = np.array([True, True, True, False])
    masks = [np.array(attack) for attack in attacks]
    whole = survivors(clean, masks)
    assert not (whole & ~clean).any()
    assert all((whole <= mask).all() for mask in masks)


@given(n=st.integers(1, 300), count=st.integers(1, 300))
def test_samples_are_drawn_once_and_in_order(n: int, count: int) -> None:
    drawn = evenly(np.arange(n), count)
    assert len(drawn) == min(n, count)
    assert (np.diff(drawn) > 0).all()


def test_a_paired_drop_holds_the_drop_and_cancels_what_is_common() -> None:
    reference = np.arange(200) % 4 != 0
    file = reference & (np.arange(200) % 50 != 1)
    low, high = paired_drop(reference, file, seed=1)
    assert low <= 0.02 <= high
    assert high - low < wilson(150, 200)[1] - wilson(150, 200)[0]
    assert paired_drop(reference, reference, seed=1) == (0.0, 0.0)
