"""Draw a fraction of every stratum; pure functions of the seed, in memory that does not grow."""

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import blocks, count_ids, map_array, scratch, shuffled_range

MOST_STRATA = 10_000  # that fit into 16 bits


def draw(positions: Array, strata: Array, total: int, *, generator: np.random.Generator) -> Array:
    """Draw `total` of the indices, the same fraction of every stratum, by largest remainders.

    A stratum gives its exact quota rounded down or up; equal remainders are ordered by the seed.

    Args:
        positions: to draw from (n,).
        strata: of each position (n,).
        total: how many; all of them where there are fewer.
        generator: decides which, and is advanced.
    """
    total = min(total, len(positions))
    stratum, counts = number_strata(strata)
    quotas, remainders = np.divmod(counts * total, max(1, len(positions)))
    by_remainder = np.lexsort((generator.random(len(counts)), -remainders))
    quotas[by_remainder[: total - quotas.sum()]] += 1
    order = shuffled_range(len(positions), generator)
    chosen, done = scratch(total, positions.dtype), 0
    for part in blocks(order):
        places = order[part]
        own = stratum[places]
        own_first = ranks(own) < quotas[own]
        found = positions[places[own_first]]
        chosen[done : done + len(found)] = found
        done += len(found)
        quotas -= np.bincount(own[own_first], minlength=len(quotas))
    chosen.sort()
    return chosen


def ranks(ids: Array) -> Array:
    """Return for each id of (N,) how many equal ids stand before it: int64 (N,)."""
    order = np.argsort(ids, kind="stable")
    rising, found = ids[order], np.empty(len(ids), np.int64)
    found[order] = np.arange(len(ids)) - np.searchsorted(rising, rising)
    return found


def number_strata(strata: Array) -> tuple[Array, Array]:
    """Number the strata from 0.

    Args:
        strata: (N,), any integers or strings.

    Returns:
        The number of each sample's stratum (N,), and the samples of each stratum (S,).
    """
    if strata.dtype.kind == "i" and len(strata) and 0 <= strata.min() <= strata.max() < MOST_STRATA:
        counts = count_ids(strata)
        number = (np.cumsum(counts > 0) - 1).astype(np.int16)
        return map_array(strata, lambda block: number[block], np.int16), counts[counts > 0]
    _, stratum, counts = np.unique(strata, return_inverse=True, return_counts=True)
    return stratum, counts
