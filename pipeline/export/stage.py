"""Apply the recipe. Reads spec, model, recipe; writes files.json, a .tflite a format, the files of
the targets' compilers, C sources. Nothing is decided here.
"""

import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, read_json, sha256_file, write_json
from pipeline.config.schema import Config
from pipeline.device.targets import TARGETS
from pipeline.errors import ArtifactError
from pipeline.export.c_source import write_c_source
from pipeline.export.inspect import inspect
from pipeline.export.make import make_file
from pipeline.export.worker import request

NOT_INTEGER = "compilers take the int8 file, which export.formats leaves out"


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Make every file that the config asks for, in the way that the recipe says."""
    recipe = read_json(inputs["recipe"] / "recipe.json")
    formats = [*config.export.formats]
    if recipe["ships"] not in formats:
        formats.append(recipe["ships"])
    files = []
    for form in formats:
        path = out / f"model_{form}.tflite"
        make_file(
            path,
            form,
            recipe=recipe["formats"][form],
            model=inputs["model"] / "model.keras",
            spec=inputs["spec"] / "spec.json",
            calibration=inputs["recipe"] / "calibration.npz",
            io=config.export.io,
            work=out / WORK,
        )
        files.append(
            {"format": form, "file": path.name, "sha256": sha256_file(path), **inspect(path, form)}
        )
    skipped: dict[str, str] = {}
    targets = [_target(name, out, formats, skipped) for name in config.export.targets]
    sources = write_c_source(out / "model_int8.tflite", out) if "int8" in formats else []
    write_json(
        out / "files.json",
        {
            "schema": SCHEMA,
            "ships": recipe["ships"],
            "files": files,
            "targets": targets,
            "skipped": [{"item": item, "reason": reason} for item, reason in skipped.items()],
            "sources": sources,
        },
    )
    return Metrics({f["format"]: (f["bytes"], "bytes") for f in files}, skipped)


def _target(name: str, out: Path, formats: list[str], skipped: dict[str, str]) -> dict[str, Any]:
    """Return what a target's compiler made of the int8 file, or why there is nothing."""
    target = TARGETS[name]
    row: dict[str, Any] = dict.fromkeys(
        (
            "file",
            "npu_ops",
            "cpu_ops",
            "sram_bytes",
            "latency_ms_estimate",
            "compiler_version",
            "system",
        )
    )
    row |= {"target": name, "format": "int8"}
    if target.compiler in (None, "c_source"):
        return row
    if "int8" not in formats:
        skipped[name] = NOT_INTEGER
        return row
    file = f"model_int8_{name}.tflite"
    if target.compiler == "vela":
        source, made = str(out / "model_int8.tflite"), str(out / file)
        try:
            found = request("vela", int8=source, out=made, accelerator=target.accelerator)
        except ArtifactError as error:
            skipped[name] = str(error)
            return row
        return row | {"file": file} | found
    if shutil.which("edgetpu_compiler") is None:
        skipped[name] = (
            "edgetpu_compiler is not on PATH (coral.ai/docs/edgetpu/compiler says how to get it)"
        )
        return row
    from pipeline.export.edgetpu import compile_file

    return row | {"file": file} | compile_file(out / "model_int8.tflite", out / file)
