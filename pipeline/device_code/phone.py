"""A Kotlin file for models that a form or a table feeds: preprocessing and decision on Android.

It does the arithmetic itself, so that an app needs no native code for it.
"""

import re

import numpy as np

from pipeline.device_code.constants import KOTLIN_READS, c_float, c_symbol
from pipeline.device_code.library import describe_library, environment_for
from pipeline.device_code.parts import Part, UnsupportedError
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import (
    CodesEntry,
    ColumnsEntry,
    Entry,
    Preprocess,
    TableEntry,
)
from pipeline.ondevice.interpreter import keeps_state

MOST_COLUMNS = 1000  # constants of a class of the JVM have a limit


def kotlin_name(name: str) -> str:
    """Return the name of a model's object: DigitsCnn of digits-cnn."""
    return "".join(part.capitalize() for part in re.split(r"[_-]+", c_symbol(name)) if part)


def make_kotlin(name: str, preprocess: Preprocess, file: ModelFile) -> dict[str, str]:
    """Return file name -> text of a model's Kotlin file.

    Args:
        name: of the model.
        preprocess: contents of preprocess.json.
        file: the .tflite file's row of the manifest.

    Raises:
        UnsupportedError: its samples are no rows of a table, or it needs what the file has not.
    """
    for entry in preprocess.inputs:
        _check_entry(entry)
    target = preprocess.target
    if preprocess.detector is not None or (target is not None and target.channel is not None):
        raise UnsupportedError("a detector of adversarial examples, or a forecast")
    dtype = file.outputs[0].dtype
    if dtype not in KOTLIN_READS:
        raise UnsupportedError(f"an output of type {dtype}")
    context = describe_library(name, preprocess, file)
    environment = environment_for(preprocess)
    environment.filters |= {"k_string": k_string, "k_bound": k_bound, "trim_last": trim_last}
    more: Part = {"kt": kotlin_name(name), "keeps_state": keeps_state(file.ops)}
    text = environment.get_template("model.kt.j2").render(context | more)
    return {f"{kotlin_name(name)}.kt": text}


def _check_entry(entry: Entry) -> None:
    if not isinstance(entry, ColumnsEntry | CodesEntry | TableEntry):
        raise UnsupportedError(f"input {entry.name}: no row of a table")
    columns = entry.columns or []
    if len(columns) > MOST_COLUMNS or np.prod(entry.shape) > MOST_COLUMNS:
        raise UnsupportedError(f"input {entry.name}: more than {MOST_COLUMNS} columns")
    if entry.raw_dtype != "float32":
        raise UnsupportedError(f"input {entry.name}: raw values of type {entry.raw_dtype}")
    if entry.sanitize is not None and entry.sanitize.levels is not None:
        raise UnsupportedError(f"input {entry.name}: values of few levels")


def k_string(text: str) -> str:
    """Return a string of Kotlin, all that is no plain letter as codes of UTF-16."""
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2").tolist()
    return '"' + "".join(_letter(unit) for unit in units) + '"'


def _letter(unit: int) -> str:
    sign = chr(unit)
    plain = sign.isascii() and (sign.isalnum() or sign in " _-.,:;+*/=()<>[]{}!#&@^|~'?")
    return sign if plain else f"\\u{unit:04x}"


def k_bound(number: float) -> str:
    """Return a Float that may be infinite."""
    if np.isinf(number):
        return "Float.POSITIVE_INFINITY" if number > 0 else "Float.NEGATIVE_INFINITY"
    return c_float(number)


def trim_last(lines: str) -> str:
    """Return lines of numbers without the last comma, which old compilers refuse."""
    return lines.rstrip().removesuffix(",")
