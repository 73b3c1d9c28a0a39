"""Splits by time: train is the oldest, test the newest; pure functions."""

from functools import partial

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import (
    blocks,
    filter_array,
    join_arrays,
    scratch,
    sort_array,
    take_rows,
    where,
)


def split_by_time(
    samples: Array, times: Array, groups: Array | None, *, test: float, validation: float
) -> dict[str, Array]:
    """Return the oldest samples as train and the newest as test, in each group for itself.

    Samples that reach into the time of a later part (windows do) are in no part.

    Args:
        samples: rising indices (n,) of those that are split.
        times: first and last moment of each sample of the set (N, 2).
        groups: number of each sample's group (N,); None: all are one.
        test: fraction of the samples.
        validation: fraction of those that are not test.
    """
    found: dict[str, list[Array]] = {"train": [], "validation": [], "test": []}
    group_of = np.broadcast_to(np.int8(0), len(times)) if groups is None else groups
    own = take_rows(group_of, samples)
    for group in range(int(group_of.max()) + 1):
        rest = _in_time(samples[where(own, partial(np.equal, group))], times)
        shares = {"test": test, "validation": (1 - test) * validation}
        total = len(rest)
        for part, share in shares.items():
            count = round(share * total)
            if not count:
                continue
            rest, later = rest[: len(rest) - count], rest[len(rest) - count :]
            found[part].append(later)
            rest = filter_array(rest, partial(_is_before, _first_moment(later, times), times))
        found["train"].append(rest)
    none = scratch(0, np.int32)
    return {name: sort_array(join_arrays([none, *parts])) for name, parts in found.items()}


def _first_moment(positions: Array, times: Array) -> float:
    return min(float(times[positions[part], 0].min()) for part in blocks(positions))


def _is_before(moment: float, times: Array, positions: Array) -> Array:
    """Tell of each sample whether it ends before a moment."""
    return np.asarray(times[positions, 1] < moment)


def _in_time(positions: Array, times: Array) -> Array:
    """Return rising positions in the order of their last and first moments."""
    last = np.full(2, -np.inf)
    for part in blocks(positions):
        moments = times[positions[part]]
        steps = np.diff(moments, axis=0, prepend=last[None])
        if (steps < 0).any():  # 24 bytes a sample
            own = times[positions]
            return positions[np.lexsort((positions, own[:, 0], own[:, 1]))]
        last = moments[-1]
    return positions
