"""web/ of a bundle: the page that runs the model in a browser, with uint8 input and output.

It is complete except for LiteRT.js, which has 38 MB: `edgeline demo` serves that beside it.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import only
from pipeline.artifacts import SCHEMA, write_arrays, write_json
from pipeline.device.browser import WebFile, read_web_file
from pipeline.documents.manifest import Manifest, ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.interpreter import match_input_name
from pipeline.ondevice.main import UNSQUEEZED

PAGE = Path(__file__).resolve().parents[1] / "device" / "web" / "demo"
MODEL = "model.tflite"


def write_web(folder: Path, manifest: Manifest, preprocess: Preprocess) -> None:
    """Write web/ into a bundle's folder, whose files lie there already.

    Args:
        folder: of the bundle.
        manifest: the document that the manifest will be.
        preprocess: contents of preprocess.json.
    """
    web = folder / "web"
    web.mkdir()
    for path in sorted(PAGE.iterdir()):
        shutil.copyfile(path, web / path.name)
    row = manifest.shipped_model
    made = read_web_file(folder / row.file)
    (web / MODEL).write_bytes(made.content)
    write_json(web / "model.json", describe(manifest, row, preprocess, made=made))
    with np.load(folder / "golden.npz", allow_pickle=False) as golden:
        form = row.format
        kept = {f"input_{e.name}": golden[f"input_{e.name}"] for e in preprocess.inputs}
        kept["expected"] = golden[form]
        if form + UNSQUEEZED in golden.files:
            kept["expected_unsqueezed"] = golden[form + UNSQUEEZED]
    write_arrays(web / "golden.npz", kept)


def describe(
    manifest: Manifest,
    row: ModelFile,
    preprocess: Preprocess,
    *,
    made: WebFile,
) -> dict[str, Any]:
    """Return model.json: what the page has to know of the bundle.

    Args:
        manifest: of the bundle.
        row: of the shipped model.
        preprocess: contents of preprocess.json.
        made: the file as the browser is given it.
    """
    names = [entry.name for entry in preprocess.inputs]
    abstain = (preprocess.abstain or {}).get(row.format)
    config: Any = manifest.config
    source = config["data"]["source"]
    return {
        "schema": SCHEMA,
        "name": manifest.name,
        "task": manifest.task,
        "target_name": source.get("label"),
        "shipped_file": row.file,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "metrics": row.metrics,
        "held_out": manifest.reference.samples,
        "may_drift": row.format == "dynamic" or bool(row.float_ops_left),
        "model": {
            "file": MODEL,
            "inputs": [_input(detail, names, made.keys) for detail in made.inputs],
            "output": _border(only(made.outputs)),
            "shipped": _border(only(made.shipped)),
        },
        "preprocess": preprocess.dump(),
        "abstain": None if abstain is None else abstain.dump(),
        "detector": (preprocess.detector or {}).get(row.format),
    }


def _input(detail: Mapping[str, Any], names: list[str], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return an input tensor: which named input it is, and what LiteRT.js calls it."""
    key = match_input_name(detail, keys) if keys else detail["name"]
    return {"name": match_input_name(detail, names), "key": key, **_border(detail)}


def _border(detail: Mapping[str, Any]) -> dict[str, Any]:
    scale, zero_point = detail["quantization"]
    return {
        "dtype": str(np.dtype(detail["dtype"])),
        "shape": [int(size) for size in detail["shape"]],
        "scale": float(scale),
        "zero_point": int(zero_point),
    }
