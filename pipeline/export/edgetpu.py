"""The Coral Edge TPU: compile an int8 file where edgetpu_compiler is installed, and its rules.

The compiler is in no package registry, so the rules (coral.ai, "TensorFlow models on the Edge TPU",
model requirements) are checked here where it is missing.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pipeline.device.targets import where
from pipeline.errors import ArtifactError
from pipeline.export.inspect import Operation, operations

TIME_LIMIT = 300
TARGET = "coral-edgetpu"
INTEGERS = ("int8", "uint8", "int32")  # int32: shapes and indices
WIDE_DIMENSIONS = 3  # only the three innermost may be larger than 1
TOTAL = re.compile(r"Total number of operations: (\d+)")
ON_CPU = re.compile(r"Number of operations that will run on CPU: (\d+)")
VERSION = re.compile(r"Edge TPU Compiler version (\S+)")


def place(int8: Path) -> list[dict[str, Any]]:
    """Return [{op, where, why}] by the rules; `why` is None save at the op that breaks one.

    From the first operation that cannot run on the Edge TPU on, everything runs on the CPU.
    """
    placed: list[dict[str, Any]] = []
    is_open = True
    for op in operations(int8):
        why = broken_rule(op) if is_open else None
        is_open = is_open and why is None
        placed.append({"op": op.name, "where": "npu" if is_open else "cpu", "why": why})
    return placed


def broken_rule(op: Operation) -> str | None:
    """Return the rule that keeps an operation off the Edge TPU; None where it may run there."""
    if where(op.name, TARGET) == "cpu":
        return "the Edge TPU has no such operation"
    wrong = [kind for kind in (*op.reads, *op.writes) if kind not in INTEGERS]
    if wrong:
        return f"computes in {wrong[0]}; only int8 and uint8 run there"
    for shape in op.shapes:
        if any(size < 1 for size in shape):
            return f"a tensor of shape {list(shape)} has no constant size"
        if any(size > 1 for size in shape[:-WIDE_DIMENSIONS]):
            return f"a tensor of shape {list(shape)} is wide outside its three innermost dimensions"
    return None


def compile_file(int8: Path, out: Path) -> dict[str, Any]:
    """Compile a file and return npu_ops, cpu_ops and compiler_version.

    Raises:
        ArtifactError: the compiler refuses the file, or does not finish.
    """
    with tempfile.TemporaryDirectory(prefix="edgeline_edgetpu_") as folder:
        command = ["edgetpu_compiler", "-s", "-o", folder, str(int8)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise ArtifactError(
                f"{int8}: edgetpu_compiler did not finish within {TIME_LIMIT} s"
            ) from None
        compiled = Path(folder) / f"{int8.stem}_edgetpu.tflite"
        total = TOTAL.search(done.stdout)
        is_made = compiled.exists() and compiled.stat().st_size > 0
        if done.returncode or not is_made or total is None:
            said = (done.stdout + done.stderr).strip()
            raise ArtifactError(f"{int8}: edgetpu_compiler refuses it: {said}")
        out.write_bytes(compiled.read_bytes())
    on_cpu = ON_CPU.search(done.stdout)
    version = VERSION.search(done.stdout)
    cpu_ops = int(on_cpu[1]) if on_cpu else 0
    return {
        "npu_ops": int(total[1]) - cpu_ops,
        "cpu_ops": cpu_ops,
        "compiler_version": f"edgetpu_compiler {version[1] if version else 'unknown'}",
    }
