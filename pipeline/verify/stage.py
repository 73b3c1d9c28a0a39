"""Measure every file against the reference. Reads dataset, reference, files; writes parity.json,
golden.npz (raw inputs and every file's answers), figures.npz. It decides nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, read_json, write_json
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import RunResult, run_file
from pipeline.device.runner import prepare
from pipeline.device.runtimes import RUNTIMES, missing
from pipeline.errors import ArtifactError
from pipeline.export.worker import request
from pipeline.models.predict import in_target_unit, predict
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS
from pipeline.verify.parity import compare, confusion, worst_layer

Array = np.ndarray[Any, np.dtype[Any]]

GOLDEN = 16  # samples that travel with the bundle
LAYER_SAMPLES = 32  # the order of the layers by noise does not change beyond
CHANGED = 16  # samples with another decision that the report shows
INTEGER = ("int8", "int16x8")


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Load and invoke every file on every runtime, and compare it with the reference."""
    dataset = open_dataset(inputs["dataset"])
    files = read_json(inputs["files"] / "files.json")
    positions = dataset.split(config.verify.split)
    labels = np.asarray(dataset.labels[positions])
    raw = dataset.read(positions)
    reference = predict(load_keras(inputs["reference"] / "model.keras"), dataset, positions)
    task, seed = TASKS[config.task], fold_seed(config.seed, "bootstrap")
    skipped: dict[str, str] = {}
    rows, layers = {}, {}
    outputs: dict[str, Array] = {}
    golden = _golden_inputs(dataset, positions, raw, reference)
    for entry in files["files"]:
        path = inputs["files"] / entry["file"]
        results = _run_everywhere(
            path, entry["format"], dataset, raw, config.verify.runtimes, skipped
        )
        first = next(iter(results.values()))
        outputs[entry["format"]] = in_target_unit(first.outputs, dataset.preprocess)
        golden[entry["format"]] = first.raw_outputs[:GOLDEN]
        parity = compare(
            task,
            labels,
            reference,
            outputs[entry["format"]],
            class_names=dataset.class_names,
            seed=seed,
        )
        if entry["format"] in INTEGER:
            layers[entry["file"]] = _layers(
                inputs["files"], entry["file"], dataset, raw, out / WORK
            )
        parity["worst_layer"] = worst_layer(layers.get(entry["file"], []))
        rows[entry["file"]] = {
            "format": entry["format"],
            "metrics": task.metrics(labels, outputs[entry["format"]]),
            "parity": parity,
            "runtimes": _runtimes(results, task, reference, labels, dataset),
        }
    document = {
        "schema": SCHEMA,
        "split": config.verify.split,
        "samples": len(positions),
        "metric": task.metric,
        "direction": task.direction,
        "reference": {"metrics": task.metrics(labels, reference)},
        "files": rows,
        "layers": layers,
        "test_readings": int(config.verify.split == "test"),
        "skipped": [{"item": item, "reason": reason} for item, reason in skipped.items()],
    }
    write_json(out / "parity.json", document)
    np.savez(out / "golden.npz", **golden)
    np.savez(
        out / "figures.npz", **_figures(dataset, labels, reference, outputs, raw, files["ships"])
    )
    shown = {e["format"]: rows[e["file"]]["metrics"][task.metric] for e in files["files"]}
    values = {"reference": document["reference"]["metrics"][task.metric], **shown}
    return Metrics({name: (value, "") for name, value in values.items()}, skipped)


def _golden_inputs(
    dataset: Dataset, positions: Array, raw: dict[str, Array], reference: Array
) -> dict[str, Array]:
    """Return the first samples of the split, raw, with the reference's answers."""
    return {
        **{f"input_{name}": values[:GOLDEN] for name, values in raw.items()},
        "ids": dataset.ids[positions[:GOLDEN]],
        "reference": reference[:GOLDEN],
    }


def _run_everywhere(
    path: Path,
    form: str,
    dataset: Dataset,
    raw: dict[str, Array],
    runtimes: tuple[str, ...],
    skipped: dict[str, str],
) -> dict[str, RunResult]:
    """Return runtime -> what it answered; LiteRT comes first and must run every file."""
    results = {}
    for name in dict.fromkeys(("litert", *runtimes)):
        reason = missing(name) or RUNTIMES[name].refuses.get(form)
        if reason is not None:
            skipped[f"{path.name} on {name}"] = reason
            continue
        try:
            results[name] = run_file(path, dataset.preprocess, raw, runtime=name)
        except ArtifactError as error:
            if name == "litert" or form == "int8":
                raise
            skipped[f"{path.name} on {name}"] = str(error)
    return results


def _runtimes(
    results: dict[str, RunResult], task: Any, reference: Array, labels: Array, dataset: Dataset
) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of each runtime; LSB differences are against the first one."""
    first = next(iter(results.values())).raw_outputs.astype(np.float64)
    rows = {}
    for name, result in results.items():
        answers = task.decisions(in_target_unit(result.outputs, dataset.preprocess))
        same = task.agree(task.decisions(reference), answers, labels)
        is_integer = np.issubdtype(result.raw_outputs.dtype, np.integer)
        difference = float(np.abs(result.raw_outputs.astype(np.float64) - first).max())
        rows[name] = {
            "version": result.version,
            "agreement": float(same.mean()),
            "max_abs_lsb": int(difference) if is_integer else None,
            "arena_bytes": None,
        }
    return rows


def _layers(
    folder: Path, file: str, dataset: Dataset, raw: dict[str, Array], work: Path
) -> list[dict[str, Any]]:
    """Return the noise of each layer of an integer file, where the float32 file is there too."""
    if not (folder / "model_float32.tflite").exists():
        return []
    work.mkdir(exist_ok=True)
    entries = {entry["name"]: entry for entry in dataset.preprocess["inputs"]}
    samples = {name: prepare(values[:LAYER_SAMPLES], entries[name]) for name, values in raw.items()}
    np.savez(work / "samples.npz", **samples)
    return list(
        request(
            "layer_errors",
            float32=str(folder / "model_float32.tflite"),
            file=str(folder / file),
            samples=str(work / "samples.npz"),
        )
    )


def _figures(
    dataset: Dataset,
    labels: Array,
    reference: Array,
    outputs: dict[str, Array],
    raw: dict[str, Array],
    ships: str,
) -> dict[str, Array]:
    """Return what the report draws: confusion matrices, or values; samples whose decision changed."""
    if dataset.class_names is None:
        return {
            "labels": labels,
            "reference": reference[:, 0],
            **{f: o[:, 0] for f, o in outputs.items()},
        }
    figures = {f"confusion_{form}": confusion(labels, found) for form, found in outputs.items()}
    figures["confusion_reference"] = confusion(labels, reference)
    changed = np.flatnonzero(reference.argmax(axis=1) != outputs[ships].argmax(axis=1))[:CHANGED]
    figures["changed_labels"] = labels[changed]
    figures["changed_reference"] = reference[changed].argmax(axis=1)
    figures["changed_file"] = outputs[ships][changed].argmax(axis=1)
    if dataset.preprocess["inputs"][0]["kind"] == "image":
        figures["changed_samples"] = next(iter(raw.values()))[changed]
    return figures
