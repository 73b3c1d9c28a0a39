"""A prepared dataset: raw-dtype arrays in memory-mapped shards, read by position in any order.

Anything that can be recomputed (scaling, augmentation) is done when a batch is read, so a set is
stored once, in the type in which it came. Files are those of the kind `dataset`; see shards.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import read_json

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Dataset:
    """An open dataset; arrays are mapped, not loaded."""

    folder: Path
    meta: dict[str, Any]
    preprocess: dict[str, Any]
    labels: Array
    """Class ids (N,) int64, or targets (N,) float32 in their own unit."""
    ids: Array
    """Names of the samples (N,), fixed-width bytes."""

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Name, layout, shape, dtype and shards of each input."""
        return list(self.meta["inputs"])

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes by id; None for a regression."""
        names = self.meta["labels"]["names"]
        return None if names is None else tuple(names)

    @cached_property
    def _splits(self) -> dict[str, Array]:
        with np.load(self.folder / "splits.npz") as splits:
            return {name: splits[name] for name in splits.files}

    def split(self, name: str) -> Array:
        """Return the positions (n,) int64 of train, validation, test or calibration."""
        return self._splits[name]

    @cached_property
    def _shards(self) -> dict[str, "Shards"]:
        return {entry["name"]: open_shards(self.folder, entry) for entry in self.inputs}

    def read(self, positions: Array) -> dict[str, Array]:
        """Return name -> raw values (len(positions), *shape), in the order of `positions`.

        Ragged inputs are padded with zeros to the longest sample of the set.
        """
        return {name: shards.take(positions) for name, shards in self._shards.items()}


@dataclass(frozen=True)
class Shards:
    """The mapped shards of one input."""

    values: Sequence[Array]
    offsets: Sequence[Array] | None
    """Where each sample starts, one more than there are samples; None where all have one shape."""
    starts: Array
    """Position of the first sample of each shard, and the number of samples at the end."""
    shape: tuple[int, ...]

    def take(self, positions: Array) -> Array:
        """Return the samples at `positions`, in that order."""
        if self.offsets is None and len(self.values) == 1:
            return np.take(self.values[0], positions, axis=0)
        found = np.zeros((len(positions), *self.shape), self.values[0].dtype)
        shard_of = np.searchsorted(self.starts, positions, side="right") - 1
        for shard in np.unique(shard_of):
            places = np.flatnonzero(shard_of == shard)
            local = positions[places] - self.starts[shard]
            if self.offsets is None:
                found[places] = np.take(self.values[shard], local, axis=0)
            else:
                offsets = self.offsets[shard]
                for place, i in zip(places, local, strict=True):
                    sample = self.values[shard][offsets[i] : offsets[i + 1]]
                    found[place, : len(sample)] = sample
        return found


def open_shards(folder: Path, entry: dict[str, Any]) -> Shards:
    """Map the shard files that an input of dataset.json names."""
    values = [np.load(folder / name, mmap_mode="r").view(np.ndarray) for name in entry["shards"]]
    offsets = None
    if entry["layout"] == "ragged":
        offsets = [
            np.load(folder / name.replace(".npy", "_offsets.npy")) for name in entry["shards"]
        ]
    counts = [len(o) - 1 for o in offsets] if offsets is not None else [len(v) for v in values]
    return Shards(values, offsets, np.concatenate([[0], np.cumsum(counts)]), tuple(entry["shape"]))


def open_dataset(folder: Path) -> Dataset:
    """Open the dataset that the `data` stage wrote into `folder`."""
    meta = read_json(folder / "dataset.json")
    return Dataset(
        folder,
        meta,
        read_json(folder / "preprocess.json"),
        np.load(folder / meta["labels"]["file"], mmap_mode="r").view(np.ndarray),
        np.load(folder / meta["ids"], mmap_mode="r").view(np.ndarray),
    )
