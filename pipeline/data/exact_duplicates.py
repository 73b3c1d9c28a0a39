"""Samples that occur more than once, by their digests, in memory that does not grow."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import distinct, is_among, map_array, sort_array, take_rows, where

MIXED = np.uint64(0x9E3779B97F4A7C15)  # odd: different labels of one digest stay different


def exact_copies(parts: Mapping[str, Array], digests: Array) -> dict[str, Array]:
    """Return split -> whether each of its samples is an exact duplicate of one in train, (n,).

    Args:
        parts: positions of train, validation and test.
        digests: a hash of each sample's values (N,).
    """
    train = sort_array(take_rows(digests, parts["train"]))

    def is_copy(positions: Array) -> Array:
        return is_among(digests[positions], train)

    return {part: map_array(parts[part], is_copy, bool) for part in ("validation", "test")}


def contradictions(labels: Array, digests: Array) -> int:
    """Return how many classes equal samples have beyond one each.

    Args:
        labels: class ids (N,).
        digests: a hash of each sample's values (N,) uint64.
    """
    twice = distinct(sort_array(digests), times=2)
    shared = where(digests, lambda own: is_among(own, twice))

    def with_label(positions: Array) -> Array:
        return digests[positions] ^ (labels[positions].astype(np.uint64) * MIXED)

    return len(distinct(sort_array(map_array(shared, with_label, np.uint64)))) - len(twice)
