"""Write down all that a source hands over, once and in order, in bounded memory.

Nothing of a sample stays in memory: labels, ids and times are mapped from disk.
"""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.data.findings import constant_images
from pipeline.data.growing_array import StringFile, ValueFile
from pipeline.data.memmap_arrays import distinct, sort_array
from pipeline.data.samples import GIVEN, Chunk, Finding, Source
from pipeline.data.shards import ShardWriter, sample_digests
from pipeline.documents.dataset import StoredInput
from pipeline.errors import ConfigError
from pipeline.samples import KINDS

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0  # between two lines of progress
VALUES = ("parts", "labels", "times", "digests", "names")  # one a sample, of each
KEPT_NAMES = 100  # of one-colored images, whose number is counted on


@dataclass(frozen=True)
class Stored:
    """What lies on disk now (shards, ids.npy, …), and what came with it."""

    inputs: list[StoredInput]
    """Entries of dataset.json."""
    labels: Array
    """As the source gave them (N,)."""
    ids: Array
    """Name of each sample (N,), mapped."""
    parts: Array
    """Code of each sample's part (N,) int8, see GIVEN."""
    groups: Array | None
    """Name of each sample's group (N,), mapped; None where the source has none."""
    times: Array | None
    """First and last moment of each sample (N, 2) in seconds; None where they are not known."""
    report: Array | None
    """Value of the column to report by (N,), mapped; None where there is none."""
    digests: Array
    """A hash of each sample's values (N,) uint64, to find exact duplicates."""
    fingerprint: str
    """sha256 over inputs, labels and ids of all samples, in order."""
    findings: list[Finding]


class _Seen:
    """The arrays with one entry a sample, besides its values."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self.parts, self.labels, self.times, self.digests, self.names = (
            ValueFile(folder / f"{name}.draft") for name in VALUES
        )
        self.ids, self.groups, self.report = (
            StringFile(folder / f"{name}.npy") for name in ("ids", "groups", "report")
        )
        self.content = hashlib.sha256()
        self.constant = _Some()
        self.findings: list[Finding] = []

    def add(self, chunk: Chunk, images: list[str]) -> None:
        """Collect labels, names, parts, groups and digests, and names of one-colored images."""
        self.count += len(chunk.ids)
        self.labels.add(chunk.labels)
        if chunk.times is not None:
            self.times.add(chunk.times.ravel())
        parts = chunk.parts or [chunk.part or ""] * len(chunk.ids)
        self.parts.add(np.array([GIVEN[part] for part in parts], np.int8))
        self.ids.add(chunk.ids)
        self.groups.add(chunk.groups or ())
        self.report.add(chunk.report or ())
        names = [hashlib.blake2b(n.encode(errors="replace"), digest_size=8) for n in chunk.ids]
        self.names.add(np.frombuffer(b"".join(n.digest() for n in names), np.uint64))
        digests = sample_digests(chunk.inputs)
        self.digests.add(np.frombuffer(b"".join(digests), np.uint64)[::2])
        said = [chunk.part, *chunk.ids, *(chunk.groups or ()), *(chunk.report or ())]
        said += chunk.parts or ()
        self.content.update(json.dumps(said).encode())
        self.content.update(chunk.labels.astype(np.float64).tobytes())
        self.content.update(b"".join(digests))
        for name in images:
            flat = chunk.inputs[name].reshape(len(chunk.ids), -1)
            is_constant = (flat == flat[:, :1]).all(axis=1)
            self.constant.add(list(compress(chunk.ids, is_constant)))


@dataclass
class _Some:
    """How many names came, and the first of them."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, names: Sequence[str]) -> None:
        """Take in some names."""
        self.count += len(names)
        self.names += names[: KEPT_NAMES - len(self.names)]


def store(source: Source, folder: Path) -> Stored:
    """Read a source to its end and write shards, names, groups and report into a folder.

    Raises:
        ConfigError: there is no sample, one holds NaN or infinity, or one comes twice.
    """
    writers = {spec.name: ShardWriter(folder, spec) for spec in source.inputs}
    seen = _Seen(folder)
    try:
        _read(source, writers, seen)
        return _finish(seen, [writer.finish() for writer in writers.values()])
    finally:
        for writer in writers.values():
            writer.close()
        for texts in (seen.ids, seen.groups, seen.report):
            texts.close()
        for values in (seen.parts, seen.labels, seen.times, seen.digests, seen.names):
            values.close()


def _read(source: Source, writers: dict[str, ShardWriter], seen: _Seen) -> None:
    """Take in every chunk of a source."""
    images = [spec.name for spec in source.inputs if KINDS[spec.kind].has_fixed_range]
    logged = time.monotonic()
    for chunk in source.chunks():
        seen.findings += chunk.findings
        if not len(chunk.ids):
            continue
        _refuse_not_finite(chunk, source)
        for name, writer in writers.items():
            writer.add(chunk.inputs[name])
        seen.add(chunk, images)
        if time.monotonic() - logged > LOG_SECONDS:
            logged = time.monotonic()
            log.info("          %s samples read", f"{seen.count:,}")
    if not seen.count:
        raise ConfigError("data.source: no sample could be read; " + _why(seen.findings))


def _refuse_not_finite(chunk: Chunk, source: Source) -> None:
    for spec in source.inputs:
        name, values = spec.name, chunk.inputs[spec.name]
        if KINDS[spec.kind].has_unknown:
            _refuse_infinite(chunk, name)
            continue
        for sample_id, sample in zip(chunk.ids, values, strict=True):
            if sample.dtype.kind != "f":
                break
            if not np.isfinite(sample).all():
                count = int((~np.isfinite(sample)).sum())
                raise ConfigError(
                    f"data.source: input {name!r} of sample {sample_id} holds NaN or infinity "
                    f"({count} of {sample.size} values); wanted numbers: repair or leave out such "
                    "samples"
                )


def _refuse_infinite(chunk: Chunk, name: str) -> None:
    rows = np.flatnonzero([bool(np.isinf(sample).any()) for sample in chunk.inputs[name]])
    if len(rows):
        raise ConfigError(
            f"data.source: input {name!r} of sample {chunk.ids[rows[0]]} holds infinity; wanted "
            "numbers, or a marker of missing values"
        )


def _refuse_twice(hashes: Array, ids: Array, parts: Array) -> None:
    """Refuse a sample that comes twice: parts that overlap would leak into each other."""
    if not len(distinct(sort_array(hashes), times=2)):
        return
    order = np.argsort(hashes, kind="stable")
    for place in np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]):
        first, second = sorted(int(i) for i in order[place : place + 2])
        if ids[first] == ids[second]:
            names = {code: name for name, code in GIVEN.items()}
            raise ConfigError(
                f"data.source: sample {ids[first]} is in {names[int(parts[first])]} and in "
                f"{names[int(parts[second])]}; wanted parts that share nothing, such as "
                "train: train[:90%] and validation: train[90%:]"
            )


def _why(found: list[Finding]) -> str:
    return " ".join(finding.text for finding in found) or "wanted one at least"


def _finish(seen: _Seen, inputs: list[StoredInput]) -> Stored:
    """Close the files, and return the collected arrays."""
    ids, groups, report = (text.finish() for text in (seen.ids, seen.groups, seen.report))
    assert ids is not None  # there is a sample
    parts, names, times = seen.parts.finish(), seen.names.finish(), seen.times.finish()
    _refuse_twice(names, ids, parts)
    described = [entry.model_dump(include={"name", "shape", "dtype", "layout"}) for entry in inputs]
    seen.content.update(json.dumps(described).encode())
    return Stored(
        inputs,
        seen.labels.finish(),
        ids,
        parts,
        groups,
        times.reshape(-1, 2) if len(times) else None,
        report,
        seen.digests.finish(),
        seen.content.hexdigest(),
        [*seen.findings, *constant_images(seen.constant.names, seen.constant.count)],
    )
