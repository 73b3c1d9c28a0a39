"""Confidence intervals of rates and of figures over samples. Pure NumPy."""

from collections.abc import Callable

import numpy as np

from pipeline.arrays import Array

Interval = tuple[float, float]
TWO_SIDED = 1.959963984540054  # 97.5 % quantile of the normal distribution
ONE_SIDED = 1.6448536269514722  # 95 % quantile
LEVEL = (2.5, 97.5)  # percentiles


def wilson(successes: float, samples: int, *, z: float = TWO_SIDED) -> Interval:
    """Return the interval of a rate, in [0, 1] (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        successes: how many of the samples; 0 to `samples`.
        samples: at least 1.
        z: quantile of the normal distribution: 95 % between both ends, or above the lower one.
    """
    rate = successes / samples
    spread = 1 + z**2 / samples
    middle = (rate + z**2 / (2 * samples)) / spread
    half = z * np.sqrt(rate * (1 - rate) / samples + z**2 / (4 * samples**2)) / spread
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def rate_at_least(successes: int, samples: int) -> float:
    """Return what a rate is at least, with 95 % confidence."""
    return wilson(successes, samples, z=ONE_SIDED)[0]


def bootstrap(
    figure: Callable[[Array], float], samples: int, *, resamples: int, seed: int
) -> Interval:
    """Return the 95 % percentile interval of a figure, by the bootstrap over samples.

    Efron and Tibshirani 1993, chapter 13.

    Args:
        figure: of positions drawn with replacement (samples,).
        samples: how many there are.
        resamples: how often they are drawn.
        seed: of the draws.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    draws = (generator.integers(0, samples, samples) for _ in range(resamples))
    low, high = np.percentile([figure(drawn) for drawn in draws], LEVEL)
    return float(low), float(high)
