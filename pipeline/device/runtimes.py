"""RUNTIMES: name -> the Python whose interpreter it is, its kernels, and what it cannot run.

Runtimes of one class of kernel answer the same bits; across classes answers are a few steps apart.
tflite-runtime needs an older NumPy, so it lives in an environment of its own, which is also what a
Raspberry Pi or a Coral board has; tflite-micro, made nightly, lives there too.
"""

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
APART = Path(os.environ.get("EDGELINE_TFLITE_PYTHON", ROOT / ".venv-tflite" / "bin" / "python"))
TIME_LIMIT = 30  # seconds for a Python to say what it holds; it takes a twentieth of one
ASK = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"


@dataclass(frozen=True)
class Runtime:
    """An interpreter that files are run on."""

    distribution: str
    python: Path
    kernels: Literal["xnnpack", "builtin", "reference"]
    """XNNPACK's, TFLite's own for the machine at hand, or the plain ones that define the answer."""
    refuses: dict[str, str]
    """Format -> why this runtime does not run it."""
    cure: str
    """How to get it."""
    lacks_operations: bool = False
    """Whether a file may hold an operation that it has not: then it is skipped there."""


LITERT = "ai-edge-litert", Path(sys.executable)
SETUP = "make setup, on a machine with Python 3.11"
RUNTIMES = {
    "litert": Runtime(*LITERT, "xnnpack", {}, "make setup"),
    "litert-builtin": Runtime(*LITERT, "builtin", {}, "make setup"),
    "tflite-runtime": Runtime("tflite-runtime", APART, "builtin", {}, SETUP),
    "tflite-micro": Runtime(
        "tflite-micro",
        APART,
        "reference",
        {
            "float16": "tflite-micro has no 16-bit floats",
            "dynamic": "tflite-micro multiplies no floats by integer weights",
        },
        f"{SETUP}, or pip install --pre tflite-micro into that of EDGELINE_TFLITE_PYTHON",
        lacks_operations=True,
    ),
}


def missing(name: str) -> str | None:
    """Return why a runtime is not there; None where it is."""
    if version(name) is not None:
        return None
    runtime = RUNTIMES[name]
    return f"{name}: not installed for {runtime.python.name} ({runtime.cure})"


@functools.cache
def version(name: str) -> str | None:
    """Return the version of a runtime, as its own Python says; None where it is not installed."""
    runtime = RUNTIMES[name]
    try:
        done = subprocess.run(
            [runtime.python, "-c", ASK, runtime.distribution],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
