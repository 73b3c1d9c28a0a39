"""Devices, runtimes, compilers and data of this machine; what is missing and how to get it.

Loads no TensorFlow into this process: versions come from installed metadata, and the one check
that needs TensorFlow runs in a process of its own, with a time limit.
"""

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipeline.device import browser
from pipeline.device.runtimes import RUNTIMES
from pipeline.device.runtimes import version as version_of
from pipeline.targets.compiler import Compiler
from pipeline.targets.registry import COMPILERS
from pipeline.tracking import ADDRESS

PACKAGES = ("tensorflow", "keras", "tf-keras", "tensorflow-datasets", "keras-tuner", "scikit-learn")
GPU_LIMIT_S = 10.0
TENSORFLOW_LIMIT_S = 90.0  # TensorFlow takes 4 to 10 s to import, and longer from a cold disk
COUNT_GPUS = "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    item: str
    is_there: bool
    detail: str
    cure: str = ""
    """How to get it; empty where it is there or cannot be got."""


def examine() -> dict[str, list[Finding]]:
    """Check everything; return group -> its findings."""
    return {
        "packages": [_python(), *(_package(name, "run: make setup") for name in PACKAGES)],
        "devices": [_cpu(), *_gpus(), _tpu(), _edge_tpu()],
        "runtimes": [
            *(_runtime(name) for name in RUNTIMES),
            _on_path("ssh", "optional: apt-get install openssh-client, for conform --device"),
            _on_path("openssl", "optional: apt-get install openssl, for demo --lan"),
            _package("segno", "optional: pip install 'edgeline[demo]', for demo --lan"),
        ],
        "compilers": [_compiler(found) for found in COMPILERS.values()],
        "data": [_prepared_sets(), _disk()],
        "tracking": [_package("tensorboard", "run: make setup"), _mlflow()],
    }


def _python() -> Finding:
    words = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", (3, 11) <= sys.version_info < (3, 14), words, "")


def _package(name: str, cure: str) -> Finding:
    """Look for an installed distribution."""
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", cure)


def _mlflow() -> Finding:
    """Look for MLflow, and for where runs are recorded."""
    if find_spec("mlflow") is None:
        return Finding("mlflow", False, "not installed", "optional: pip install 'edgeline[mlflow]'")
    where = os.environ.get(ADDRESS)
    return Finding("mlflow", True, f"records in {where}" if where else f"{ADDRESS} is not set")


def _cpu() -> Finding:
    return Finding(
        "cpu",
        True,
        f"{len(os.sched_getaffinity(0))} cores"
        if hasattr(os, "sched_getaffinity")
        else f"{os.cpu_count()} cores",
    )


def _gpus() -> list[Finding]:
    """Ask the driver for GPUs, and TensorFlow only where the driver names one."""
    named = _output(["nvidia-smi", "-L"], GPU_LIMIT_S)
    if not named:
        return [Finding("gpu", False, "the NVIDIA driver names none; training runs on the CPU")]
    count = _output([sys.executable, "-c", COUNT_GPUS], TENSORFLOW_LIMIT_S)
    seen = int(count.split()[-1]) if count and count.split()[-1].isdecimal() else 0
    names = [line.split(" (UUID")[0] for line in named.splitlines()]
    cure = "" if seen else "install the gpu extra: pip install 'edgeline[gpu]'"
    detail = f"{', '.join(names)}; TensorFlow sees {seen}"
    return [Finding("gpu", seen > 0, detail, cure)]


def _output(command: list[str], limit_s: float) -> str | None:
    """Return what a command prints; None: it is not there, failed, or took too long."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=True, env=quiet
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _tpu() -> Finding:
    name = os.environ.get("TPU_NAME")
    return Finding("tpu", name is not None, f"TPU_NAME={name}" if name else "TPU_NAME is not set")


def _edge_tpu() -> Finding:
    """Look for the library that drives a Coral accelerator."""
    if find_library("edgetpu"):
        return Finding("edge tpu", True, "libedgetpu is installed")
    return Finding(
        "edge tpu", False, "no libedgetpu", "optional: coral.ai/software, for a Coral board"
    )


def _runtime(name: str) -> Finding:
    """Look for a runtime in the environment that it is run in."""
    if name == "browser":
        return _browser()
    found, runtime = version_of(name), RUNTIMES[name]
    if found is None:
        return Finding(name, False, "not installed", f"optional: {runtime.cure}")
    where = "" if runtime.python == Path(sys.executable) else f" in {runtime.python.parents[1]}"
    return Finding(name, True, f"{found}{where}, {runtime.kernels} kernels")


def _browser() -> Finding:
    """Look for LiteRT.js and a Chromium that runs it."""
    lacking = browser.missing_parts()
    if lacking is None:
        detail = f"{browser.PACKAGE} {browser.version()}, {browser.find_browser()}"
        return Finding("browser", True, detail)
    what, _, cure = lacking.partition(" (")
    return Finding("browser", False, what, f"optional: {cure.removesuffix(')')}")


def _compiler(compiler: Compiler) -> Finding:
    """Look for an NPU's compiler: a package, or a program."""
    if compiler.distribution is not None:
        return _package(compiler.distribution, compiler.cure)
    if compiler.python is not None:
        return _in_python(compiler)
    return _on_path(compiler.program or "", compiler.cure)


def _in_python(compiler: Compiler) -> Finding:
    """Look for a compiler in an environment of its own."""
    name = f"compiler for {next(iter(compiler.targets)).partition('-')[0]}"
    if compiler.is_missing():
        return Finding(name, False, "not installed", compiler.cure)
    return Finding(name, True, str(compiler.python))


def _on_path(name: str, cure: str) -> Finding:
    """Look for a program."""
    path = shutil.which(name)
    return Finding(name, True, path) if path else Finding(name, False, "not on the PATH", cure)


def _prepared_sets() -> Finding:
    """List the sets that tensorflow-datasets can read without a network."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    names = [path.parents[1].name for path in folder.glob("*/*/dataset_info.json")]
    names += [path.parents[2].name for path in folder.glob("*/*/*/dataset_info.json")]
    detail = f"{', '.join(sorted(set(names))) or 'none'} in {folder}"
    return Finding(
        "prepared tfds sets", bool(names), detail, "" if names else "they are made on first use"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding(
        "disk",
        free > 2e9,
        f"{free / 1e9:.1f} GB free here",
        "" if free > 2e9 else "make room: a run takes up to 2 GB",
    )
