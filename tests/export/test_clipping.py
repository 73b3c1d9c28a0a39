"""Ranges: nothing is cut without need, outliers are, and the cut is where the error is least."""

import numpy as np
import pytest

from pipeline.export.clipping import (
    CLIPPINGS,
    CLIPS,
    OUTSIDE,
    entropy_range,
    least_error_range,
    percentile_range,
)
from pipeline.export.ranges import BINS


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


@pytest.mark.parametrize("way", CLIPPINGS)
@pytest.mark.parametrize("seed", range(5))
def test_a_range_holds_zero_and_never_grows(seed: int, way: str) -> None:
    values = np.random.default_rng(seed).standard_cauchy(3_000)
    counts, low, high = histogram(values)
    cut = CLIPPINGS[way](counts, low, high, 8)
    assert low <= cut[0] <= 0 <= cut[1] <= high
    assert cut[1] > cut[0]


@pytest.mark.parametrize("way", CLIPPINGS)
def test_a_tensor_of_zeros_has_a_range(way: str) -> None:
    low, high = CLIPPINGS[way](np.zeros(BINS, np.int64), 0.0, 1.0, 8)
    assert low == 0
    assert high > 0


@pytest.mark.parametrize("seed", range(5))
def test_a_percentile_leaves_its_share_outside(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=200_000)
    counts, low, high = histogram(values)
    cut = percentile_range(counts, low, high, 8)
    for outside in (values < cut[0], values > cut[1]):
        assert outside.mean() == pytest.approx(OUTSIDE, rel=0.6)
    assert np.isclose(cut, np.quantile(values, [OUTSIDE, 1 - OUTSIDE]), rtol=0.1).all()


def test_entropy_keeps_an_even_spread_and_gives_up_a_far_tail() -> None:
    generator = np.random.default_rng(0)
    even = histogram(generator.uniform(-1, 1, 200_000))
    assert entropy_range(*even, 8) == pytest.approx(even[1:], rel=0.02)
    tailed = histogram(np.append(generator.normal(size=200_000), [60.0, -60.0]))
    low, high = entropy_range(*tailed, 8)
    assert 3 < high < 12
    assert -12 < low < -3


def test_entropy_is_zero_where_each_level_holds_one_kind_of_value() -> None:
    """As many bins as levels: nothing is merged, so the full range loses nothing."""
    counts = np.random.default_rng(0).integers(1, 100, 256)
    assert entropy_range(counts, -1.0, 1.0, 8) == (-1.0, 1.0)
