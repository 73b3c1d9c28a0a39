"""Apply the recipe; nothing is decided here.

Reads spec, model, recipe; writes files.json, a .tflite a format, the files of the targets'
compilers, C sources.
"""

import logging
from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, read_json, sha256_file, write_json
from pipeline.config.schema import Config
from pipeline.export.c_source import write_c_source
from pipeline.export.compilers import compile_for
from pipeline.export.inspect import inspect
from pipeline.export.make import make_file
from pipeline.export.worker import ConversionError, request

log = logging.getLogger(__name__)

SOURCE_FORMAT = "int8"  # what compilers and microcontrollers take


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Make every file that the config asks for, in the way that the recipe says."""
    recipe = read_json(inputs["recipe"] / "recipe.json")
    skipped: dict[str, str] = {}
    files = []
    for form in dict.fromkeys((*config.export.formats, recipe["ships"])):
        try:
            files.append(_file(form, recipe, inputs, out, io=config.export.io))
        except ConversionError as error:
            (out / f"model_{form}.tflite").unlink(missing_ok=True)
            if form == recipe["ships"]:
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
    write_json(
        out / "files.json",
        {
            "schema": SCHEMA,
            "ships": recipe["ships"],
            "front_end": front_end,
            "files": files,
            "targets": targets,
            "skipped": [{"item": item, "reason": reason} for item, reason in skipped.items()],
            "sources": write_c_source(source, out) if source.exists() else [],
        },
    )
    return Metrics({f["format"]: (f["bytes"], "bytes") for f in files}, skipped)


def _file(
    form: str, recipe: dict[str, Any], inputs: Inputs, out: Path, *, io: str
) -> dict[str, Any]:
    """Make the file of one format and return its row in files.json."""
    path = out / f"model_{form}.tflite"
    make_file(
        path,
        form,
        recipe=recipe["formats"][form],
        model=inputs["model"] / "model.keras",
        spec=inputs["spec"] / "spec.json",
        calibration=inputs["recipe"] / "calibration.npz",
        io=io,
        work=out / WORK,
    )
    request("try_once", file=str(path))
    return {"format": form, "file": path.name, "sha256": sha256_file(path)} | inspect(path, form)
