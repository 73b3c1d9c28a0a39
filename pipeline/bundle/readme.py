"""README.md of a bundle: how to load it on each device, with this model's own shapes and types."""

import math
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from pipeline.bundle.device_code import make_device_code
from pipeline.bundle.sample import sample_name
from pipeline.device.browser import VERSION
from pipeline.device_code.constants import c_symbol
from pipeline.device_code.firmware import MICRO_LACKS, micro_name
from pipeline.device_code.parts import UnsupportedError
from pipeline.documents.files import ModelTensor
from pipeline.documents.manifest import Manifest
from pipeline.documents.preprocess import Entry, ImageEntry
from pipeline.escape import c_comment, markdown, markdown_code
from pipeline.ondevice.interpreter import keeps_state
from pipeline.samples import KINDS

TEMPLATE = Path(__file__).with_name("README.md.j2")
SWIFT = {"int8": "Int8", "uint8": "UInt8", "int16": "Int16", "int32": "Int32", "float32": "Float"}
C_TYPES = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t",
    "float32": "float",
}  # fmt: skip
PIXELS = np.arange(256, dtype=np.float32)


def readme(manifest: Manifest) -> str:
    """Return the text for a bundle's manifest."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters |= {"markdown": markdown, "code": markdown_code, "c_comment": c_comment}
    shipped = manifest.shipped_model
    integer = next((model for model in manifest.models if model.format == "int8"), None)
    preprocess = manifest.preprocess
    entries = {entry.name: entry for entry in preprocess.inputs}
    inputs = [_border(tensor, entries[tensor.name]) for tensor in shipped.inputs]
    for i, border in enumerate(inputs):
        many = len(inputs) > 1
        border |= {"variable": f"input{i}" if many else "input"}
        kind = "numbers" if border["dtype"] == "int32" else "values"
        border |= {"source": f"{kind}{i}" if many else kind}
    return environment.from_string(TEMPLATE.read_text()).render(
        manifest=manifest,
        shipped=shipped,
        integer=integer,
        lacking=[] if integer is None else [op for op in integer.ops if op in MICRO_LACKS],
        entry=preprocess.inputs[0],
        entries=entries,
        inputs=inputs,
        target=preprocess.target,
        output=_border(shipped.output, None),
        raw_shapes={
            name: ", ".join(map(str, KINDS[e.kind].raw_axes(e))) for name, e in entries.items()
        },
        is_classes=bool(preprocess.labels) and not preprocess.anomaly,
        sample=sample_name(preprocess.inputs),
        metrics=shipped.metrics,
        reference=manifest.reference.metrics,
        litertjs=VERSION,
        micro_name=micro_name,
        keeps_state=keeps_state,
        **_library(manifest),
        elements=math.prod,
        c_types=C_TYPES,
    )


def _library(manifest: Manifest) -> dict[str, str | bool | None]:
    """Return the prefix of the C library's names and what is beside it, or why there is none."""
    nothing = {"runner": False, "is_labels": False, "kotlin": None}
    try:
        names = make_device_code(manifest)
    except UnsupportedError as error:
        return nothing | {"library": None, "no_library": str(error)}
    prefix = c_symbol(manifest.name)
    return {
        "library": prefix,
        "no_library": None,
        "runner": f"{prefix}_runner.h" in names,
        "is_labels": manifest.preprocess.labels is not None,
        "kotlin": next((file[:-3] for file in names if file.endswith(".kt")), None),
    }


def _border(border: ModelTensor, entry: Entry | None) -> dict[str, Any]:
    """Return an input or output tensor with its values for the snippets."""
    dtype = np.dtype(border.dtype)
    whole = np.issubdtype(dtype, np.integer)
    low, high = (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) if whole else (0, 0)
    sizes = {"size": math.prod(border.shape), "width": dtype.itemsize, "low": low, "high": high}
    return {
        **border.dump(),
        **sizes,
        "swift": SWIFT[str(dtype)],
        "shift": pixel_shift(border, entry),
    }


def pixel_shift(tensor: ModelTensor, entry: Entry | None) -> int | None:
    """Return the zero point to add to a pixel; None where the pixel must be scaled, too.

    Args:
        tensor: an input of the model.
        entry: of preprocess.json, of that input; None: `tensor` is an output.
    """
    if not isinstance(entry, ImageEntry) or entry.raw_dtype != "uint8":
        return None
    if tensor.dtype not in ("int8", "uint8") or entry.offset:
        return None
    steps = np.round(PIXELS * np.float32(entry.scale) / np.float32(tensor.scale))
    return tensor.zero_point if (steps == PIXELS).all() else None
