"""Write samples into .npy shards as they arrive, and read them back by position, in any order.

A fixed input is a row of a shard. A ragged input lies end to end in flat shards, and the shape of
each sample in a file of its own. One shard of each input is in memory at a time.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.samples import Array, Input

SHARD_BYTES = 64 << 20  # held in memory of each input while writing, whatever the size of the set
OPEN_SHARDS = 256  # mapped at a time: each holds a file descriptor, and 1024 is a usual limit


class ShardWriter:
    """Collects samples of one input and writes a shard whenever enough has come together."""

    def __init__(self, folder: Path, spec: Input, *, shard_bytes: int = SHARD_BYTES) -> None:
        """Begin with nothing; files appear in `folder` as samples arrive."""
        self._folder, self._spec, self._shard_bytes = folder, spec, shard_bytes
        self._held: list[Array] = []
        self._held_bytes = 0
        self._held_rows = 0
        self._files: list[str] = []
        self._rows: list[int] = []
        self._shapes: list[tuple[int, ...]] = []
        self._dtype: np.dtype[Any] | None = None

    def add(self, values: Any) -> None:
        """Take in (n, *shape) samples, or a list of n arrays where the input is ragged.

        Raises:
            ValueError: shape or type differs from those before; sources must see to it.
        """
        for block in self._blocks(values):
            self._held.append(block)
            self._held_bytes += block.nbytes
            self._held_rows += 1 if self._spec.is_ragged else len(block)
            if self._held_bytes >= self._shard_bytes:
                self._flush()

    def _blocks(self, values: Any) -> list[Array]:
        """Return what is held back: flat samples, or rows cut so that no shard grows too large."""
        if self._spec.is_ragged:
            for sample in values:
                self._check(sample.dtype, sample.ndim)
                self._shapes.append(sample.shape)
            return [np.array(sample).ravel() for sample in values]
        if not len(values):
            return []
        self._check(values.dtype, values.ndim - 1)
        if self._shapes and values.shape[1:] != self._shapes[0]:
            raise ValueError(f"{self._spec.name}: {values.shape[1:]} after {self._shapes[0]}")
        self._shapes = [values.shape[1:]]
        step = max(1, self._shard_bytes // max(1, values[0].nbytes))
        first = step - self._held_rows  # rows that still fit
        cuts = range(first, len(values), step)
        return [np.array(block) for block in np.split(values, cuts) if len(block)]

    def _check(self, dtype: np.dtype[Any], axes: int) -> None:
        if self._dtype is None:
            self._dtype = dtype
        if dtype != self._dtype or (self._shapes and axes != len(self._shapes[0])):
            raise ValueError(f"{self._spec.name}: {dtype} with {axes} axes after {self._dtype}")

    def _flush(self) -> None:
        name = f"input-{_file_name(self._spec.name)}-{len(self._files):05d}.npy"
        np.save(self._folder / name, np.concatenate(self._held))
        self._files.append(name)
        self._rows.append(self._held_rows)
        self._held, self._held_bytes, self._held_rows = [], 0, 0

    def finish(self) -> dict[str, Any]:
        """Write what is left and return the input's entry of dataset.json."""
        if self._held_rows:
            self._flush()
        shapes = np.array(self._shapes, np.int64)
        entry = {
            "name": self._spec.name,
            "layout": "ragged" if self._spec.is_ragged else "fixed",
            "shape": shapes.max(axis=0).tolist(),
            "dtype": str(self._dtype),
            "shards": self._files,
            "rows": self._rows,
            "shapes": None,
        }
        if self._spec.is_ragged:
            entry["shapes"] = f"input-{_file_name(self._spec.name)}-shapes.npy"
            np.save(self._folder / entry["shapes"], shapes)
        return entry


def _file_name(name: str) -> str:
    """Return an input's name as part of a file's: other signs than letters and digits escaped."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


def sample_digests(inputs: Mapping[str, Any]) -> list[bytes]:
    """Return 16 bytes for each sample of a chunk; equal samples have equal digests."""
    count = len(next(iter(inputs.values())))
    digests = [hashlib.blake2b(digest_size=16) for _ in range(count)]
    for name in sorted(inputs):
        for digest, sample in zip(digests, inputs[name], strict=True):
            if isinstance(inputs[name], list):
                digest.update(str(sample.shape).encode())
            digest.update(np.ascontiguousarray(sample).data)
    return [digest.digest() for digest in digests]


@dataclass(frozen=True)
class Shards:
    """The samples of one input, mapped from disk as they are asked for."""

    mapped: Callable[[int], Array]
    """Number of a shard -> its values."""
    starts: Array
    """Position of the first sample of each shard, and the number of samples at the end."""
    shape: tuple[int, ...]
    """Shape of a sample; of a ragged input, the largest along each axis."""
    dtype: np.dtype[Any]
    shapes: Array | None
    """Shape of each sample (N, axes) of a ragged input, else None."""
    offsets: Array | None
    """Where each sample of a ragged input starts in its shard (N,), else None."""

    def take(self, positions: Array) -> Array:
        """Return the samples at `positions` (n, *shape), in that order, zeros after short ones."""
        if self.shapes is None and len(self.starts) == 2:
            return self.mapped(0)[positions]
        found = np.zeros((len(positions), *self.shape), self.dtype)
        shard_of = np.searchsorted(self.starts, positions, side="right") - 1
        for shard in np.unique(shard_of):
            places = np.flatnonzero(shard_of == shard)
            if self.shapes is None:
                found[places] = self.mapped(int(shard))[positions[places] - self.starts[shard]]
            else:
                self._take_ragged(found, int(shard), places, positions[places])
        return found

    def _take_ragged(self, found: Array, shard: int, places: Array, positions: Array) -> None:
        """Copy the samples of one shard into their places, at the beginning of each axis."""
        assert self.shapes is not None
        assert self.offsets is not None
        values = self.mapped(shard)
        for place, position in zip(places, positions, strict=True):
            shape, start = self.shapes[position], self.offsets[position]
            sample = values[start : start + shape.prod()].reshape(shape)
            found[(place, *(slice(0, length) for length in shape))] = sample


def open_shards(folder: Path, entry: Mapping[str, Any]) -> Shards:
    """Open the shards that an input's entry in dataset.json names."""

    def mapped(shard: int) -> Array:
        return np.load(folder / entry["shards"][shard], mmap_mode="r").view(np.ndarray)

    starts = np.concatenate([[0], np.cumsum(entry["rows"])]).astype(np.int64)
    shapes = offsets = None
    if entry["layout"] == "ragged":
        shapes = np.load(folder / entry["shapes"])
        ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
        offsets = ends[:-1] - np.repeat(ends[starts[:-1]], entry["rows"])
    return Shards(
        lru_cache(maxsize=OPEN_SHARDS)(mapped),
        starts,
        tuple(entry["shape"]),
        np.dtype(entry["dtype"]),
        shapes,
        offsets,
    )
