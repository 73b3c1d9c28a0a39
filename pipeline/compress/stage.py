"""Decide how each format is quantized.

Reads dataset, spec, reference; writes model.keras, recipe.json, calibration.npz, ladder.json (the
rungs, and their measurements, kept).
"""

import importlib.metadata
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.artifacts import (
    MANIFEST,
    SCHEMA,
    WORK,
    Inputs,
    Metrics,
    check_files,
    read_json,
    sha256_file,
    sha256_json,
    write_json,
)
from pipeline.compress import ladder
from pipeline.compress.calibration import known_ranges, write_calibration
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.errors import ArtifactError
from pipeline.export.worker import ConversionError

log = logging.getLogger(__name__)

# What makes and runs the rungs' files: with another version they are measured anew.
MAKERS = ("tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer")

Bench = Callable[[str], dict[str, Any]]
Measured = dict[str, dict[str, Any]]


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Climb the ladder on validation data, and write down which rung ships."""
    dataset = open_dataset(inputs["dataset"])
    shutil.copyfile(inputs["reference"] / "model.keras", out / "model.keras")
    calibration = write_calibration(dataset, out / "calibration.npz")
    gates, settings = config.gate.model_dump(), config.compress.quantize
    held = {"key": _key(inputs, dataset, config), "choice": _choice(config)}
    measured = _climb(config, _kept(inputs.previous, held), _bench(inputs, dataset, config, out))
    step = ladder.choose(measured, gates, exhaustive=settings.exhaustive)
    if step is None and measured:
        raise ConversionError("\n".join(found["refused"] for found in measured.values()))
    rungs = ladder.rows(measured, gates, settings.remedies)
    write_json(
        out / "ladder.json", {"schema": SCHEMA, **held, "measured": measured, "rungs": rungs}
    )
    write_json(
        out / "recipe.json",
        _recipe(config, step, measured, calibration, known_ranges(dataset.preprocess)),
    )
    skipped: dict[str, str] = {
        name: why for name, why in ladder.NOT_BUILT.items() if name in settings.remedies
    }
    if step is None:
        return Metrics({}, skipped)
    drop, metric = measured[step]["metric_drop"], measured[step]["metric"]
    return Metrics({"val_metric": (metric, ""), "val_drop": (drop, "")}, skipped)


def _recipe(
    config: Config,
    step: str | None,
    measured: Measured,
    calibration: dict[str, Any],
    input_ranges: dict[str, list[float]],
) -> dict[str, Any]:
    """Return what export is to do; `step` is None where a float format ships."""
    gates = config.gate.model_dump()
    ships = config.export.ships if step is None else ladder.RUNGS[step][0]
    formats = {
        form: ladder.recipe_of(form, step, measured, gates) | {"input_ranges": input_ranges}
        for form in dict.fromkeys((*config.export.formats, ships))
    }
    return {
        "schema": SCHEMA,
        "ships": ships,
        "step": step,
        "calibration": {"method": formats[ships]["clipping"], **calibration},
        "formats": formats,
    }


def _key(inputs: Inputs, dataset: Dataset, config: Config) -> str:
    """Return what the measurements hold for: model, data, border type, and who made the files."""
    return sha256_json(
        {
            "reference": sha256_file(inputs["reference"] / "model.keras"),
            "spec": sha256_file(inputs["spec"] / "spec.json"),
            "dataset": dataset.meta["fingerprint"],
            "splits": sha256_file(dataset.folder / "splits.npz"),
            "preprocess": sha256_file(dataset.folder / "preprocess.json"),
            "rungs": {step: made for step, (_, made, _) in ladder.RUNGS.items()},
            "io": config.export.io,
            "makers": {name: importlib.metadata.version(name) for name in MAKERS},
        }
    )


def _choice(config: Config) -> dict[str, Any]:
    """Return the settings that choose among rungs and change no measurement."""
    return {
        "gates": config.gate.model_dump(mode="json"),
        "quantize": config.compress.quantize.model_dump(mode="json"),
        "export": config.export.model_dump(mode="json"),
    }


def _kept(previous: Path | None, held: dict[str, Any]) -> Measured:
    """Return the measurements of the last run, where they hold and only the choice is another.

    The same choice again means that the stage was forced: then it measures.
    """
    if previous is None or not (previous / "ladder.json").exists():
        return {}
    try:
        described = read_json(previous / MANIFEST)["outputs"]["ladder.json"]
        check_files(previous, {"ladder.json": described}, "Its rungs are measured anew.")
    except ArtifactError as error:
        log.warning("%s", error)
        return {}
    found = read_json(previous / "ladder.json")
    is_sound = found["key"] == held["key"] and found.get("choice") != held["choice"]
    return dict(found["measured"]) if is_sound else {}


def _climb(config: Config, kept: Measured, bench: Bench) -> Measured:
    """Measure rung after rung until one passes, or all of them when exhaustive."""
    gates, settings = config.gate.model_dump(), config.compress.quantize
    measured: Measured = {}
    for step in ladder.steps(settings.remedies, config.export.ships):
        found = kept[step] if step in kept else bench(step)
        measured[step] = found
        if "refused" in found:
            log.warning("          rung %s: %s", step, found["refused"])
        else:
            figures = found["metric_drop"], found["agreement"]
            log.info("          rung %s: drop %.4f, agreement %.4f", step, *figures)
        if ladder.passes(found, gates) and not settings.exhaustive:
            break
    return measured


def _bench(inputs: Inputs, dataset: Dataset, config: Config, out: Path) -> Bench:
    """Return a function that makes and measures a rung; the reference answers once.

    TensorFlow is imported at the first rung that must be measured.
    """
    model = inputs["reference"] / "model.keras"
    answers: list[Any] = []

    def bench(step: str) -> dict[str, Any]:
        from pipeline.compress.measure import measure_rung, reference_answers
        from pipeline.export.make import make_file

        form, made, _ = ladder.RUNGS[step]
        file = out / WORK / f"{step}.tflite"
        try:
            make_file(
                file,
                form,
                recipe=made | {"input_ranges": known_ranges(dataset.preprocess)},
                model=model,
                spec=inputs["spec"] / "spec.json",
                calibration=out / "calibration.npz",
                io=config.export.io,
                work=out / WORK,
            )
        except ConversionError as error:
            return {"refused": str(error)}
        if not answers:
            answers.append(reference_answers(model, dataset))
        return measure_rung(file, form, dataset, answers[0])

    return bench
