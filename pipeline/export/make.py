"""Make one .tflite file of a format: which operation of the worker, with what."""

import threading
from pathlib import Path
from typing import Any

from pipeline.documents.recipe import FileRecipe
from pipeline.export.inspect import INTEGER_FORMATS
from pipeline.worker.client import request

FROM_FLOAT32 = {"float16": "float16_file", "dynamic": "dynamic_file"}  # format -> operation
# What a recipe says of an integer file that is made from the float32 one.
CHOSEN = {"clipping", "correct", "int16_fraction", "float_fraction", "input_ranges"}

_making = threading.Lock()  # rungs that are measured side by side use one float32 file


def make_file(
    path: Path,
    form: str,
    *,
    recipe: FileRecipe,
    models: Path,
    spec: Path,
    calibration: Path,
    io: str,
    work: Path,
) -> None:
    """Write `path`; the float32 file that the others come from is kept below `work`.

    Args:
        path: the file to write.
        form: float32, float16, dynamic, int8 or int16x8.
        recipe: what compress decided for this format.
        models: folder of the `.keras` files; the recipe names one of them.
        spec: spec.json.
        calibration: calibration.npz.
        io: type of input and output of the integer files.
        work: folder for the float32 file of each.
    """
    model = models / recipe.model
    made: dict[str, Any] = {"out": str(path), "form": form}
    if form in INTEGER_FORMATS:
        made |= {"io": io, "calibration": str(calibration), "granularity": recipe.granularity}
        if recipe.quantizer == "converter":
            request("converted_integer_file", model=str(model), spec=str(spec), **made)
        else:
            chosen = recipe.model_dump(mode="json", include=CHOSEN)
            request("integer_file", float32=str(float32_file(model, spec, work)), **made, **chosen)
    elif form in FROM_FLOAT32:
        request(FROM_FLOAT32[form], float32=str(float32_file(model, spec, work)), out=str(path))
    else:
        path.write_bytes(float32_file(model, spec, work).read_bytes())


def float32_file(model: Path, spec: Path, work: Path) -> Path:
    """Return the float32 file that a model's others are made from, made where it is not there yet.

    Args:
        model: the `.keras` file.
        spec: spec.json.
        work: folder for it, and for those of other models.
    """
    float32 = work / model.stem / "float32.tflite"
    with _making:
        if not float32.exists():
            float32.parent.mkdir(parents=True, exist_ok=True)
            partial = float32.with_suffix(".partial")
            request("float_file", model=str(model), spec=str(spec), out=str(partial))
            partial.rename(float32)
    return float32
