"""Measure every file against the reference.

Reads dataset, reference, files; writes parity.json, golden.npz (raw inputs and every file's
outputs), figures.npz (arrays of the charts), predictions.npz (of every file for all samples). It
decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.artifacts import (
    WORK,
    Inputs,
    Metrics,
    write_arrays,
)
from pipeline.config.schema import Config
from pipeline.device.golden import LABELS
from pipeline.device.measure import run_file
from pipeline.documents.files import FileEntry, Files
from pipeline.documents.parity import (
    BaselineDrop,
    DeviceCode,
    FileResult,
    Groups,
    LayerNoise,
    Parity,
    RangeMetrics,
    ReferenceResult,
    Streaming,
)
from pipeline.documents.preprocess import AudioEntry, Preprocess
from pipeline.documents.recipe import FileRecipe
from pipeline.documents.selective import Abstention
from pipeline.documents.stages import Skipped
from pipeline.models.predict import predict
from pipeline.models.save import load_keras
from pipeline.ondevice.outputs import golden_name
from pipeline.ondevice.predict import mask_detector_inputs
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.seeds import fold_seed
from pipeline.terminal import show_progress
from pipeline.verify import streaming
from pipeline.verify.abstain import fit_abstention
from pipeline.verify.chart_arrays import chart_arrays, predictions
from pipeline.verify.decision import measure_decision
from pipeline.verify.device_code import measure_device_code
from pipeline.verify.encoder import measure_encoder
from pipeline.verify.groups import measure_groups
from pipeline.verify.held import REFERENCE, Held, held_out
from pipeline.verify.parity import compare, compare_baselines
from pipeline.verify.preprocessing import compare_preprocessing
from pipeline.verify.ranges import measure_ranges
from pipeline.verify.rules import with_rules
from pipeline.verify.runtimes import compare_runtimes, run_everywhere
from pipeline.verify.sanitize import measure_sanitizing
from pipeline.verify.trivial import missing_classes, score_trivial, skill_interval
from pipeline.worker.client import request

GOLDEN = 16  # samples that travel with the bundle
LAYER_SAMPLES = 32  # the order of the layers by noise does not change beyond
INTEGER = ("int8", "int16x8")


@dataclass
class _Measured:
    """The measurements so far, by file or by format."""

    golden: dict[str, Array]
    """Contents of golden.npz."""
    files: dict[str, FileResult] = field(default_factory=dict)
    layers: dict[str, tuple[LayerNoise, ...]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """File -> time of a sample on the first runtime; no hash covers it."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was left out -> why."""
    raw_outputs: dict[str, Arrays] = field(default_factory=dict)
    """Format -> outputs by name, as the file gives them."""
    outputs: dict[str, Arrays] = field(default_factory=dict)
    """Format -> outputs by name, in the target's unit."""


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Load and invoke every file on every runtime, and compare it with the reference."""
    held = held_out(config, inputs)
    files = Files.read(inputs["files"] / "files.json")
    found = _Measured(_golden_inputs(held))
    for entry in show_progress(files.files, "files", "measuring"):
        _measure_file(config, held, inputs["files"] / entry.file, entry, out / WORK, found)
    sanitized = measure_sanitizing(
        config.verify.detector, held, inputs["files"], outputs=found.outputs
    )
    every = {"reference": held.reference, **found.outputs}
    abstain = _abstaining(config, held, inputs, found.outputs)
    rules = with_rules(held.dataset.preprocess, abstain, sanitized.document)
    document = Parity(
        split=config.verify.split,
        samples=len(held.positions),
        metric=held.task.metric,
        direction=held.task.direction,
        reference=ReferenceResult(metrics=held.metrics(held.reference)),
        trivial=score_trivial(held),
        test_readings=int(config.verify.split == "test"),
        files=found.files,
        layers=found.layers,
        preprocessing=compare_preprocessing(held.raw, held.dataset.preprocess),
        groups=_groups(held, every),
        streaming=_streaming(held, inputs, files),
        ranges=_ranges(held, every),
        baseline=_against_baseline(config, inputs, held, found.outputs[files.ships]),
        encoder=measure_encoder(held, inputs, files.encoder, seed=config.seed),
        abstain=abstain,
        sanitize=sanitized.document,
        device_code=_device_code(config, held, inputs, rules, found, out / WORK),
        decision=measure_decision(held, every),
        skipped=tuple(Skipped(item=item, reason=why) for item, why in found.skipped.items()),
    )
    document.write(out / "parity.json")
    write_arrays(out / "golden.npz", found.golden | sanitized.golden(GOLDEN))
    write_arrays(out / "figures.npz", chart_arrays(held, found.outputs, files.ships))
    write_arrays(out / "predictions.npz", predictions(held, found.outputs))
    return _metrics(document, found)


def _measure_file(
    config: Config, held: Held, path: Path, entry: FileEntry, work: Path, found: _Measured
) -> None:
    """Run one file on every runtime, and add the measurements to `found`."""
    form, seed = entry.format, fold_seed(config.seed, "bootstrap")
    results = run_everywhere(
        path, form, held, runtimes=config.verify.runtimes, skipped=found.skipped
    )
    first = next(iter(results.values()))
    found.outputs[form] = first.outputs
    found.raw_outputs[form] = first.raw_outputs
    found.seconds[path.name] = first.seconds / len(held.positions)
    found.golden |= _golden(form, first.raw_outputs)
    if form in INTEGER:
        found.layers[path.name] = _layers(path, held, work, entry.recipe)
    found.files[path.name] = FileResult(
        format=form,
        metrics=held.metrics(first.outputs),
        parity=compare(
            held.task,
            held.targets,
            held.reference,
            other=first.outputs,
            class_names=held.dataset.class_names,
            layers=found.layers.get(path.name, ()),
            seed=seed,
        ),
        skill=held.task.skill(held.targets, first.outputs),
        skill_ci95=skill_interval(held.task, held.targets, first.outputs, seed=seed),
        missing_classes=missing_classes(
            held.dataset.class_names, held.targets, held.task.decisions(first.outputs)
        ),
        runtimes=compare_runtimes(held.task, held.targets, held.reference, results=results),
    )


def _metrics(document: Parity, found: _Measured) -> Metrics:
    """Return the closing line: the task's metric of the reference and of every file."""
    rows = {"reference": document.reference.metrics}
    rows |= {row.format: row.metrics for row in document.files.values()}
    shown = {name: (metrics[document.metric], "") for name, metrics in rows.items()}
    return Metrics(shown, found.skipped, found.seconds)


def _groups(held: Held, outputs: dict[str, Arrays]) -> Groups | None:
    """Return the metrics per group of the column to report by; None: there is none."""
    report = held.dataset.meta.report_groups
    if held.groups is None or report is None:
        return None
    values = measure_groups(
        held.task, held.targets, held.groups, outputs=outputs, recordings=held.recordings
    )
    return Groups(column=report.name, values=values)


def _ranges(held: Held, outputs: dict[str, Arrays]) -> dict[str, RangeMetrics] | None:
    """Return the metrics of anomalies as spans of time; None: samples have no time."""
    if held.dataset.preprocess.anomaly is None:
        return None
    times, groups = held.dataset.times, held.dataset.groups
    if times is None:
        return None
    own = None if groups is None else groups[held.positions]
    moments = times[held.positions, 1]
    return {
        form: measure_ranges(held.labels, held.task.decisions(found) == 1, own, times=moments)
        for form, found in outputs.items()
    }


def _streaming(held: Held, inputs: Inputs, files: Files) -> Streaming | None:
    """Return the shipped model's metrics on a stream; None: the classes are no keywords."""
    entry, names = held.dataset.preprocess.inputs[0], held.dataset.class_names
    if names is None or not streaming.is_spotting(entry.kind, names):
        return None
    assert isinstance(entry, AudioEntry)  # of keywords
    shipped = files.shipped_entry
    windows = streaming.stream(held.raw[entry.name][: streaming.MOST])
    path = inputs["files"] / shipped.file
    outputs = only(run_file(path, held.dataset.preprocess, {entry.name: windows}).outputs)
    seconds = entry.samples / entry.sample_rate
    labels = held.labels[: streaming.MOST]
    return streaming.measure_stream(shipped.file, outputs, labels, names=names, seconds=seconds)


def _against_baseline(
    config: Config, inputs: Inputs, held: Held, shipped: Arrays
) -> dict[str, BaselineDrop] | None:
    """Return how much worse each classical model is than the shipped file; None: no baseline."""
    if "baseline" not in inputs:
        return None
    with np.load(inputs["baseline"] / "outputs.npz") as arrays:
        found = {model: dict.fromkeys(shipped, arrays[model]) for model in arrays.files}
    seed = fold_seed(config.seed, "bootstrap")
    return compare_baselines(held.task, held.targets, shipped, outputs=found, seed=seed)


def _abstaining(
    config: Config, held: Held, inputs: Inputs, outputs: dict[str, Arrays]
) -> Abstention | None:
    """Return when each model abstains, by validation; None: it never does."""
    if config.verify.abstain is None:
        return None
    dataset, positions = held.dataset, held.dataset.split("validation")
    raw, known = dataset.read(positions), {}
    for form in outputs:
        file = inputs["files"] / f"model_{form}.tflite"
        known[form] = only(run_file(file, dataset.preprocess, raw).outputs)
    reference = load_keras(inputs["reference"] / REFERENCE)
    known["reference"] = only(predict(reference, dataset, positions))
    answers = {name: only(own) for name, own in ({"reference": held.reference} | outputs).items()}
    labels = np.asarray(dataset.labels[positions])
    return fit_abstention(config.verify.abstain, (labels, known), (held.labels, answers))


def _device_code(
    config: Config,
    held: Held,
    inputs: Inputs,
    preprocess: Preprocess,
    found: _Measured,
    work: Path,
) -> DeviceCode | None:
    """Return how the C library of the shipped file compares; None: it was not compared."""
    entry = Files.read(inputs["files"] / "files.json").shipped_entry
    return measure_device_code(
        config.name,
        held,
        inputs["files"] / entry.file,
        preprocess=preprocess,
        entry=entry,
        raw_outputs=next(iter(found.raw_outputs[entry.format].values())),
        work=work / "device_code",
        skipped=found.skipped,
    )


def _golden_inputs(held: Held) -> dict[str, Array]:
    """Return the first samples of the split, raw, with the reference's outputs."""
    return {
        **{f"input_{name}": values[:GOLDEN] for name, values in held.raw.items()},
        "ids": held.dataset.ids[held.positions[:GOLDEN]],
        **_golden_labels(held.dataset.class_names),
        **_golden("reference", held.reference),
    }


def _golden_labels(names: Sequence[str] | None) -> dict[str, Array]:
    """Return the names of the classes (K,) in the order of the outputs; empty: there are none."""
    return {} if names is None else {LABELS: np.array(names, np.str_)}


def _golden(form: str, outputs: Arrays) -> dict[str, Array]:
    """Return the outputs of the first samples, under their names in golden.npz."""
    return {golden_name(form, name, outputs): values[:GOLDEN] for name, values in outputs.items()}


def _layers(path: Path, held: Held, work: Path, recipe: FileRecipe) -> tuple[LayerNoise, ...]:
    """Return the noise of each layer of an integer file, where the float32 file is there too."""
    float32 = path.with_name("model_float32.tflite")
    if not float32.exists():
        return ()
    work.mkdir(exist_ok=True)
    some = {name: values[:LAYER_SAMPLES] for name, values in held.raw.items()}
    samples = prepare_inputs(some, held.dataset.preprocess)
    write_arrays(
        work / "samples.npz", mask_detector_inputs(samples, held.dataset.preprocess.anomaly)
    )
    files = {"float32": str(float32), "file": str(path), "samples": str(work / "samples.npz")}
    asked: dict[str, Any] = {**files, "is_equalized": recipe.correct}
    return tuple(LayerNoise(**row) for row in request("layer_errors", **asked))
