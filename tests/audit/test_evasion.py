"""Audit figures: intervals, the worst case of each sample, and checks that can fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.evasion import checks, evenly, survivors, wilson

ROUNDING = 1e-12  # of float64, where share and bound are the same number
SOUND = {"noise": 0.9, "robust": 0.5, "robust_fewer": 0.55, "robust_twice": 0.2, "robust_huge": 0.0}


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


def test_a_sound_attack_passes_every_check() -> None:
    assert all(row["passed"] for row in checks(SOUND, 0.02))


def test_what_was_not_measured_is_not_checked() -> None:
    masked = {name: value for name, value in SOUND.items() if name != "robust_huge"}
    assert len(checks(masked, 0.02)) == 3
    (only,) = checks({"noise": 0.3, "robust": 0.5}, 0.02)
    assert not only["passed"]


@pytest.mark.parametrize(
    "broken",
    [{"noise": 0.3}, {"robust_fewer": 0.3}, {"robust_twice": 0.9}, {"robust_huge": 0.4}],
)
def test_a_masked_gradient_fails_a_check(broken: dict[str, float]) -> None:
    assert not all(row["passed"] for row in checks(SOUND | broken, 0.02))
