"""Write down all that a source hands over, once and in order, in bounded memory."""

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.findings import constant_images
from pipeline.data.samples import Array, Chunk, Finding, Source
from pipeline.data.shards import ShardWriter, sample_digests
from pipeline.errors import ConfigError

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0  # between two lines of progress


@dataclass(frozen=True)
class Stored:
    """What lies on disk now (shards, ids.npy), and what came with it."""

    inputs: list[dict[str, Any]]
    """Entries of dataset.json."""
    labels: Array
    """As the source gave them (N,)."""
    ids: Array
    parts: Array
    """Part of each sample as str (N,), empty where the source does not say."""
    groups: Array | None
    """Name of each sample's group (N,); None where the source has none."""
    times: Array | None
    """First and last moment of each sample (N, 2) in seconds; None where they are not known."""
    report: Array | None
    """Value of the column to report by (N,); None where there is none."""
    digests: Array
    """A hash of each sample's values (N,) uint64, to find copies."""
    fingerprint: str
    """sha256 over inputs, labels and ids of all samples, in order."""
    findings: list[Finding]


@dataclass
class _Seen:
    """What is collected of every sample besides its values."""

    labels: list[Array] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    times: list[Array] = field(default_factory=list)
    report: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def store(source: Source, folder: Path) -> Stored:
    """Read a source to its end and write shards and ids into a folder.

    Raises:
        ConfigError: there is no sample, one holds NaN or infinity, or one comes twice.
    """
    writers = {spec.name: ShardWriter(folder, spec) for spec in source.inputs}
    images = [spec.name for spec in source.inputs if spec.kind == "image"]
    seen, logged = _Seen(), time.monotonic()
    for chunk in source.chunks():
        seen.findings += chunk.findings
        if not len(chunk.ids):
            continue
        _refuse_not_finite(chunk, source)
        for name, writer in writers.items():
            writer.add(chunk.inputs[name])
        _note(seen, chunk, images)
        if time.monotonic() - logged > LOG_SECONDS:
            logged = time.monotonic()
            log.info("          %s samples read", f"{len(seen.ids):,}")
    if not seen.ids:
        raise ConfigError("data.source: no sample could be read; " + _why(seen.findings))
    _refuse_twice(seen)
    return _finish(seen, [writer.finish() for writer in writers.values()], folder)


def _note(seen: _Seen, chunk: Chunk, images: list[str]) -> None:
    """Collect labels, ids, parts, groups and digests of a chunk, and its one-coloured images."""
    seen.labels.append(chunk.labels)
    seen.ids += chunk.ids
    seen.parts += [chunk.part or ""] * len(chunk.ids)
    seen.groups += chunk.groups or []
    seen.times += [] if chunk.times is None else [chunk.times]
    seen.report += chunk.report or []
    seen.digests += sample_digests(chunk.inputs)
    for name in images:
        flat = chunk.inputs[name].reshape(len(chunk.ids), -1)
        is_constant = (flat == flat[:, :1]).all(axis=1)
        seen.constant += list(compress(chunk.ids, is_constant))


def _refuse_not_finite(chunk: Chunk, source: Source) -> None:
    may_miss = ("columns", "codes", "series")  # NaN stands for what is not known there
    for spec in source.inputs:
        if spec.kind in may_miss:
            _refuse_infinite(chunk, spec.name)
    for name in [spec.name for spec in source.inputs if spec.kind not in may_miss]:
        values = chunk.inputs[name]
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


def _refuse_twice(seen: _Seen) -> None:
    """Refuse a sample that comes twice: parts that overlap would leak into each other."""
    part_of: dict[str, str] = {}
    for sample_id, part in zip(seen.ids, seen.parts, strict=True):
        if sample_id in part_of:
            raise ConfigError(
                f"data.source: sample {sample_id} is in {part_of[sample_id]} and in {part}; "
                "wanted parts "
                "that share nothing, such as train: train[:90%] and validation: train[90%:]"
            )
        part_of[sample_id] = part


def _why(found: list[Finding]) -> str:
    return " ".join(finding.text for finding in found) or "wanted one at least"


def _finish(seen: _Seen, inputs: list[dict[str, Any]], folder: Path) -> Stored:
    """Write ids, and return what was collected."""
    labels, ids = np.concatenate(seen.labels), np.array(seen.ids)
    np.save(folder / "ids.npy", ids)
    described = [
        {key: entry[key] for key in ("name", "shape", "dtype", "layout")} for entry in inputs
    ]
    content = hashlib.sha256(
        json.dumps([described, seen.ids, seen.parts, seen.groups, seen.report]).encode()
    )
    content.update(labels.astype(np.float64).tobytes())
    content.update(b"".join(seen.digests))
    return Stored(
        inputs,
        labels,
        ids,
        np.array(seen.parts),
        np.array(seen.groups) if seen.groups else None,
        np.concatenate(seen.times) if seen.times else None,
        np.array(seen.report) if seen.report else None,
        np.frombuffer(b"".join(seen.digests), np.uint64)[::2].copy(),
        content.hexdigest(),
        [*seen.findings, *constant_images(seen.constant)],
    )
