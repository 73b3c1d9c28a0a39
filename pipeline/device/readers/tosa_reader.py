"""TOSA's reference model: the arithmetic that TOSA defines, run as it is written.

Three tools in a row: converter, serializer and reference model. None of their exit codes says that
an operation was left as it was, so what the converter wrote is searched for one.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

LEFT = re.compile(r'^\s*(?:%\S+ = )?"?tfl\.(\w+)"?[ (]', re.MULTILINE)  # an operation, no attribute


def load(path: str, borders: Mapping[str, Any]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that runs one sample.

    Raises:
        ValueError: TOSA has no form of an operation, or a tool refuses the file.
    """
    import tosa_reference_model

    sides = borders["outputs"]
    with tempfile.TemporaryDirectory(prefix="edgeline_tosa_") as folder:
        text, binary = Path(folder) / "model.mlir", Path(folder) / "model.tosa"
        _call("tosa-converter-for-tflite", path, "--text", "-o", text)
        left = sorted(set(LEFT.findall(text.read_text())))
        if left:
            raise ValueError(f"TOSA has no form of {', '.join(name.upper() for name in left)}")
        _call("tosa-opt", "--tosa-serialize", f"--tosa-flatbuffer-filename={binary}", text)
        content = binary.read_bytes()

    def call(inputs: Sequence[Any]) -> Sequence[Any]:
        made, status = tosa_reference_model.run(content, [np.ascontiguousarray(x) for x in inputs])
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise ValueError(f"the reference model ends with {status.name}")
        return [
            np.frombuffer(np.ascontiguousarray(values).tobytes(), side["dtype"]).reshape(
                side["shape"]
            )
            for values, side in zip(made, sides, strict=True)
        ]

    return call


def _call(program: str, *arguments: Any) -> None:
    """Run a tool that was installed beside this Python.

    Raises:
        ValueError: it fails; the message holds the first line that it wrote.
    """
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ValueError(
            f"{program} ends with status {done.returncode}: {(said or ['no word'])[0]}"
        )
