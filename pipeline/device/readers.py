"""Run a .tflite file by another program that reads it: OpenVINO, TOSA, Hexagon, CompiledModel.

Such a reader lives in an environment of its own (`make runtimes`). Inputs are prepared and
quantized here, as the file says; there they only run (side.py). What a reader says of itself counts
for nothing: type, shape and number of the outputs are checked, and the outputs are compared.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.ondevice.interpreter import match_input_name
from pipeline.ondevice.outputs import output_details
from pipeline.ondevice.quantize import quantize
from pipeline.process_limits import excess, run_confined
from pipeline.readers.environment import FOLDER

# What LiteRT logs, and what a C++ library dies of.
OWN = re.compile(r"(?:ERROR: \[[^]]*\]|what\(\):) ?(.*)")
Detail = Mapping[str, Any]
SIDE = FOLDER / "side.py"


def run(
    file: Path, inputs: Mapping[str, Array], *, python: Path, reader: str, limit_s: float
) -> tuple[dict[str, Array], float, dict[str, Detail]]:
    """Return raw outputs (name -> (N, ...)), the seconds of the invocations, and the details.

    Outputs are in the file's own types, and the details are those of its output tensors.

    Args:
        file: the .tflite file.
        inputs: name -> model inputs (N, ...), float32 or int32.
        python: the Python that has the reader.
        reader: a module of pipeline/readers, without `_reader`.
        limit_s: processor time that it may take, in seconds.

    Raises:
        ValueError: the reader refuses the file, or does not end; one line says why.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    given, outputs = interpreter.get_input_details(), output_details(interpreter)
    borders = [_describe(given), _describe(outputs.values())]
    with tempfile.TemporaryDirectory(prefix="edgeline_reader_") as name:
        arrays, made = Path(name) / "in.npz", Path(name) / "out.npz"
        values = [quantize(inputs[match_input_name(d, inputs)], d) for d in given]
        np.savez(arrays, **{str(place): x for place, x in enumerate(values)})
        command = [python, SIDE, reader, file.absolute(), json.dumps(borders), arrays, made]
        try:
            done = run_confined(command, limit_s=limit_s)
        except subprocess.TimeoutExpired:
            why = f"it did not finish within {limit_s:g} s of processor time"
            raise ValueError(why) from None
        if done.returncode:
            raise ValueError(excess(done.stderr) or _reason(done))
        with np.load(made) as found:
            raw = {output: found[str(place)] for place, output in enumerate(outputs)}
            return raw, float(found["seconds"]), outputs


def _describe(details: Iterable[Detail]) -> list[tuple[str, list[int], str]]:
    """Return name, shape and dtype of tensors."""
    return [(d["name"], d["shape"].tolist(), np.dtype(d["dtype"]).name) for d in details]


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line that says why a reader failed."""
    own = [words for words in OWN.findall(done.stderr) if words.strip()]
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if own or lines:
        return (own or lines)[0].removeprefix("error: ").strip()
    return f"its process ended with status {done.returncode}, without a reason"
