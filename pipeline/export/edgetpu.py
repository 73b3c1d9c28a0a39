"""The Coral Edge TPU: compile an int8 file where edgetpu_compiler is installed.

The compiler is in no package registry; where it is missing the rules of device/placement.py answer.
"""

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
