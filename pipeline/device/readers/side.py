"""Run a .tflite file by another program that reads such files; a script for the Python that has it.

It is run by run.py. Beside the packages of one reader it needs NumPy alone. A reader is a module
of this folder, `<name>_reader.py`, with `load(path, borders)`: it returns a function of the model
inputs of one sample, in the order of the file, that returns the outputs, in the order of the file.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

QUOTED = 400  # characters of a message
Call = Callable[[Sequence[Any]], Sequence[Any]]


def main(reader: str, model: str, borders: str, given: str, outputs: str) -> int:
    """Write the raw outputs of all samples, and the seconds of the invocations.

    Args:
        reader: name of a module of this folder, without `_reader`.
        model: the .tflite file.
        borders: JSON of `inputs` and `outputs`: name, shape and dtype of each, as in the file.
        given: .npz of the inputs "0", "1"…: (N, ...) in the types of the file.
        outputs: .npz to write: "0", "1"…: (N, ...), and `seconds`.
    """
    sides: Mapping[str, Sequence[Mapping[str, Any]]] = json.loads(borders)
    try:
        call: Call = importlib.import_module(f"{reader}_reader").load(model, sides)
        with np.load(given) as found:
            columns = [found[str(place)] for place in range(len(sides["inputs"]))]
        began = time.perf_counter()
        rows = [call([column[i : i + 1] for column in columns]) for i in range(len(columns[0]))]
        seconds = time.perf_counter() - began
        made = {str(i): _join(rows, i, side) for i, side in enumerate(sides["outputs"])}
    except (ValueError, RuntimeError, TypeError, KeyError, OSError, ImportError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())[:QUOTED]}\n")
        return 4
    np.savez(outputs, seconds=np.float64(seconds), **made)
    return 0


def _join(rows: Sequence[Sequence[Any]], place: int, side: Mapping[str, Any]) -> Any:
    """Return one output of all samples (N, ...).

    Raises:
        ValueError: its type or shape is not that of the file.
    """
    joined = np.concatenate([np.asarray(row[place]) for row in rows])
    wanted = (len(rows), *side["shape"][1:])
    if joined.shape != wanted or joined.dtype != np.dtype(side["dtype"]):
        raise ValueError(
            f"output {side['name']} is {joined.dtype} {joined.shape}, "
            f"the file says {side['dtype']} {wanted}"
        )
    return joined


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
