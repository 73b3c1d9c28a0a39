"""Ranges: nothing is cut without need, outliers are, and the cut is where the error is least."""

import numpy as np
import pytest

from pipeline.export.ranges import BINS, CLIPS, least_error_range


def histogram(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return np.histogram(values, BINS, (low, high))[0], low, high


def error(values: np.ndarray, low: float, high: float, bits: int = 8) -> float:
    """The slow way: quantize every value."""
    step = (high - low) / (2**bits - 1)
    kept = np.clip(values, low, high)
    return float(((np.round((kept - low) / step) * step + low - values) ** 2).mean())


@pytest.mark.parametrize("seed", range(5))
def test_an_even_spread_is_hardly_cut(seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-1, 2, 20_000)
    counts, low, high = histogram(values)
    cut = least_error_range(counts, low, high, 8)
    assert cut == pytest.approx((low, high), rel=0.02)


@pytest.mark.parametrize("side", [-1, 1])
def test_an_outlier_on_one_side_moves_that_end_alone(side: int) -> None:
    values = np.append(np.random.default_rng(0).uniform(-1, 1, 100_000), 40.0 * side)
    counts, low, high = histogram(values)
    counts[counts > 1] *= 1000  # one in a hundred million: it is not worth what it coarsens
    cut = least_error_range(counts, low, high, 8)
    far, near = (cut[1], cut[0]) if side > 0 else (-cut[0], -cut[1])
    assert 1 <= far < 20
    assert near == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_cut_is_as_good_as_the_best_found_by_quantizing_every_value(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.maximum(generator.standard_t(3, 5_000), 0)
    counts, low, high = histogram(values[values != 0])
    found = error(values, *least_error_range(counts, low, high, 8))
    best = min(error(values, 0.0, high * clip) for clip in CLIPS)
    assert found <= best * 1.1 + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_a_range_holds_zero_and_never_grows(seed: int) -> None:
    values = np.random.default_rng(seed).standard_cauchy(3_000)
    counts, low, high = histogram(values)
    cut = least_error_range(counts, low, high, 8)
    assert low <= cut[0] <= 0 <= cut[1] <= high


def test_a_tensor_of_zeros_has_a_range() -> None:
    assert least_error_range(np.zeros(BINS, np.int64), 0.0, 1.0, 8)[0] == 0
