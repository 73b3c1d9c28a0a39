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

PACKAGES = ("numpy", "scipy", "scikit-learn", "pillow")  # beside those of a recipe
# What Eigen, oneDNN, XNNPACK and BLAS choose their kernels by.
FEATURES = re.compile(r"sse4_2|avx\w*|fma|f16c|amx_\w+|asimd\w*|sve\w*|bf16|i8mm|fphp")
SETTINGS = (
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")


def record() -> dict[str, Any]:
    """Return what the bits made in this process depend on; the same on one machine, always."""
    return _still() | {
        "threads": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "gpus": _gpus(),
    }


def equality(own: Mapping[str, Any], stages: Mapping[str, Any]) -> dict[str, Any]:
    """Return which class of equality a bundle's bytes have, and what it depends on.

    Args:
        own: the record of who writes the bundle.
        stages: name -> the record of where a stage ran; None where that is not known.
    """
    plain = {**own, "gpus": []}
    elsewhere = {
        name: found
        for name, found in stages.items()
        if found is None or {**found, "gpus": []} != plain
    }
    gpus = sorted({gpu for found in stages.values() if found for gpu in found["gpus"]})
    return {
        "same": "bits",
        "other": "rounding",
        "depends_on": {**own, "gpus": gpus},
        "ran_elsewhere": elsewhere,
    }


@functools.cache
def _still() -> dict[str, Any]:
    """Return what does not change while a process lives."""
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
