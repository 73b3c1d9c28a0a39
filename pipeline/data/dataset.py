"""A prepared dataset: raw values in mapped shards, read by position in any order.

What can be computed from them (scaling, augmentation) is done when a batch is used, so a set is
stored once, in the type in which it came. `stage.py` writes the files; shards.py has their form.
"""

import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import LARGE, take_rows
from pipeline.data.recordings import recordings_of
from pipeline.data.shards import Shards, open_shards
from pipeline.documents.dataset import DatasetDocument, StoredInput
from pipeline.documents.decision import Decision
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.threshold import Threshold
from pipeline.tasks import TASKS

THRESHOLD = "threshold.json"  # beside model.keras: where two classes are told apart
DECISION = "decision.json"  # beside model.keras: a detector's score and threshold
ZIP_LENGTHS = 26  # where a file's header in a .zip has the lengths of its name and its extras
PARTS = ("train", "validation", "test")  # disjoint; together, all samples


@dataclass(frozen=True)
class Dataset:
    """An open dataset; values are mapped, not loaded."""

    folder: Path
    meta: DatasetDocument
    """Contents of dataset.json."""
    preprocess: Preprocess
    """Contents of preprocess.json."""
    labels: Array
    """Class ids (N,) int64, or targets (N,) float32 in their own unit."""
    ids: Array
    """Names of the samples (N,), str."""
    splits: Mapping[str, Array]
    shards: Mapping[str, Shards]

    @property
    def inputs(self) -> list[StoredInput]:
        """Name, layout, shape, dtype and shards of each input."""
        return self.meta.inputs

    @property
    def sample_bytes(self) -> int:
        """Bytes of one raw sample, over all inputs."""
        return sum(
            int(np.prod(entry.shape)) * np.dtype(entry.dtype).itemsize for entry in self.inputs
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes by id; None for a regression."""
        names = self.meta.labels.names
        return None if names is None else tuple(names)

    @property
    def report_groups(self) -> Array | None:
        """Value of the column to report by (N,), str; None where there is none."""
        report = self.meta.report_groups
        return None if report is None else np.load(self.folder / report.file)

    @property
    def groups(self) -> Array | None:
        """Name of each sample's group (N,), str; None where there is none."""
        name = self.meta.groups
        return None if name is None else np.load(self.folder / name, mmap_mode="r").view(np.ndarray)

    @property
    def recordings(self) -> Array | None:
        """Name of the recording of which each sample is a window (N,), str; None: it is none."""
        return recordings_of(self.ids) if self.meta.windows else None

    @property
    def times(self) -> Array | None:
        """First and last moment of each sample (N, 2), in seconds; None where they are unknown."""
        name = self.meta.timestamps
        return None if name is None else np.load(self.folder / name, mmap_mode="r").view(np.ndarray)

    def split(self, name: str) -> Array:
        """Return the positions (n,) of train, validation, test or calibration.

        They are in random order, the same every time: the first k are a fair sample of the part.
        """
        return self.splits[name]

    def targets(self, positions: Array) -> dict[str, Array]:
        """Return what n samples should be predicted as: name -> (n, ...)."""
        return self.name_targets(take_rows(self.labels, positions))

    def name_targets(self, labels: Array) -> dict[str, Array]:
        """Return labels (n,) as named targets, where the task has one: name -> (n,)."""
        (target,) = TASKS[self.meta.task].targets
        return {target.name: labels}

    def read(self, positions: Array) -> dict[str, Array]:
        """Return name -> raw values (len(positions), *shape), in the order of `positions`.

        Ragged inputs are padded with zeros to the largest shape in the set.
        """
        return {name: shards.take(positions) for name, shards in self.shards.items()}


def with_decision_of(dataset: Dataset, reference: Path) -> Dataset:
    """Return the dataset with the decision rule that training fitted, where there is one.

    Args:
        dataset: as the `data` stage wrote it.
        reference: folder of the trained model.
    """
    if (reference / DECISION).exists():
        return with_decision(dataset, Decision.read(reference / DECISION))
    if (reference / THRESHOLD).exists():
        found = {"decision": Threshold.read(reference / THRESHOLD)}
        return replace(dataset, preprocess=dataset.preprocess.model_copy(update=found))
    return dataset


def with_decision(dataset: Dataset, decision: Decision) -> Dataset:
    """Return the dataset of a detector that decides so."""
    preprocess = dataset.preprocess.model_copy(update={"anomaly": decision})
    return replace(dataset, preprocess=preprocess)


def open_dataset(folder: Path) -> Dataset:
    """Open the dataset that the `data` stage wrote into `folder`."""
    meta = DatasetDocument.read(folder / "dataset.json")
    return Dataset(
        folder,
        meta,
        Preprocess.read(folder / "preprocess.json"),
        np.load(folder / meta.labels.file, mmap_mode="r").view(np.ndarray),
        np.load(folder / meta.ids, mmap_mode="r").view(np.ndarray),
        _splits(folder / "splits.npz"),
        {entry.name: open_shards(folder, entry) for entry in meta.inputs},
    )


def _splits(path: Path) -> dict[str, Array]:
    """Return the positions of each part; they are mapped, for .npz files of ours are not packed."""
    found = {}
    with zipfile.ZipFile(path) as splits, path.open("rb") as file:
        for entry in splits.infolist():
            file.seek(entry.header_offset + ZIP_LENGTHS)
            file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
            np.lib.format.read_magic(file)
            (count,), _, dtype = np.lib.format.read_array_header_1_0(file)
            if count * dtype.itemsize < LARGE:
                values = np.frombuffer(file.read(count * dtype.itemsize), dtype)
            else:
                values = np.memmap(path, dtype, "r", file.tell(), (count,)).view(np.ndarray)
            found[entry.filename.removesuffix(".npy")] = values
    return found


def changes_since_opened(dataset: Dataset) -> tuple[Preprocess, dict[str, Any]]:
    """Return the preprocessing, and what else was replaced since a dataset was opened."""
    stored = open_dataset(dataset.folder)
    changed: dict[str, Any] = {}
    if not np.array_equal(dataset.labels, stored.labels):
        changed["labels"] = np.asarray(dataset.labels)
    changed["splits"] = {
        name: positions
        for name, positions in dataset.splits.items()
        if not np.array_equal(positions, stored.splits.get(name, ()))
    }
    return dataset.preprocess, changed


def reopen_dataset(folder: Path, preprocess: Preprocess, changed: Mapping[str, Any]) -> Dataset:
    """Open a dataset that another process had open, with what it had `replaced`."""
    stored = open_dataset(folder)
    labels = changed.get("labels", stored.labels)
    splits = {**stored.splits, **changed["splits"]}
    return replace(stored, preprocess=preprocess, labels=labels, splits=splits)
