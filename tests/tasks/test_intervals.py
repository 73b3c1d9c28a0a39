"""Intervals against SciPy's, and that they narrow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline.tasks.intervals import bootstrap, rate_at_least, wilson


@given(samples=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilsons_interval_is_scipys(samples: int, share: float) -> None:
    successes = round(share * samples)
    known = binomtest(successes, samples).proportion_ci(method="wilson")
    assert wilson(successes, samples) == pytest.approx((known.low, known.high), abs=1e-12)
    one_sided = binomtest(successes, samples, alternative="greater").proportion_ci(method="wilson")
    assert rate_at_least(successes, samples) == pytest.approx(one_sided.low, abs=1e-12)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap(lambda drawn: float(values[drawn].mean()), 400, resamples=2000, seed=1)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
