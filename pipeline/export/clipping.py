"""Where a range is cut: three ways to weigh few far values against the step of all others.

Each takes a histogram over [low, high] in bins of one width, without exact zeros (they cost nothing
whatever the range), with low at most and high at least zero, and the bits of the integer type; it
returns the ends within that range. NumPy only.
"""

from collections.abc import Callable

import numpy as np

from pipeline.arrays import Array

CLIPS = np.linspace(1.0, 0.1, 91)  # fractions of an end that are tried
OUTSIDE = 1e-4  # fraction of the values that a percentile leaves outside, on either side


def least_error_range(counts: Array, low: float, high: float, bits: int) -> tuple[float, float]:
    """Return the range within [low, high] with the least mean squared quantization error.

    Range setting by MSE: Nagel et al. 2021, section 3.1 (arXiv:2106.08295). Each end moves towards
    zero by itself. The error inside is that of rounding, step^2 / 12; outside it is the distance to
    the end. The full range wins a tie.

    Args:
        counts: (bins,), histogram over [low, high] in bins of equal width, without exact zeros.
        low: at most zero.
        high: at least zero.
        bits: of the integer type.

    Returns:
        Lowest and highest value, in the unit of `low`.
    """
    edges = np.linspace(low, high, len(counts) + 1)
    centers = (edges[:-1] + edges[1:]) / 2
    lows = low * CLIPS if low < 0 else np.zeros(1)
    highs = high * CLIPS if high > 0 else np.zeros(1)
    below = [float((counts * np.clip(end - centers, 0, None) ** 2).sum()) for end in lows]
    above = [float((counts * np.clip(centers - end, 0, None) ** 2).sum()) for end in highs]
    total = np.concatenate([[0], np.cumsum(counts)])
    first, last = np.searchsorted(centers, lows), np.searchsorted(centers, highs)
    inside = total[last][None, :] - total[first][:, None]
    steps = (highs[None, :] - lows[:, None]) / (2**bits - 1)
    errors = steps**2 / 12 * inside + np.add.outer(below, above)
    row, column = np.unravel_index(int(np.argmin(errors)), errors.shape)
    return float(lows[row]), float(highs[column])


def percentile_range(counts: Array, low: float, high: float, bits: int) -> tuple[float, float]:
    """Return the range that leaves one value in ten thousand outside on either side.

    Range setting by percentile: Wu et al. 2020 (arXiv:2004.09602), section 3.2.

    Args:
        counts: (bins,), as for `least_error_range`.
        low: at most zero.
        high: at least zero.
        bits: not used.
    """
    total, edges = np.cumsum(counts), np.linspace(low, high, len(counts) + 1)
    if not total[-1]:
        return low, high
    first = int(np.searchsorted(total, OUTSIDE * total[-1], side="right"))
    last = int(np.searchsorted(total, (1 - OUTSIDE) * total[-1], side="left"))
    return min(0.0, float(edges[first])), max(0.0, float(edges[last + 1]))


def entropy_range(counts: Array, low: float, high: float, bits: int) -> tuple[float, float]:
    """Return the range that loses the least information: KL(values || their integers).

    Migacz 2017, "8-bit inference with TensorRT" (GTC S7310), and Wu et al. 2020 (arXiv:2004.09602),
    section 3.2. Values outside count in the outermost bins; both ends move by the same factor.

    Args:
        counts: (bins,), as for `least_error_range`.
        low: at most zero.
        high: at least zero.
        bits: of the integer type.
    """
    edges = np.linspace(low, high, len(counts) + 1)
    centers = (edges[:-1] + edges[1:]) / 2
    losses = [_lost(counts, centers, low * share, high * share, 2**bits) for share in CLIPS]
    best = CLIPS[int(np.argmin(losses))]
    return float(low * best), float(high * best)


def _lost(counts: Array, centers: Array, low: float, high: float, levels: int) -> float:
    """Return the divergence of a cut histogram from what integers leave of its inner part."""
    inner = np.flatnonzero((centers >= low) & (centers <= high))
    if len(inner) < 2 or not counts[inner].any():
        return float("inf")
    own = counts[inner].astype(np.float64)
    first, last = inner[0], inner[-1]
    kept = own.copy()
    own[0] += counts[:first].sum()
    own[-1] += counts[last + 1 :].sum()
    level = np.minimum((np.arange(len(inner)) * levels) // len(inner), levels - 1)
    is_there = kept > 0
    sums = np.bincount(level, kept, levels)
    places = np.maximum(np.bincount(level, is_there, levels), 1)
    spread = np.where(is_there, (sums / places)[level], 0.0)
    p, q = own / own.sum(), spread / spread.sum()
    both = p > 0
    return float((p[both] * np.log(p[both] / np.maximum(q[both], 1e-12))).sum())


CLIPPINGS: dict[str, Callable[[Array, float, float, int], tuple[float, float]]] = {
    "mse": least_error_range,
    "percentile": percentile_range,
    "entropy": entropy_range,
}
