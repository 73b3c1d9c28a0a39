"""What bits depend on beside config, data and the packages of a stage's recipe.

Two runs whose records are equal give the same bytes. Others differ by rounding: sums are made in
another order where vectors, caches, threads or the device are others. TensorFlow is asked only
where a stage has loaded it.
"""

import functools
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.documents.stages import Equality, Machine

PACKAGES = ("numpy", "scipy", "scikit-learn", "pillow")  # beside those of a recipe
# What Eigen, oneDNN, XNNPACK and BLAS choose their kernels by.
FEATURES = re.compile(r"sse4_2|avx\w*|fma|f16c|amx_\w+|asimd\w*|sve\w*|bf16|i8mm|fphp")
SETTINGS = (
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> Machine:
    """Return what the bytes made in this process depend on; always the same on one machine."""
    can_tell = hasattr(os, "sched_getaffinity")
    return Machine(
        **_still(),
        threads=len(os.sched_getaffinity(0)) if can_tell else os.cpu_count(),
        settings={name: os.environ[name] for name in SETTINGS if name in os.environ},
        gpus=tuple(_gpus()),
    )


def compare_machines(own: Machine, stages: Mapping[str, Machine]) -> Equality:
    """Return which class of equality a bundle's bytes have, and what it depends on.

    Args:
        own: the machine that writes the bundle.
        stages: name -> the machine that a stage ran on.
    """
    plain = own.model_copy(update={"gpus": ()})
    elsewhere = {
        name: machine
        for name, machine in stages.items()
        if machine.model_copy(update={"gpus": ()}) != plain
    }
    gpus = sorted({gpu for machine in stages.values() for gpu in machine.gpus})
    return Equality(
        depends_on=own.model_copy(update={"gpus": tuple(gpus)}), ran_elsewhere=elsewhere
    )


@functools.cache
def _still() -> dict[str, Any]:
    """Return the fields of a machine that do not change while a process lives."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        **_cpu(CPUINFO.read_text() if CPUINFO.exists() else ""),
    }


def _cpu(described: str) -> dict[str, Any]:
    """Return name and features of the processor, by the system's description of it."""
    fields: dict[str, str] = {}
    for line in reversed(described.splitlines()):  # the first core's stay
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    flags = fields.get("flags", fields.get("Features", "")).split()
    called = fields.get("model name") or fields.get("CPU part") or platform.processor()
    return {"cpu": called, "features": sorted(f for f in flags if FEATURES.fullmatch(f))}


def _gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow computes on, where it is loaded."""
    if "tensorflow" not in sys.modules:
        return []
    config = sys.modules["tensorflow"].config
    found = config.list_physical_devices("GPU")
    details = (config.experimental.get_device_details(gpu) for gpu in found)
    return [str(detail.get("device_name", "GPU")) for detail in details]
