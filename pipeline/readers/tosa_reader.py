"""TOSA's reference model: the arithmetic that TOSA defines, run as it is written.

Three tools in a row: converter, serializer and reference model. None of their exit codes says that
an operation was left as it was, so what the converter wrote is searched for one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.readers.side import Call, Tensor, Values

LEFT = re.compile(r'^\s*(?:%\S+ = )?"?tfl\.(\w+)"?[ (]', re.MULTILINE)  # an operation, no attribute
NO_OPERATIONS = {"no_value", "pseudo_const", "pseudo_qconst"}


def load(path: str, _inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Call:
    """Return a function that runs one sample: arrays (1, ...) to arrays (1, ...).

    Raises:
        ValueError: TOSA has no form of an operation, or a tool refuses the file.
    """
    import tosa_reference_model

    with tempfile.TemporaryDirectory(prefix="edgeline_tosa_") as folder:
        text, binary = Path(folder) / "model.mlir", Path(folder) / "model.tosa"
        _call("tosa-converter-for-tflite", path, "--text", "-o", text)
        left = sorted(set(LEFT.findall(text.read_text())) - NO_OPERATIONS)
        if left:
            raise ValueError(f"TOSA has no form of {', '.join(name.upper() for name in left)}")
        _call("tosa-opt", "--tosa-serialize", f"--tosa-flatbuffer-filename={binary}", text)
        content = binary.read_bytes()

    def call(inputs: Values) -> Values:
        made, status = tosa_reference_model.run(content, [np.ascontiguousarray(x) for x in inputs])
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise ValueError(f"the reference model ends with {status.name}")
        return [_typed(values, tensor) for values, tensor in zip(made, outputs, strict=True)]

    return call


def _typed(values: Any, tensor: Tensor) -> Any:
    """Return the values of an output, which the reference model gives as bytes."""
    content = np.ascontiguousarray(values).tobytes()
    return np.frombuffer(content, tensor.dtype).reshape(tensor.shape)


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
