"""Run a .tflite file by another program that reads such files; a script for the Python that has it.

It is run by device/readers.py. Beside the packages of one reader it needs NumPy alone. A reader is
a module of this folder, `<name>_reader.py`, with `load(path, inputs, outputs)`: it returns a
function of the inputs of one sample that returns its outputs, both in the order of the file.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

QUOTED = 400  # characters of a message
Values = Sequence[NDArray[Any]]
Call = Callable[[Values], Values]


class Tensor(NamedTuple):
    """An input or output of the file."""

    name: str
    shape: list[int]
    dtype: str


def main(arguments: Sequence[str]) -> int:
    """Write the raw outputs of all samples, and the seconds of the invocations.

    Args:
        arguments: name of a reader; the .tflite file; JSON of its inputs and outputs, each a list
            of name, shape and dtype; .npz of the inputs "0", "1"…: (N, ...) in the types of the
            file; .npz to write: the outputs "0", "1"…: (N, ...), and `seconds`.
    """
    reader, model, borders, given, made = arguments
    inputs, outputs = ([Tensor(*tensor) for tensor in side] for side in json.loads(borders))
    try:
        call: Call = importlib.import_module(f"{reader}_reader").load(model, inputs, outputs)
        with np.load(given) as found:
            columns = [found[str(place)] for place in range(len(inputs))]
        began = time.perf_counter()
        rows = [call([column[i : i + 1] for column in columns]) for i in range(len(columns[0]))]
        seconds = time.perf_counter() - began
        columns = [_join(rows, place, tensor) for place, tensor in enumerate(outputs)]
    except (ValueError, RuntimeError, TypeError, LookupError, OSError, ImportError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())[:QUOTED]}\n")
        return 4
    arrays: dict[str, Any] = {str(place): column for place, column in enumerate(columns)}
    np.savez(made, seconds=np.float64(seconds), **arrays)
    return 0


def _join(rows: Sequence[Values], place: int, tensor: Tensor) -> NDArray[Any]:
    """Return one output of all samples (N, ...).

    Raises:
        ValueError: its type or shape is not that of the file.
    """
    joined = np.concatenate([np.asarray(row[place]) for row in rows])
    wanted = (len(rows), *tensor.shape[1:])
    if joined.shape != wanted or joined.dtype != np.dtype(tensor.dtype):
        raise ValueError(
            f"output {tensor.name} is {joined.dtype} {joined.shape}, "
            f"the file says {tensor.dtype} {wanted}"
        )
    return joined


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
