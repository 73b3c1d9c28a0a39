"""Arrays with a value a sample that lie on disk while they are large, made a block at a time.

A set may have more samples than memory has room for their indices. The `data` stage works on such
arrays with these functions, so that its memory does not grow with the data.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.growing_array import reserve

LARGE = 1 << 18  # bytes; a smaller array stays in memory
BLOCK = 1 << 14  # samples that are looked at at once
# Outlives a restart, hence on disk; /tmp may lie in memory.
FOLDER = "/var/tmp"


def scratch(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Return an array to be filled, in memory or, from LARGE bytes on, in a file without a name.

    Args:
        shape: (n,) or n alike.
        dtype: of NumPy.

    Returns:
        The array; its content is undefined. The file is gone when the last view is.

    Raises:
        OSError: there is no room on disk.
    """
    if np.prod(shape) * np.dtype(dtype).itemsize < LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(dir=_folder()) as file:
        made = np.memmap(file, dtype, "w+", shape=shape)
        reserve(file)
    return made.view(np.ndarray)


def _folder() -> str | None:
    """Return where large arrays lie; None: where the system's temporary files do."""
    is_free = "TMPDIR" not in os.environ and os.access(FOLDER, os.W_OK)
    return FOLDER if is_free else None


def blocks(values: Array) -> Iterator[slice]:
    """Yield slices of at most BLOCK values that cover an array (n, …), in order."""
    for start in range(0, len(values), BLOCK):
        yield slice(start, min(start + BLOCK, len(values)))


def map_array(values: Array, change: Callable[[Array], Any], dtype: Any) -> Array:
    """Return what a function makes of an array (N,), element by element."""
    made = scratch(len(values), dtype)
    for part in blocks(values):
        made[part] = change(values[part])
    return made


def take_rows(values: Array, positions: Array) -> Array:
    """Return values[positions], block by block.

    Args:
        values: (N, …).
        positions: (n,), indices into `values`.

    Returns:
        (n, …), a copy.
    """
    made = scratch((len(positions), *values.shape[1:]), values.dtype)
    for part in blocks(positions):
        made[part] = values[positions[part]]
    return made


def filter_array(values: Array, is_kept: Callable[[Array], Array]) -> Array:
    """Return the values (n,) of an array (N,) for which a function of them is true, in order."""
    found = (values[part][is_kept(values[part])] for part in blocks(values))
    return _filled(number_of(values, is_kept), values.dtype, found)


def where(values: Array, is_wanted: Callable[[Array], Array]) -> Array:
    """Return the indices (n,), int32 and ascending, of values (N,) for which a function is true."""
    found = (np.flatnonzero(is_wanted(values[part])) + part.start for part in blocks(values))
    return _filled(number_of(values, is_wanted), np.int32, found)


def number_of(values: Array, is_wanted: Callable[[Array], Array]) -> int:
    """Count the values of an array (N,) for which a function of them is true."""
    return sum(int(np.count_nonzero(is_wanted(values[part]))) for part in blocks(values))


def join_arrays(arrays: Sequence[Array]) -> Array:
    """Concatenate arrays (n, …) of one type along the first axis."""
    return _filled(sum(map(len, arrays)), arrays[0].dtype, arrays)


def _filled(count: int, dtype: Any, pieces: Iterable[Array]) -> Array:
    made = scratch(count, dtype)
    done = 0
    for piece in pieces:
        made[done : done + len(piece)] = piece
        done += len(piece)
    return made


def is_among(values: Array, rising: Array) -> Array:
    """Return for each of a few values (n,) whether a sorted array (N,) contains it: bool (n,)."""
    if not len(rising):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    return np.asarray(rising[place] == values)


def sort_array(values: Array) -> Array:
    """Return a sorted copy of an array (N,)."""
    made = map_array(values, lambda block: block, values.dtype)
    made.sort()
    return made


def distinct(rising: Array, times: int = 1) -> Array:
    """Return the different values (n,) that a sorted array (N,) has at least `times` times."""

    def begun(part: slice) -> Array:
        places = np.arange(part.start, part.stop)
        own, last = rising[part], places + times - 1
        is_new = own != rising[np.maximum(places - 1, 0)]
        is_new |= places == 0
        return own[
            is_new & (last < len(rising)) & (own == rising[np.minimum(last, len(rising) - 1)])
        ]

    count = sum(len(begun(part)) for part in blocks(rising))
    return _filled(count, rising.dtype, map(begun, blocks(rising)))


def count_ids(ids: Array, classes: int = 0) -> Array:
    """Return how often each of the whole numbers from 0 on is there; fewer than 0 are left out.

    Args:
        ids: (N,).
        classes: how many counts there are at least.
    """
    counts = np.zeros(classes, np.int64)
    for part in blocks(ids):
        own = np.bincount(ids[part][ids[part] >= 0], minlength=len(counts))
        own[: len(counts)] += counts
        counts = own
    return counts


def shuffle_array(values: Array, generator: np.random.Generator) -> Array:
    """Return the same as `generator.permutation(values)`, for values (N,)."""
    made = map_array(values, lambda block: block, values.dtype)
    generator.shuffle(made)
    return made


def shuffled_range(count: int, generator: np.random.Generator) -> Array:
    """Return the same as `generator.permutation(count)`, (count,), as int32: 4 bytes each."""
    made = scratch(count, np.int32)
    for part in blocks(made):
        made[part] = np.arange(part.start, part.stop)
    generator.shuffle(made)
    return made
