"""Run a file once: converting is not running. Runs in the worker process."""

from pathlib import Path

import numpy as np

from pipeline.errors import ConversionError

QUOTED = 300  # characters of what an interpreter says


def try_once(file: str) -> None:
    """Load and invoke a file once on LiteRT, on zeros: converting is not running.

    Args:
        file: the .tflite file.

    Raises:
        ConversionError: an operation of it has no kernel that takes it.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=file, num_threads=1)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()[0][:QUOTED]
        raise ConversionError(f"{Path(file).name}: cannot be run on LiteRT: {said}") from error
