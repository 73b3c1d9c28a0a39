"""Make the model small, and decide how each format is quantized.

Reads dataset, spec, reference; writes model.keras (pruned and clustered as asked), qat.keras where
that rung was climbed, recipe.json, calibration.npz, weights.json (what became of the weights), and
ladder.json (the rungs, and their measurements, kept).
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.artifacts import Inputs, Metrics, sha256_json
from pipeline.compress import ladder
from pipeline.compress.bench import bench, common_recipe, learning_of
from pipeline.compress.calibration import write_calibration
from pipeline.compress.measurement_cache import LADDER, key_of, load_measurements
from pipeline.compress.prune_and_cluster import write_model
from pipeline.compress.rung_table import describe_rungs
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset, with_decision_of
from pipeline.documents.ladder import Ladder, Measurement, Refusal
from pipeline.documents.recipe import CalibrationSet, Recipe
from pipeline.errors import ConversionError
from pipeline.gate.judge import check_class_names
from pipeline.tasks import task_of


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Climb the ladder on validation data, and write down which rung ships."""
    dataset = with_decision_of(open_dataset(inputs["dataset"]), inputs["reference"])
    calibration = write_calibration(dataset, out / "calibration.npz")
    check_class_names(config.gate.missing_classes or (), dataset.class_names or ())
    gates, settings = config.gate.model_dump(), config.compress.quantize
    key, choice = _key(config, inputs, dataset), _choice(config)
    write_model(
        config.compress,
        inputs["reference"] / "model.keras",
        dataset,
        learning=learning_of(config),
        task=task_of(config.task, config.task_metric),
        out=out,
        previous=inputs.previous,
        key=_model_key(config, inputs, dataset),
        choice=sha256_json([key, choice]),
    )
    rungs = ladder.rungs_to_climb(settings.remedies, config.export.ships, settings.begin)
    unavailable = ladder.unavailable_rungs(config.verify.runtimes, config.export.targets, gates)
    skipped = {rung: why for rung, why in unavailable.items() if rung in rungs}
    measured = ladder.climb(
        [rung for rung in rungs if rung not in skipped],
        gates,
        exhaustive=settings.exhaustive,
        kept=_kept(inputs, out, key=key, choice=choice),
        bench=bench(config, inputs, dataset, out=out),
    )
    rung = ladder.choose(measured, gates, exhaustive=settings.exhaustive)
    chosen = None if rung is None else measured[rung]
    if chosen is None and measured:
        refusals = [found.refused for found in measured.values() if isinstance(found, Refusal)]
        raise ConversionError("\n".join(refusals))
    table = describe_rungs(measured, gates, skipped)
    Ladder(key=key, choice=choice, measured=measured, rungs=table).write(out / LADDER)
    common = common_recipe(config, dataset)
    _recipe(config, rung, measured, calibration, common).write(out / "recipe.json")
    if not isinstance(chosen, Measurement):
        return Metrics({}, skipped)
    values = {"val_metric": (chosen.metric, ""), "val_drop": (chosen.metric_drop, "")}
    return Metrics(values, skipped)


def _kept(inputs: Inputs, out: Path, *, key: str, choice: JsonValue) -> Mapping[str, ladder.Result]:
    """Return the measurements that still hold, and bring over the model that one of them is of."""
    kept = load_measurements(inputs.previous, key=key, choice=choice)
    if isinstance(kept.get(ladder.QAT), Measurement):
        assert inputs.previous is not None  # they are kept there
        shutil.copyfile(inputs.previous / ladder.TUNED, out / ladder.TUNED)
    return kept


def _recipe(
    config: Config,
    rung: str | None,
    measured: ladder.Measured,
    calibration: dict[str, Any],
    common: dict[str, Any],
) -> Recipe:
    """Return what export is to do; `rung` is None where a float format ships."""
    gates = config.gate.model_dump()
    ships = config.export.ships if rung is None else ladder.RUNGS[rung].form
    formats = {
        form: ladder.recipe_of(form, rung, measured, gates=gates).model_copy(update=common)
        for form in dict.fromkeys((*config.export.formats, ships))
    }
    return Recipe(
        ships=ships,
        rung=rung,
        calibration=CalibrationSet(method=formats[ships].clipping, **calibration),
        formats=formats,
    )


def _key(config: Config, inputs: Inputs, dataset: Dataset) -> str:
    """Return the key of the measurements: model, data, rungs and input and output type."""
    rungs = {rung: way.recipe.dump() for rung, way in ladder.RUNGS.items()}
    settings = {
        "rungs": rungs,
        "io": config.export.io,
        "granularity": config.compress.quantize.weight_scales,
        "qat": config.compress.quantize.qat.model_dump(mode="json"),
        "model": _model_key(config, inputs, dataset),
    }
    return key_of({"spec": inputs["spec"] / "spec.json"}, settings)


def _model_key(config: Config, inputs: Inputs, dataset: Dataset) -> str:
    """Return the key of the pruned and clustered model."""
    files = {
        "reference": inputs["reference"] / "model.keras",
        "splits": dataset.folder / "splits.npz",
        "preprocess": dataset.folder / "preprocess.json",
    }
    settings = {
        "data": dataset.meta.fingerprint,
        "anomaly": dataset.preprocess.anomaly and dataset.preprocess.anomaly.dump(),
        "lighter": config.compress.model_dump(mode="json", include={"prune", "cluster"}),
        "learning": learning_of(config),
        "metric": config.task_metric,
    }
    return key_of(files, settings)


def _choice(config: Config) -> dict[str, Any]:
    """Return the settings that choose among rungs and change no measurement."""
    return {
        "gates": config.gate.model_dump(mode="json"),
        "quantize": config.compress.quantize.model_dump(mode="json"),
        "export": config.export.model_dump(mode="json"),
        "runtimes": list(config.verify.runtimes),
    }
