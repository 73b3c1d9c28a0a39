"""RUNTIMES: name -> the Python whose interpreter it is, and what it cannot run.

The browser has no Python: pipeline/device/browser.py runs files there.

tflite-runtime needs an older NumPy, so it lives in an environment of its own, which is also what a
Raspberry Pi or a Coral board has.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.device import browser
from pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Runtime:
    """An interpreter that files are run on."""

    distribution: str
    python: Path
    refuses: dict[str, str]
    """Format -> why this runtime does not run it."""
    cure: str
    """How to get it."""


RUNTIMES = {
    "litert": Runtime("ai-edge-litert", Path(sys.executable), {}, "pip install ai-edge-litert"),
    "tflite-runtime": Runtime(
        "tflite-runtime",
        Path(os.environ.get("EDGELINE_TFLITE_PYTHON", ROOT / ".venv-tflite" / "bin" / "python")),
        {},
        "make setup, on a machine with Python 3.11",
    ),
    "browser": Runtime("@litertjs/core", Path(sys.executable), {}, "npm and Chromium: see README"),
}


def missing(name: str) -> str | None:
    """Return why a runtime is not there; None where it is."""
    runtime = RUNTIMES[name]
    if name == "browser":
        lacking = browser.missing()
        return None if lacking is None else f"{name}: {lacking}"
    return (
        None
        if runtime.python.exists()
        else f"{name}: no {runtime.python.name} for it here ({runtime.cure})"
    )


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
    reason = missing(name)
    if reason is not None:
        raise ConfigError(f"--runtime {reason}")
