"""Prepare the data. Reads the config's source; writes the dataset: shards, labels, ids, splits,
preprocess.json, dataset.json, figures.npz.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, Inputs, Metrics, write_json
from pipeline.config.schema import Config
from pipeline.data import findings, preprocess
from pipeline.data.dataset import open_shards
from pipeline.data.shards import ShardWriter, Written
from pipeline.data.sources import Source, open_source
from pipeline.data.split import calibration, split
from pipeline.errors import ConfigError
from pipeline.seeds import fold_seed

SHOWN = 16  # samples in the report
PARTS = ("train", "validation", "test")


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Read every sample once, cut the set into parts, and fit the preprocessing on train."""
    source = open_source(config.data.source, inputs.base)
    _check_task(config.task, source)
    writer = ShardWriter(out, dict.fromkeys(source.inputs, False))
    for chunk in source.chunks():
        _refuse_missing(chunk)
        writer.add(chunk)
    written = writer.finish()
    parts = _parts(config, source, written)
    scaling, constant = _fit(source, written, parts["train"], out)
    target = (
        preprocess.fit_target(written.labels[parts["train"]])
        if source.class_names is None
        else None
    )
    write_json(
        out / "preprocess.json",
        preprocess.document(config.task, source.class_names, scaling, target),
    )
    np.savez(out / "splits.npz", **parts)
    looked = findings.look(written.labels, parts, written.digests, source.class_names)
    write_json(
        out / "dataset.json",
        _meta(config.task, source, written, parts, source.findings + looked + constant),
    )
    _figures(out, source, written, parts)
    return Metrics({name: (len(parts[name]), "samples") for name in PARTS})


def _check_task(task: str, source: Source) -> None:
    has_classes = source.class_names is not None
    if has_classes != (task == "classification"):
        kind = "classes" if has_classes else "numbers"
        raise ConfigError(f"task: {task} was asked for, but the labels of this source are {kind}")


def _refuse_missing(chunk: Any) -> None:
    for name, values in chunk.inputs.items():
        values = np.asarray(values)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0])
            raise ConfigError(f"data.source: sample {chunk.ids[row]}: {name} holds NaN or infinity")


def _parts(config: Config, source: Source, written: Written) -> dict[str, Any]:
    """Return the positions of train, validation, test and calibration."""
    settings, is_classes = config.data.split, source.class_names is not None
    parts = split(
        written.labels,
        written.parts,
        by=settings.by,
        test=settings.test,
        validation=settings.validation,
        is_classes=is_classes,
        seed=fold_seed(config.seed, "split"),
    )
    parts["calibration"] = calibration(
        parts["train"],
        written.labels,
        samples=config.data.calibration_samples,
        is_classes=is_classes,
        seed=fold_seed(config.seed, "calibration"),
    )
    return parts


def _fit(
    source: Source, written: Written, train: Any, out: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the preprocessing of each input, and the findings made while fitting it."""
    scaling, found = [], []
    for entry in written.inputs:
        name = entry["name"]
        if source.inputs[name] == "image":
            scaling.append(preprocess.fit_image(name, tuple(entry["shape"]), entry["dtype"]))
            continue
        columns = source.columns[name]
        if len(columns) != entry["shape"][-1]:
            columns = [f"{name}_{i}" for i in range(entry["shape"][-1])]
        shards = open_shards(out, entry)
        fitted = preprocess.fit_table(name, shards, train, columns, entry["dtype"])
        rows = shards.take(train)
        found += findings.constant_columns(fitted, (rows == rows[:1]).all(axis=0).ravel())
        scaling.append(fitted)
    return scaling, found


def _meta(
    task: str, source: Source, written: Written, parts: dict[str, Any], found: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the contents of dataset.json."""
    return {
        "schema": SCHEMA,
        "task": task,
        "samples": len(written.labels),
        "inputs": written.inputs,
        "labels": {"file": "labels.npy", "names": source.class_names and list(source.class_names)},
        "ids": "ids.npy",
        "groups": None if written.groups is None else "groups.npy",
        "timestamps": None,
        "splits": {name: len(part) for name, part in parts.items()},
        "fingerprint": written.fingerprint,
        "findings": found,
    }


def _figures(out: Path, source: Source, written: Written, parts: dict[str, Any]) -> None:
    """Write what the report shows: a few training samples, and how many of each class are where."""
    entry = written.inputs[0]
    shown = parts["train"][np.linspace(0, len(parts["train"]) - 1, SHOWN).astype(int)]
    figures = {"sample_labels": written.labels[shown]}
    if source.inputs[entry["name"]] == "image":
        figures["samples"] = open_shards(out, entry).take(shown)
    if source.class_names is not None:
        classes = len(source.class_names)
        figures["class_counts"] = np.stack(
            [np.bincount(written.labels[parts[p]], minlength=classes) for p in PARTS]
        )
    np.savez(out / "figures.npz", **figures)
