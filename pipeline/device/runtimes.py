"""RUNTIMES: name -> the Python whose interpreter it is, its kernels, and what it cannot run.

Runtimes of one class of kernel give the same bits; across classes outputs differ by a few steps.
The browser has no Python: pipeline/device/browser.py runs files there. Readers are other programs
that read .tflite files; pipeline/readers/ runs them, in an environment of their own.

tflite-runtime needs an older NumPy, so it lives in an environment of its own, which is also what a
Raspberry Pi or a Coral board has; tflite-micro, made nightly, lives there too.
"""

import functools
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.device import browser
from pipeline.errors import ConfigError
from pipeline.readers.environment import CURE, PYTHON

ROOT = Path(__file__).resolve().parents[2]
APART = Path(os.environ.get("EDGELINE_TFLITE_PYTHON", ROOT / ".venv-tflite" / "bin" / "python"))
TIME_LIMIT = 30  # seconds for a Python to say what it holds; it takes a twentieth of one
ASK = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"


@dataclass(frozen=True)
class Runtime:
    """An interpreter that files are run on."""

    distribution: str
    python: Path
    kernels: Literal["xnnpack", "builtin", "reference", "own", "emulated"]
    """XNNPACK's, TFLite's own for this machine, the reference ones that define the result, those of
    another program, or a vendor's emulation of an NPU."""
    refuses: dict[str, str]
    """Format -> why this runtime does not run it."""
    cure: str
    """How to get it."""
    lacks_operations: bool = False
    """Whether a file may hold an operation that it has not: then it is skipped there."""
    is_second: bool = False
    """Whether its Python holds another, which the on-device runner prefers."""
    reader: str | None = None
    """What runs it where the on-device runner does not: browser, or a module of readers/."""


def _reader(distribution: str, name: str, kernels: Literal["own", "emulated"] = "own") -> Runtime:
    """Return the row of a program in the readers' environment."""
    return Runtime(distribution, PYTHON, kernels, {}, CURE, lacks_operations=True, reader=name)


LITERT = "ai-edge-litert", Path(sys.executable)
SETUP = "make setup, on a machine with Python 3.11"
RUNTIMES = {
    "litert": Runtime(*LITERT, "xnnpack", {}, "make setup"),
    "litert-builtin": Runtime(*LITERT, "builtin", {}, "make setup", is_second=True),
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
        is_second=True,
    ),
    "browser": Runtime(
        browser.PACKAGE,
        Path(sys.executable),
        "xnnpack",
        {},
        "npm and Chromium: see docs/how-to/browser.md",
        lacks_operations=True,
        reader="browser",
    ),
    "compiled-model": Runtime(
        *LITERT, "xnnpack", {}, "make setup", lacks_operations=True, reader="compiled"
    ),
    "openvino": _reader("openvino", "openvino"),
    "tosa": _reader("tosa-tools", "tosa"),
    "hexagon": _reader("onnxruntime-qnn", "hexagon", "emulated"),
}


def why_missing(name: str) -> str | None:
    """Return why a runtime is not there; None where it is."""
    if name == "browser":
        lacking = browser.missing_parts()
        return None if lacking is None else f"{name}: {lacking}"
    if version(name) is not None:
        return None
    runtime = RUNTIMES[name]
    return f"{name}: not installed for {runtime.python.name} ({runtime.cure})"


@functools.cache
def version(name: str) -> str | None:
    """Return the version of a runtime, as its own Python says; None where it is not installed."""
    if name == "browser":
        return None if browser.missing_parts() else browser.version()
    runtime = RUNTIMES[name]
    if runtime.python == Path(sys.executable):  # no process has to be asked
        try:
            return importlib.metadata.version(runtime.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None
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


def require(name: str) -> None:
    """Refuse a runtime that is not known, or not there.

    Raises:
        ConfigError: says how to get it.
    """
    from pipeline.config.shape import did_you_mean

    if name not in RUNTIMES:
        near = did_you_mean(name, tuple(RUNTIMES))
        raise ConfigError(
            f"--runtime {name}: no such runtime{near}; there are {', '.join(RUNTIMES)}"
        )
    reason = why_missing(name)
    if reason is not None:
        raise ConfigError(f"--runtime {reason}")
