"""Make the model small, and decide how each format is quantized.

Reads dataset, spec, reference; writes model.keras (pruned and clustered as asked), qat.keras where
that rung was climbed, recipe.json, calibration.npz, weights.json (what became of the weights), and
ladder.json (the rungs, and their measurements, kept).
"""

import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, Inputs, Metrics, sha256_json, write_json
from pipeline.compress import ladder
from pipeline.compress.bench import bench, common_recipe, learning_of
from pipeline.compress.calibration import write_calibration
from pipeline.compress.kept import LADDER, kept_measurements, key_of
from pipeline.compress.lighter import write_model
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset, with_decision
from pipeline.export.worker import ConversionError
from pipeline.tasks import task_of


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Climb the ladder on validation data, and write down which rung ships."""
    dataset = with_decision(open_dataset(inputs["dataset"]), inputs["reference"])
    calibration = write_calibration(dataset, out / "calibration.npz")
    gates, settings = config.gate.model_dump(), config.compress.quantize
    key, choice = _key(config, inputs, dataset), _choice(config)
    write_model(
        config.compress,
        inputs["reference"] / "model.keras",
        dataset,
        learning_of(config),
        task=task_of(config.task, config.task_metric),
        out=out,
        previous=inputs.previous,
        key=_model_key(config, inputs, dataset),
        choice=sha256_json([key, choice]),
    )
    steps = ladder.steps(settings.remedies, config.export.ships, settings.begin)
    unable = ladder.unable(config.verify.runtimes, config.export.targets, gates)
    skipped = {step: why for step, why in unable.items() if step in steps}
    measured = ladder.climb(
        [step for step in steps if step not in skipped],
        gates,
        exhaustive=settings.exhaustive,
        kept=_kept(inputs, out, key=key, choice=choice),
        bench=bench(config, inputs, dataset, out),
    )
    step = ladder.choose(measured, gates, exhaustive=settings.exhaustive)
    if step is None and measured:
        raise ConversionError("\n".join(found["refused"] for found in measured.values()))
    table = {"measured": measured, "rungs": ladder.rows(measured, gates, skipped)}
    write_json(out / LADDER, {"schema": SCHEMA, "key": key, "choice": choice, **table})
    write_json(
        out / "recipe.json",
        _recipe(config, step, measured, calibration, common_recipe(config, dataset)),
    )
    if step is None:
        return Metrics({}, skipped)
    drop, metric = measured[step]["metric_drop"], measured[step]["metric"]
    return Metrics({"val_metric": (metric, ""), "val_drop": (drop, "")}, skipped)


def _kept(inputs: Inputs, out: Path, *, key: str, choice: Any) -> dict[str, dict[str, Any]]:
    """Return the measurements that still hold, and bring over the model that one of them is of."""
    kept = kept_measurements(inputs.previous, key=key, choice=choice)
    if "refused" not in kept.get(ladder.QAT, {"refused": "never made"}):
        assert inputs.previous is not None  # they are kept there
        shutil.copyfile(inputs.previous / ladder.TUNED, out / ladder.TUNED)
    return kept


def _recipe(
    config: Config,
    step: str | None,
    measured: ladder.Measured,
    calibration: dict[str, Any],
    common: dict[str, Any],
) -> dict[str, Any]:
    """Return what export is to do; `step` is None where a float format ships."""
    gates = config.gate.model_dump()
    ships = config.export.ships if step is None else ladder.RUNGS[step][0]
    formats = {
        form: ladder.recipe_of(form, step, measured, gates) | common
        for form in dict.fromkeys((*config.export.formats, ships))
    }
    return {
        "schema": SCHEMA,
        "ships": ships,
        "step": step,
        "calibration": {"method": formats[ships]["clipping"], **calibration},
        "formats": formats,
    }


def _key(config: Config, inputs: Inputs, dataset: Dataset) -> str:
    """Return what the measurements hold for: model, data, rungs and border type."""
    rungs = {step: made for step, (_, made, _) in ladder.RUNGS.items()}
    settings = {
        "rungs": rungs,
        "io": config.export.io,
        "granularity": config.compress.quantize.granularity,
        "qat": config.compress.quantize.qat.model_dump(mode="json"),
        "model": _model_key(config, inputs, dataset),
    }
    return key_of({"spec": inputs["spec"] / "spec.json"}, settings)


def _model_key(config: Config, inputs: Inputs, dataset: Dataset) -> str:
    """Return what the pruned and clustered model depends on."""
    files = {
        "reference": inputs["reference"] / "model.keras",
        "splits": dataset.folder / "splits.npz",
        "preprocess": dataset.folder / "preprocess.json",
    }
    settings = {
        "data": dataset.meta["fingerprint"],
        "anomaly": dataset.preprocess["anomaly"],
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
