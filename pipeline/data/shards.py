"""Write samples into .npy shards as they arrive, and read them back by position, in any order.

A fixed input is a row of a shard. A ragged input lies end to end in flat shards, and the shape of
each sample in a file of its own. No more than a chunk of samples is in memory.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.growing_array import ValueFile
from pipeline.documents.dataset import StoredInput
from pipeline.samples.kind import Input

SHARD_BYTES = 64 << 20  # of a file: many sets have one, and huge ones not too many
HEADER = 256  # bytes of a shard before its values: multiple of 64, as NumPy wants it
OPEN_SHARDS = 256  # mapped at a time: each holds a file descriptor, and 1024 is a usual limit


class ShardWriter:
    """Writes samples of one input as they come, into one shard after the other."""

    def __init__(self, folder: Path, spec: Input, *, shard_bytes: int = SHARD_BYTES) -> None:
        """Begin with nothing; files appear in `folder` as samples arrive."""
        self._folder, self._spec, self._shard_bytes = folder, spec, shard_bytes
        self._open: IO[bytes] | None = None
        self._open_rows = 0
        self._open_values = 0
        self._files: list[str] = []
        self._rows: list[int] = []
        self._drafts: dict[str, ValueFile] = {}
        """Shapes of ragged samples, end to end, and where each begins in its shard."""
        self._shape: tuple[int, ...] | None = None
        self._dtype: np.dtype[Any] | None = None

    def add(self, values: Any) -> None:
        """Take in (n, *shape) samples, or a list of n arrays where the input is ragged.

        Raises:
            ValueError: shape or type differs from those before; sources must see to it.
        """
        if self._spec.is_ragged:
            self._add_ragged(values)
            return
        if not len(values):
            return
        self._check(values.dtype, values.shape[1:])
        step = max(1, self._shard_bytes // max(1, values[0].nbytes))
        start = 0
        while start < len(values):
            block = values[start : start + step - self._open_rows]
            self._write(np.ascontiguousarray(block), len(block))
            start += len(block)
            if self._open_rows == step:
                self._close()

    def _add_ragged(self, samples: list[Array]) -> None:
        offsets = []
        for sample in samples:
            self._check(sample.dtype, (0,) * sample.ndim)
            offsets.append(self._open_values)
            self._write(np.ascontiguousarray(sample), 1)
            if self._open_values * sample.itemsize >= self._shard_bytes:
                self._close()
        shapes = np.array([sample.shape for sample in samples], np.int64)
        for name, values in (("shapes", shapes.ravel()), ("offsets", np.array(offsets, np.int64))):
            if name not in self._drafts:
                self._drafts[name] = ValueFile(self._folder / f"{self._stem}-{name}.draft")
            self._drafts[name].add(values)

    @property
    def _stem(self) -> str:
        return f"input-{_file_name(self._spec.name)}"

    def _check(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        if self._shape is None:
            self._shape, self._dtype = shape, dtype
        if dtype != self._dtype or shape != self._shape:
            raise ValueError(
                f"{self._spec.name}: {dtype} {shape} after {self._dtype} {self._shape}"
            )

    def _write(self, block: Array, rows: int) -> None:
        if self._open is None:
            name = f"{self._stem}-{len(self._files):05d}.npy"
            self._files.append(name)
            self._open = (self._folder / name).open("wb")
            self._open.write(b" " * HEADER)
        self._open.write(block.data if block.size else b"")
        self._open_rows += rows
        self._open_values += block.size

    def _close(self) -> None:
        """Write the header of the open shard, now that its length is known."""
        assert self._open is not None
        assert self._dtype is not None
        fixed = (self._open_rows, *(self._shape or ()))
        shape = (self._open_values,) if self._spec.is_ragged else fixed
        self._open.seek(0)
        self._open.write(_header(self._dtype, shape))
        self._open.close()
        self._rows.append(self._open_rows)
        self._open, self._open_rows, self._open_values = None, 0, 0

    def close(self) -> None:
        """Close the open shard, and remove drafts; they are no use any more."""
        if self._open is not None:
            self._open.close()
        for draft in self._drafts.values():
            draft.close()

    def finish(self) -> StoredInput:
        """Write the remaining samples and return the input's entry of dataset.json."""
        if self._open is not None:
            self._close()
        axes = len(self._shape or ())
        shape, files = list(self._shape or ()), dict[str, str]()
        if self._spec.is_ragged:
            found = {name: draft.finish() for name, draft in self._drafts.items()}
            shapes = found["shapes"].reshape(-1, axes)
            shape = shapes.max(axis=0).tolist()
            for key, values in (("shapes", shapes), ("offsets", found["offsets"])):
                name = f"{self._stem}-{key}.npy"
                files[key] = name
                np.save(self._folder / name, values)
            self.close()
        return StoredInput(
            name=self._spec.name,
            layout="ragged" if self._spec.is_ragged else "fixed",
            shape=shape,
            dtype=str(self._dtype),
            shards=self._files,
            rows=self._rows,
            shapes=files.get("shapes"),
            offsets=files.get("offsets"),
        )


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the beginning of a .npy file of format 1.0, HEADER bytes long whatever the shape."""
    said = repr({"descr": dtype.str, "fortran_order": False, "shape": shape}).encode()
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER - 10)
    return start + said.ljust(HEADER - 11) + b"\n"


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
        """Copy the samples of one shard into their rows, at the beginning of each axis."""
        assert self.shapes is not None
        assert self.offsets is not None
        values = self.mapped(shard)
        for place, position in zip(places, positions, strict=True):
            shape, start = self.shapes[position], self.offsets[position]
            sample = values[start : start + shape.prod()].reshape(shape)
            found[(place, *(slice(0, length) for length in shape))] = sample


def open_shards(folder: Path, entry: StoredInput) -> Shards:
    """Open the shards that an input's entry in dataset.json names."""

    def mapped(shard: int) -> Array:
        return np.load(folder / entry.shards[shard], mmap_mode="r").view(np.ndarray)

    starts = np.concatenate([[0], np.cumsum(entry.rows)]).astype(np.int64)
    shapes = offsets = None
    if entry.shapes is not None and entry.offsets is not None:
        shapes = np.load(folder / entry.shapes, mmap_mode="r").view(np.ndarray)
        offsets = np.load(folder / entry.offsets, mmap_mode="r").view(np.ndarray)
    return Shards(
        lru_cache(maxsize=OPEN_SHARDS)(mapped),
        starts,
        tuple(entry.shape),
        np.dtype(entry.dtype),
        shapes,
        offsets,
    )
