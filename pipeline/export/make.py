"""Make one .tflite file of a format: which operation of the worker, with what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.export.inspect import INTEGER_FORMATS
from pipeline.export.worker import request


def make_file(
    path: Path,
    form: str,
    *,
    recipe: Mapping[str, Any],
    model: Path,
    spec: Path,
    calibration: Path,
    io: str,
    work: Path,
) -> None:
    """Write `path`; the float32 file that the others come from is kept in `work`.

    Args:
        path: the file to write.
        form: float32, float16, dynamic, int8 or int16x8.
        recipe: what compress decided for this format.
        model: the `.keras` file.
        spec: spec.json.
        calibration: calibration.npz.
        io: type of input and output of the integer files.
        work: folder for the float32 file.
    """
    source: dict[str, Any] = {"model": str(model), "spec": str(spec)}
    made: dict[str, Any] = {"out": str(path), "form": form}
    if form == "float16":
        request("float_file", **source, **made)
    elif form in INTEGER_FORMATS and recipe["quantizer"] == "converter":
        request("converted_integer_file", **source, **made, io=io, calibration=str(calibration))
    elif form in INTEGER_FORMATS:
        request(
            "integer_file",
            float32=str(_float32(source, work)),
            **made,
            io=io,
            calibration=str(calibration),
            clipping=recipe["clipping"],
            correct=recipe["correct"],
            wide=recipe["wide"],
            input_ranges=dict(recipe["input_ranges"]),
            keep_float=list(recipe["keep_float"]),
        )
    elif form == "dynamic":
        request("dynamic_file", float32=str(_float32(source, work)), out=str(path))
    else:
        path.write_bytes(_float32(source, work).read_bytes())


def _float32(source: dict[str, Any], work: Path) -> Path:
    """Return the float32 file that others are made from, made where it is not there yet."""
    float32 = work / "float32.tflite"
    if not float32.exists():
        work.mkdir(exist_ok=True)
        partial = work / "float32.partial"
        request("float_file", **source, out=str(partial), form="float32")
        partial.rename(float32)
    return float32
