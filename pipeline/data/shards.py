"""Write a prepared dataset as samples arrive, one shard in memory at a time.

A chunk is a handful of samples; a sample's values go into fixed arrays, or into ragged ones
(values end to end, and where each sample starts) where lengths differ.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SHARD_BYTES = 64 << 20  # what `data` holds in memory of each input, whatever the size of the set


@dataclass(frozen=True)
class Chunk:
    """A few samples, in the order in which the source gives them."""

    inputs: Mapping[str, Any]
    """Name -> (n, *shape) array, or a list of n arrays of different length."""
    labels: Array
    """Class ids int64 or targets float32 (n,)."""
    ids: Sequence[str]
    part: str | None = None
    """train, validation or test where the source says; None where it does not."""
    groups: Sequence[str] | None = None
    """What must not be torn apart: a speaker, a machine."""


@dataclass(frozen=True)
class Written:
    """What lies on disk, and what was learnt on the way."""

    inputs: list[dict[str, Any]]
    labels: Array
    ids: Array
    parts: Array
    """Part of each sample as bytes (N,); empty where the source does not say."""
    groups: Array | None
    digests: Array
    """A hash of each sample's values (N,) uint64, to find duplicates."""
    fingerprint: str
    """sha256 of all values, labels and ids, in order."""


@dataclass
class ShardWriter:
    """Collects chunks and writes a shard whenever enough has come together."""

    folder: Path
    is_ragged: Mapping[str, bool]
    _held: dict[str, list[Array]] = field(default_factory=dict)
    _held_bytes: int = 0
    _files: dict[str, list[str]] = field(default_factory=dict)
    _shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _dtypes: dict[str, str] = field(default_factory=dict)
    _labels: list[Array] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    _groups: list[str] = field(default_factory=list)
    _digests: list[int] = field(default_factory=list)
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, chunk: Chunk) -> None:
        """Take in a chunk; write a shard when SHARD_BYTES are held."""
        count = len(chunk.ids)
        digests = [hashlib.blake2b(digest_size=8) for _ in range(count)]
        for name, values in chunk.inputs.items():
            samples = list(values)
            for digest, sample in zip(digests, samples, strict=True):
                content = np.ascontiguousarray(sample)
                digest.update(content)
                self._hash.update(content)
                self._held_bytes += content.nbytes
            self._held.setdefault(name, []).extend(samples)
            longest = max((len(s) for s in samples), default=0) if self.is_ragged[name] else 0
            seen = self._shapes.get(name, (0,))
            shape = np.shape(samples[0])
            self._shapes[name] = (
                (max(longest, seen[0]), *shape[1:]) if self.is_ragged[name] else shape
            )
            self._dtypes[name] = str(samples[0].dtype)
        self._digests += [int.from_bytes(digest.digest(), "little") for digest in digests]
        self._labels.append(np.asarray(chunk.labels))
        self._ids += chunk.ids
        self._parts += [chunk.part or ""] * count
        self._groups += chunk.groups or []
        if self._held_bytes >= SHARD_BYTES:
            self._flush()

    def _flush(self) -> None:
        for name, samples in self._held.items():
            files = self._files.setdefault(name, [])
            file = f"input_{name}_{len(files):05d}.npy"
            if self.is_ragged[name]:
                lengths = [len(sample) for sample in samples]
                np.save(self.folder / file, np.concatenate(samples))
                offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
                np.save(self.folder / file.replace(".npy", "_offsets.npy"), offsets)
            else:
                np.save(self.folder / file, np.stack(samples))
            files.append(file)
        self._held, self._held_bytes = {}, 0

    def finish(self) -> Written:
        """Write what is left, the labels and the ids."""
        if self._held_bytes:
            self._flush()
        labels = np.concatenate(self._labels)
        ids = np.array([name.encode() for name in self._ids])
        self._hash.update(np.ascontiguousarray(labels))
        self._hash.update(np.ascontiguousarray(ids))
        np.save(self.folder / "labels.npy", labels)
        np.save(self.folder / "ids.npy", ids)
        groups = np.array([name.encode() for name in self._groups]) if self._groups else None
        if groups is not None:
            np.save(self.folder / "groups.npy", groups)
        inputs = [
            {
                "name": name,
                "layout": "ragged" if self.is_ragged[name] else "fixed",
                "shape": list(self._shapes[name]),
                "dtype": self._dtypes[name],
                "shards": files,
            }
            for name, files in self._files.items()
        ]
        return Written(
            inputs,
            labels,
            ids,
            np.array([part.encode() for part in self._parts]),
            groups,
            np.array(self._digests, np.uint64),
            self._hash.hexdigest(),
        )
