"""Compile an int8 file for the Coral Edge TPU with edgetpu_compiler, where it is installed."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pipeline.errors import ArtifactError

TIME_LIMIT = 300
TOTAL = re.compile(r"Total number of operations: (\d+)")
ON_CPU = re.compile(r"Number of operations that will run on CPU: (\d+)")
VERSION = re.compile(r"Edge TPU Compiler version (\S+)")


def compile_file(int8: Path, out: Path) -> dict[str, Any]:
    """Compile a file and return npu_ops, cpu_ops and compiler_version.

    Raises:
        ArtifactError: the compiler refuses the file.
    """
    with tempfile.TemporaryDirectory(prefix="edgeline_edgetpu_") as folder:
        command = ["edgetpu_compiler", "-s", "-o", folder, str(int8)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
        compiled = Path(folder) / f"{int8.stem}_edgetpu.tflite"
        if done.returncode or not compiled.exists() or not compiled.stat().st_size:
            raise ArtifactError(
                f"{int8}: edgetpu_compiler refuses it: {(done.stdout + done.stderr).strip()}"
            )
        out.write_bytes(compiled.read_bytes())
    total = int(TOTAL.search(done.stdout)[1])  # type: ignore[index]
    on_cpu = ON_CPU.search(done.stdout)
    version = VERSION.search(done.stdout)
    cpu_ops = int(on_cpu[1]) if on_cpu else 0
    return {
        "npu_ops": total - cpu_ops,
        "cpu_ops": cpu_ops,
        "compiler_version": f"edgetpu_compiler {version[1] if version else 'unknown'}",
    }
