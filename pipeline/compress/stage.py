"""Decide how each format is quantized. Reads dataset, spec, reference; writes model.keras,
recipe.json, calibration.npz, ladder.json (the rungs' measurements, kept).
"""

import logging
import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts import (
    SCHEMA,
    WORK,
    Inputs,
    Metrics,
    read_json,
    sha256_file,
    sha256_json,
    write_json,
)
from pipeline.compress import ladder
from pipeline.compress.calibration import write_calibration
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset

log = logging.getLogger(__name__)

FLOAT_RECIPE: dict[str, Any] = {"clipping": "min_max", "keep_float": []}  # nothing to decide there


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Climb the ladder on validation data, and write down which rung ships."""
    dataset = open_dataset(inputs["dataset"])
    shutil.copyfile(inputs["reference"] / "model.keras", out / "model.keras")
    calibration = write_calibration(dataset, out / "calibration.npz")
    gates = config.gate.model_dump()
    settings = config.compress.quantize
    key = _key(inputs, dataset, config)
    measured = _climb(inputs, dataset, config, out, _kept(inputs.previous, key))
    step = ladder.choose(measured, gates, exhaustive=settings.exhaustive)
    ships, made, _ = ladder.RUNGS[step]
    formats = dict.fromkeys((*config.export.formats, "int8", "int16x8"), FLOAT_RECIPE) | {
        ships: made
    }
    if config.export.ships != "auto":
        ships = config.export.ships
    rungs = ladder.rows(measured, gates, settings.remedies)
    write_json(
        out / "ladder.json", {"schema": SCHEMA, "key": key, "measured": measured, "rungs": rungs}
    )
    write_json(
        out / "recipe.json",
        {
            "schema": SCHEMA,
            "ships": ships,
            "step": step,
            "calibration": {"method": made["clipping"], **calibration},
            "formats": formats,
        },
    )
    skipped = {name: why for name, why in ladder.NOT_BUILT.items() if name in settings.remedies}
    shown = measured[step]
    return Metrics(
        {"val_metric": (shown["metric"], ""), "val_drop": (shown["metric_drop"], "")}, skipped
    )


def _key(inputs: Inputs, dataset: Dataset, config: Config) -> str:
    """Return what the measurements hold for: the model, the data and the border type."""
    return sha256_json(
        {
            "reference": sha256_file(inputs["reference"] / "model.keras"),
            "dataset": dataset.meta["fingerprint"],
            "splits": sha256_file(dataset.folder / "splits.npz"),
            "rungs": {step: made for step, (_, made, _) in ladder.RUNGS.items()},
            "io": config.export.io,
        }
    )


def _kept(previous: Path | None, key: str) -> dict[str, Any]:
    """Return the measurements of the last run, where they hold for this one."""
    if previous is None or not (previous / "ladder.json").exists():
        return {}
    found = read_json(previous / "ladder.json")
    return dict(found["measured"]) if found["key"] == key else {}


def _climb(
    inputs: Inputs, dataset: Dataset, config: Config, out: Path, kept: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Measure rung after rung until one passes, or all of them when exhaustive."""
    gates, settings = config.gate.model_dump(), config.compress.quantize
    measured: dict[str, dict[str, Any]] = {}
    bench: Any = None
    for step in ladder.steps(settings.remedies):
        if step not in kept and bench is None:
            bench = _bench(inputs, dataset, config, out)
        measured[step] = kept[step] if step in kept else bench(step)
        log.info("          rung %s: drop %.4f, agreement %.4f", step, *_figures(measured[step]))
        if ladder.passes(measured[step], gates) and not settings.exhaustive:
            break
    return measured


def _figures(found: dict[str, Any]) -> tuple[float, float]:
    return found["metric_drop"], found["agreement"]


def _bench(inputs: Inputs, dataset: Dataset, config: Config, out: Path) -> Any:
    """Return a function that makes and measures a rung; the reference answers once, here."""
    from pipeline.compress.measure import measure_rung
    from pipeline.export.make import make_file
    from pipeline.models.predict import predict
    from pipeline.models.save import load_keras

    model = inputs["reference"] / "model.keras"
    reference = predict(load_keras(model), dataset, dataset.split("validation"))

    def bench(step: str) -> dict[str, Any]:
        form, made, _ = ladder.RUNGS[step]
        file = out / WORK / f"{step}.tflite"
        make_file(
            file,
            form,
            recipe=made,
            model=model,
            spec=inputs["spec"] / "spec.json",
            calibration=out / "calibration.npz",
            io=config.export.io,
            work=out / WORK,
        )
        return measure_rung(file, form, dataset, reference)

    return bench
