"""COMPILERS and TARGETS: the vendors whose NPUs files are compiled for, and every kind of device.

A vendor is one file beside this one, a row here, and the names of its devices in the config's
Target. The compilers have the last word, after export; before training their rules speak.
"""

from pipeline.targets import edge_tpu, ethos_u, qualcomm
from pipeline.targets.compiler import Compiler, Target

COMPILERS = {
    "vela": ethos_u.COMPILER,
    "edgetpu_compiler": edge_tpu.COMPILER,
    "qualcomm": qualcomm.COMPILER,
}
TARGETS = {
    "cpu": Target(),
    "mcu": Target("c_source", lacks=frozenset(["GELU"])),  # as tflite-micro says
    **{name: target for found in COMPILERS.values() for name, target in found.targets.items()},
}


def compiler_of(target: str) -> Compiler | None:
    """Return the compiler of a target's NPU; None: it has none."""
    return COMPILERS.get(TARGETS[target].compiler or "")
