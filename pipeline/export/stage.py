"""Apply the recipe; nothing is decided here.

Reads dataset, spec, reference, model, recipe; writes files.json, a .tflite a format, the files of
the targets' compilers, C sources, and an autoencoder's encoder where it is asked for.
"""

import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, read_json, write_json
from pipeline.config.schema import Config
from pipeline.documents.recipe import Recipe
from pipeline.documents.spec import Spec
from pipeline.export.c_source import write_c_source
from pipeline.export.compilers import compile_for
from pipeline.export.inspect import inspect, sizes, zero_weights
from pipeline.export.make import make_file
from pipeline.export.worker import ConversionError, request

log = logging.getLogger(__name__)

SOURCE_FORMAT = "int8"  # what compilers and microcontrollers take


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Make every file that the config asks for, in the way that the recipe says."""
    recipe = Recipe.read(inputs["recipe"] / "recipe.json")
    skipped: dict[str, str] = {}
    files = []
    for form in dict.fromkeys((*config.export.formats, recipe.ships)):
        try:
            files.append(_file(form, recipe, inputs, out, io=config.export.io))
        except ConversionError as error:
            (out / f"model_{form}.tflite").unlink(missing_ok=True)
            if form == recipe.ships:
                raise
            skipped[f"model_{form}.tflite"] = str(error)
            log.warning("          %s", error)
    front_end = request(
        "front_end",
        model=str(inputs["model"] / "model.keras"),
        spec=str(inputs["spec"] / "spec.json"),
    )
    source = out / f"model_{SOURCE_FORMAT}.tflite"
    targets = [compile_for(target, source, out, skipped) for target in config.export.targets]
    sources = write_c_source(source, out) if source.exists() else []
    if config.export.metadata:
        _describe(files, config, inputs, out)
    write_json(
        out / "files.json",
        {
            "schema": SCHEMA,
            "ships": recipe.ships,
            "front_end": front_end,
            "files": files,
            "encoder": _encoder(recipe, inputs, out, config) if config.export.encoder else None,
            "targets": targets,
            "skipped": [{"item": item, "reason": reason} for item, reason in skipped.items()],
            "sources": sources,
        },
    )
    return Metrics({f["format"]: (f["bytes"], "bytes") for f in files}, skipped)


def _describe(files: list[dict[str, Any]], config: Config, inputs: Inputs, out: Path) -> None:
    """Put metadata into the files, and correct what their rows say of bytes."""
    spec = Spec.read(inputs["spec"] / "spec.json")
    versions = [f"{name} {version(name)}" for name in ("edgeline", "tensorflow", "ai-edge-litert")]
    described = {
        "name": config.name,
        "description": f"{config.task} by a network of kind {spec.model.kind}",
        "versions": ", ".join(versions),
        "preprocess": read_json(inputs["dataset"] / "preprocess.json"),
    }
    for row in files:
        path = out / row["file"]
        request("add_metadata", file=str(path), described=described)
        row |= sizes(path)


def _file(form: str, recipe: Recipe, inputs: Inputs, out: Path, *, io: str) -> dict[str, Any]:
    """Make the file of one format and return its row in files.json."""
    source = Source(inputs["model"], inputs["spec"] / "spec.json", out / WORK)
    return _made(out / f"model_{form}.tflite", form, recipe, source, inputs, io=io)


@dataclass(frozen=True)
class Source:
    """What a file is made of."""

    models: Path
    """Folder of the `.keras` files that recipes name."""
    spec: Path
    work: Path
    """Folder for the float32 files that others are made from."""


def _encoder(recipe: Recipe, inputs: Inputs, out: Path, config: Config) -> dict[str, Any]:
    """Make the encoder's files, float32 and the format that ships, in the way of the whole net."""
    from pipeline.models.autoencoder import encoder_of, encoder_spec
    from pipeline.models.save import load_keras, save_keras

    models, spec = out / WORK / "encoder", out / WORK / "encoder.json"
    models.mkdir(parents=True, exist_ok=True)
    for file in sorted(inputs["model"].glob("*.keras")):
        save_keras(encoder_of(load_keras(file)), models / file.name)
    trained = load_keras(inputs["reference"] / "model.keras")
    save_keras(encoder_of(trained), out / "encoder.keras")
    encoder_spec(Spec.read(inputs["spec"] / "spec.json")).write(spec)
    source = Source(models, spec, models)
    rows = [
        _made(out / f"encoder_{form}.tflite", form, recipe, source, inputs, io=config.export.io)
        for form in dict.fromkeys(("float32", recipe.ships))
        if form in recipe.formats
    ]
    return {"model": "encoder.keras", "ships": f"encoder_{recipe.ships}.tflite", "files": rows}


def _made(
    path: Path, form: str, recipe: Recipe, source: Source, inputs: Inputs, *, io: str
) -> dict[str, Any]:
    make_file(
        path,
        form,
        recipe=recipe.formats[form],
        models=source.models,
        spec=source.spec,
        calibration=inputs["recipe"] / "calibration.npz",
        io=io,
        work=source.work,
    )
    request("try_once", file=str(path))
    row = {"format": form, "file": path.name, **inspect(path, form), **sizes(path)}
    return row | {"zero_weights": zero_weights(path), "recipe": recipe.formats[form].dump()}
