"""A C library for one model: preprocessing and decision, with the model's constants in it.

Pure: from preprocess.json and the tensors of a file to the texts of its sources. The arithmetic is
that of ondevice/; the templates beside this file are the only place where it is written in C.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
import numpy as np

from pipeline.device_code import constants
from pipeline.device_code.parts import (
    Part,
    UnsupportedError,
    are_knots_floats,
    describe_columns,
    describe_image,
    describe_series,
    describe_table,
    describe_tokens,
)
from pipeline.device_code.sound import describe_audio
from pipeline.documents.files import FileEntry, ModelTensor
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import (
    CodesEntry,
    Entry,
    ImageEntry,
    Preprocess,
    TokensEntry,
)
from pipeline.ondevice.image import scale_values
from pipeline.ondevice.quantize import quantize
from pipeline.ondevice.sanitize import reduce_bit_depth
from pipeline.visible import visible

TEMPLATES = Path(__file__).with_name("templates")
TOP = 3  # classes that a result lists
PIXELS = 256
ROUNDING = 1e-12  # relative, of pow: another C library's may differ in the last place
DEFAULTS: Part = {
    "size_fields": [], "median": None, "bit_depth": None, "limits": None, "levels": None,
    "notes_outside": False, "lut": None, "resizes": False, "scaled": [], "ranked": [],
    "per_window": False,
}  # fmt: skip
FILTERS: Mapping[str, Callable[..., str]] = {
    "c_comment": constants.c_block_comment,
    "c_bound": constants.c_bound,
    "c_double": constants.c_double,
    "c_doubles": constants.c_doubles,
    "c_float": constants.c_float,
    "c_floats": constants.c_floats,
    "c_integers": constants.c_integers,
    "c_string": constants.c_string,
    "one_line": visible,
}

# kind -> its template, and what that needs to know of an input
PARTS: Mapping[str, tuple[str, Callable[..., Part]]] = {
    "image": ("image", describe_image),
    "table": ("table", describe_table),
    "columns": ("columns", describe_columns),
    "codes": ("columns", describe_columns),
    "audio": ("audio", describe_audio),
    "series": ("series", describe_series),
    "tokens": ("tokens", describe_tokens),
}


def make_library(name: str, preprocess: Preprocess, file: FileEntry | ModelFile) -> dict[str, str]:
    """Return file name -> text of the C library of one .tflite file.

    Args:
        name: of the model; every symbol begins with it.
        preprocess: contents of preprocess.json.
        file: of the file: its format, and the types and scales of its tensors.

    Raises:
        UnsupportedError: the library cannot do what this model needs; says what.
    """
    prefix = constants.c_symbol(name)
    context = describe_library(name, preprocess, file)
    environment = environment_for(preprocess)
    return {
        f"{prefix}.{suffix}": environment.get_template(f"library.{suffix}.j2").render(context)
        for suffix in ("h", "c")
    }


def make_check(name: str, preprocess: Preprocess, file: FileEntry | ModelFile) -> str:
    """Return a C program that runs the library over samples from standard input.

    Args and errors are those of `make_library`; `pipeline.device.compiled` speaks with it.
    """
    context = describe_library(name, preprocess, file)
    return environment_for(preprocess).get_template("check.c.j2").render(context)


def describe_library(name: str, preprocess: Preprocess, file: FileEntry | ModelFile) -> Part:
    """Return everything that the templates say; args and errors are those of `make_library`."""
    if len(file.outputs) != 1:
        raise UnsupportedError(f"a model with {len(file.outputs)} outputs")
    anomaly = preprocess.anomaly
    needs_real = anomaly is not None or file.format in (preprocess.detector or {})
    tensors = {tensor.name: tensor for tensor in file.inputs}
    members = constants.c_members([tensor.name for tensor in file.inputs])
    entries = {entry.name: entry for entry in preprocess.inputs}
    inputs = [
        _describe_input(entries[tensor.name], tensor, member, needs_real=needs_real)
        for tensor, member in zip(tensors.values(), members, strict=True)
    ]
    for part, tensor in zip(inputs, file.inputs, strict=True):
        part["is_first"] = tensor.name == preprocess.inputs[0].name
    return {
        "title": name,
        "p": constants.c_symbol(name),
        "P": constants.c_symbol(name).upper(),
        "file": file,
        "inputs": inputs,
        "output": _describe_tensor(file.outputs[0]),
        "helpers": list(dict.fromkeys(h for part in inputs for h in _find_helpers(part))),
        "keeps_real": anomaly is not None,
        "clip": None if anomaly is None else anomaly.input_range,
        "refuses": any(
            e.sanitize is not None and e.sanitize.range == "refuse" for e in preprocess.inputs
        ),
        **_describe_decision(preprocess, file),
    }


def _describe_input(entry: Entry, tensor: ModelTensor, member: str, *, needs_real: bool) -> Part:
    """Return what the templates say of one input: its tensor, and its raw samples."""
    template, describe = PARTS[entry.kind]
    part = DEFAULTS | describe(entry, member) | _describe_tensor(tensor)
    part |= {
        "name": entry.name,
        "member": member,
        "macro": member.upper(),
        "template": template,
        "count": math.prod(entry.shape),
        "tensor_size": math.prod(tensor.shape),
        "tensor_shape": tensor.shape,
        "size": math.prod(entry.shape),
        "is_real": not isinstance(entry, TokensEntry | CodesEntry),
    }
    if isinstance(entry, ImageEntry) and not needs_real:
        part["lut"] = _look_up_pixels(entry, tensor)
    return part


def _describe_tensor(tensor: ModelTensor) -> Part:
    """Return the type of a tensor, and how its integers stand for real numbers."""
    dtype = np.dtype(tensor.dtype)
    if tensor.dtype not in constants.C_TYPES:
        raise UnsupportedError(f"a tensor of type {tensor.dtype}")
    is_integer = dtype.kind in "iu"
    limits = (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) if is_integer else (0, 0)
    return {
        "c_type": constants.C_TYPES[tensor.dtype],
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "size": math.prod(tensor.shape),
        "scale": tensor.scale if is_integer else None,
        "zero_point": tensor.zero_point or 0,
        "low": limits[0],
        "high": limits[1],
        "bytes": dtype.itemsize,
        "write": constants.KOTLIN_WRITES.get(tensor.dtype),
        "read": constants.KOTLIN_READS.get(tensor.dtype),
    }


def _look_up_pixels(entry: ImageEntry, tensor: ModelTensor) -> list[int] | None:
    """Return what each value of a pixel becomes in the tensor; None: there are too many."""
    dtype = np.dtype(tensor.dtype)
    if entry.raw_dtype != "uint8" or dtype.kind not in "iu" or not tensor.scale:
        return None
    rule, pixels = entry.sanitize, np.arange(PIXELS, dtype=np.uint8)
    if rule is not None and rule.bit_depth is not None:
        pixels = reduce_bit_depth(pixels, rule.bit_depth)
    detail = {"dtype": dtype.type, "quantization": (tensor.scale, tensor.zero_point or 0)}
    found = quantize(scale_values(pixels, entry), detail)
    return [int(x) for x in found]


def _describe_decision(preprocess: Preprocess, file: FileEntry | ModelFile) -> Part:
    """Return how outputs become decisions."""
    anomaly, labels, target = preprocess.anomaly, preprocess.labels, preprocess.target
    if anomaly is not None and anomaly.threshold is None:
        raise UnsupportedError("a detector without a threshold")
    if labels is None and target is None:
        raise UnsupportedError("outputs that are neither classes nor a value")
    size = math.prod(file.outputs[0].shape)
    if labels is not None and anomaly is None and size != len(labels):
        raise UnsupportedError(f"{size} outputs for {len(labels)} classes")
    rule = (preprocess.abstain or {}).get(file.format)
    return {
        "classes": labels,
        "top": min(TOP, len(labels or [])),
        "target": target,
        "adds_last": target is not None and target.channel is not None,
        "anomaly": anomaly,
        "is_detector": anomaly is not None,
        "rule": rule,
        "likely_from": None if rule is None else rule.threshold * (1 - ROUNDING),
        "detector": (preprocess.detector or {}).get(file.format),
    }


def _find_helpers(part: Part) -> list[str]:
    """Return the templates of functions that an input shares with others."""
    wanted = {
        "levels": part.get("levels"),
        "mirror": part.get("median"),
        "scaled": part.get("scaled") and not part.get("per_window"),
        "ranked": part.get("ranked") and not part.get("per_window"),
        "resize": part.get("resizes"),
    }
    return [name for name, asked in wanted.items() if asked]


def environment_for(preprocess: Preprocess) -> jinja2.Environment:
    """Return Jinja with the filters that write C; knots are floats where that loses nothing."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    are_floats = are_knots_floats(preprocess)
    knots = constants.c_floats if are_floats else constants.c_doubles
    environment.filters |= {**FILTERS, "c_knots": knots}
    environment.globals["knot_type"] = "float" if are_floats else "double"
    return environment
