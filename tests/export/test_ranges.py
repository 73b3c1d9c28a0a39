"""Histograms of activations: NumPy's own, but for values that lie on the border of two bins."""

import numpy as np
import pytest

from pipeline.export.ranges import BINS, count_values


@pytest.mark.parametrize("seed", range(8))
def test_a_histogram_is_that_of_numpy_without_zeros(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(30, 40)) * 10.0 ** rng.integers(-4, 5)).astype(np.float32)
    if seed % 2:
        values = np.maximum(values, 0)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    found = count_values(values, low, high)
    wanted = np.histogram(values[values != 0], BINS, (low, high))[0]
    assert found.shape == (BINS,)
    assert found.sum() == np.count_nonzero(values)
    assert np.abs(np.cumsum(found) - np.cumsum(wanted)).max() <= 2  # rounded to another side


def test_of_zeros_alone_nothing_is_counted() -> None:
    assert count_values(np.zeros((3, 4), np.float32), -1.0, 2.0).sum() == 0


def test_what_rounding_brings_outside_is_in_the_outermost_bins() -> None:
    found = count_values(np.array([-1.001, 2.001, 0.0], np.float32), -1.0, 2.0)
    assert found[0] == found[-1] == 1
    assert found.sum() == 2
