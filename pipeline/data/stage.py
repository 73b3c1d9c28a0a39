"""Prepare the data.

Reads the config's source; writes the dataset: shards, labels, ids, splits, preprocess.json,
dataset.json, figures.npz.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, Inputs, Metrics, write_arrays, write_json
from pipeline.config.schema import Config
from pipeline.data import findings, preprocess
from pipeline.data.dataset import PARTS
from pipeline.data.figures import figures
from pipeline.data.labels import class_labels, target_labels
from pipeline.data.samples import Array, Finding, Source
from pipeline.data.shards import Shards, open_shards
from pipeline.data.sources import SOURCES
from pipeline.data.split import Parts, calibration, refuse_untrained, split
from pipeline.data.store import Stored, store
from pipeline.seeds import fold_seed


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Read every sample once, cut the set into parts, and fit the preprocessing on train."""
    source = SOURCES[config.data.source.kind](config.data.source, inputs.base)
    stored = store(source, out)
    labels, names = _labels(config.task, source, stored)
    np.save(out / "labels.npy", labels)
    parts = _parts(config, labels, stored, names)
    write_arrays(out / "splits.npz", parts)
    shards = {entry["name"]: open_shards(out, entry) for entry in stored.inputs}
    entries, found = _fit(source, shards, parts["train"])
    target = None if names is not None else preprocess.fit_target(labels[parts["train"]])
    write_json(out / "preprocess.json", preprocess.document(config.task, names, entries, target))
    found = [
        *stored.findings,
        *findings.pooled(stored.parts, config.data.split.by),
        *found,
        *findings.fewer_calibrated(config.data.calibration_samples, len(parts["calibration"])),
        *findings.look(labels, parts, stored.digests, names),
    ]
    write_json(out / "dataset.json", _meta(config.task, stored, names, parts, found))
    images = [shards[spec.name] for spec in source.inputs if spec.kind == "image"]
    write_arrays(out / "figures.npz", figures(images[:1], labels, parts, names))
    counts = {name: (float(len(parts[name])), "samples") for name in PARTS}
    warnings = sum(finding.level == "warning" for finding in found)
    return Metrics(counts | {"warnings": (float(warnings), "")})


def _labels(task: str, source: Source, stored: Stored) -> tuple[Array, tuple[str, ...] | None]:
    """Return the labels as the task wants them, and the names of the classes."""
    if task == "classification":
        return class_labels(source, stored.labels, stored.parts)
    return target_labels(task, source, stored.labels), None


def _parts(config: Config, labels: Array, stored: Stored, names: tuple[str, ...] | None) -> Parts:
    """Return the positions of train, validation, test and calibration."""
    settings, is_classes = config.data.split, names is not None
    parts = split(
        labels,
        stored.parts,
        by=settings.by,
        groups=stored.groups,
        test=settings.test,
        validation=settings.validation,
        is_classes=is_classes,
        seed=fold_seed(config.seed, "split"),
    )
    if names is not None:
        refuse_untrained(labels, parts, names)
    parts["calibration"] = calibration(
        parts["train"],
        labels,
        samples=config.data.calibration_samples,
        is_classes=is_classes,
        seed=fold_seed(config.seed, "calibration"),
    )
    return parts


def _fit(
    source: Source, shards: dict[str, Shards], train: Array
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Return the preprocessing of each input, and what was noticed while fitting it."""
    entries, found = [], []
    for spec in source.inputs:
        own = shards[spec.name]
        if spec.kind == "image":
            entries.append(preprocess.fit_image(spec, own.shape, str(own.dtype)))
            continue
        if spec.kind == "columns":
            entries.append(preprocess.fit_columns(spec, own, train))
            continue
        entry, constant = preprocess.fit_table(spec, own, train)
        entries.append(entry)
        found += findings.constant_columns(constant)
    return entries, found


def _meta(
    task: str, stored: Stored, names: tuple[str, ...] | None, parts: Parts, found: list[Finding]
) -> dict[str, Any]:
    """Return the contents of dataset.json."""
    return {
        "schema": SCHEMA,
        "task": task,
        "samples": len(stored.ids),
        "inputs": stored.inputs,
        "labels": {"file": "labels.npy", "names": None if names is None else list(names)},
        "ids": "ids.npy",
        "groups": None if stored.groups is None else "groups.npy",
        "timestamps": None,
        "splits": {name: len(part) for name, part in parts.items()},
        "fingerprint": stored.fingerprint,
        "findings": [asdict(finding) for finding in found],
    }
