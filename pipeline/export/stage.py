"""Apply the recipe; nothing is decided here.

Reads dataset, spec, reference, model, recipe; writes files.json, a .tflite a format, the files of
the targets' compilers, C sources, and an autoencoder's encoder where it is asked for.
"""

import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline.artifacts import WORK, Inputs, Metrics, read_json
from pipeline.config.schema import Config
from pipeline.documents.files import EncoderFiles, FileEntry, Files, FrontEnd
from pipeline.documents.recipe import Recipe
from pipeline.documents.spec import Spec
from pipeline.documents.stages import Skipped
from pipeline.errors import ConversionError
from pipeline.export.c_source import write_c_source
from pipeline.export.compilers import compile_for
from pipeline.export.inspect import inspect, sizes, zero_weights
from pipeline.export.make import make_file
from pipeline.worker.client import request

log = logging.getLogger(__name__)

SOURCE_FORMAT = "int8"  # what compilers and microcontrollers take


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Make every file that the config asks for, in the way that the recipe says."""
    recipe = Recipe.read(inputs["recipe"] / "recipe.json")
    skipped: dict[str, str] = {}
    files: list[FileEntry] = []
    source = Source(inputs["model"], inputs["spec"] / "spec.json", out / WORK)
    for form in dict.fromkeys((*config.export.formats, recipe.ships)):
        path = out / f"model_{form}.tflite"
        try:
            files.append(_make_entry(path, form, recipe, source, inputs, io=config.export.io))
        except ConversionError as error:
            path.unlink(missing_ok=True)
            if form == recipe.ships:
                raise
            skipped[path.name] = str(error)
            log.warning("          %s", error)
    front_end = request(
        "front_end", model=str(source.models / "model.keras"), spec=str(source.spec)
    )
    int8 = out / f"model_{SOURCE_FORMAT}.tflite"
    targets = tuple(
        compile_for(target, int8, out, skipped=skipped) for target in config.export.targets
    )
    sources = write_c_source(int8, out) if int8.exists() else ()
    if config.export.metadata:
        files = _describe(files, config, inputs, out)
    Files(
        ships=recipe.ships,
        front_end=FrontEnd.model_validate(front_end),
        files=tuple(files),
        encoder=_encoder(recipe, inputs, out, config) if config.export.encoder else None,
        targets=targets,
        skipped=tuple(Skipped(item=item, reason=why) for item, why in skipped.items()),
        sources=tuple(sources),
    ).write(out / "files.json")
    return Metrics({entry.format: (entry.bytes, "bytes") for entry in files}, skipped)


def _describe(files: list[FileEntry], config: Config, inputs: Inputs, out: Path) -> list[FileEntry]:
    """Put metadata into the files, and return their entries with the new sizes."""
    spec = Spec.read(inputs["spec"] / "spec.json")
    versions = [f"{name} {version(name)}" for name in ("edgeline", "tensorflow", "ai-edge-litert")]
    described = {
        "name": config.name,
        "description": f"{config.task} by a network of kind {spec.model.kind}",
        "versions": ", ".join(versions),
        "preprocess": read_json(inputs["dataset"] / "preprocess.json"),
    }
    for entry in files:
        request("add_metadata", file=str(out / entry.file), described=described)
    return [entry.model_copy(update=dict(sizes(out / entry.file))) for entry in files]


@dataclass(frozen=True)
class Source:
    """What a file is made of."""

    models: Path
    """Folder of the `.keras` files that recipes name."""
    spec: Path
    work: Path
    """Folder for the float32 files that others are made from."""


def _encoder(recipe: Recipe, inputs: Inputs, out: Path, config: Config) -> EncoderFiles:
    """Make the encoder's files, float32 and the format that ships, in the way of the whole net."""
    from pipeline.models.autoencoder import encoder_of, encoder_spec
    from pipeline.models.save import load_keras, save_keras

    models, spec = out / WORK / "encoder", out / WORK / "encoder.json"
    models.mkdir(parents=True, exist_ok=True)
    for file in sorted(inputs["model"].glob("*.keras")):
        save_keras(encoder_of(load_keras(file)), models / file.name)
    trained = load_keras(inputs["reference"] / "model.keras")
    encoder = encoder_of(trained)
    save_keras(encoder, out / "encoder.keras")
    encoder_spec(Spec.read(inputs["spec"] / "spec.json"), encoder).write(spec)
    source = Source(models, spec, models)
    entries = tuple(
        _make_entry(
            out / f"encoder_{form}.tflite", form, recipe, source, inputs, io=config.export.io
        )
        for form in dict.fromkeys(("float32", recipe.ships))
        if form in recipe.formats
    )
    ships = f"encoder_{recipe.ships}.tflite"
    return EncoderFiles(model="encoder.keras", ships=ships, files=entries)


def _make_entry(
    path: Path, form: str, recipe: Recipe, source: Source, inputs: Inputs, *, io: str
) -> FileEntry:
    """Make the file of one format, and return its entry in files.json."""
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
    return FileEntry(
        format=form,
        file=path.name,
        zero_weights=zero_weights(path),
        recipe=recipe.formats[form],
        **dict(inspect(path, form)),
        **dict(sizes(path)),
    )
