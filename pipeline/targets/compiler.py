"""The records that a vendor's file is made of: its compiler, its devices, and an operation."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pipeline.documents.record import Record


@dataclass(frozen=True)
class Operation:
    """One operation of the graph, in the order of execution."""

    name: str
    reads: tuple[str, ...]
    """Types of the activations that it reads; constants are left out."""
    writes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of what it reads and writes, activations only."""
    tensor: str
    """Name of what it writes first."""


@dataclass(frozen=True)
class Target:
    """A kind of device."""

    compiler: str | None = None
    """Key of COMPILERS, or c_source, that compiles the int8 file; None: it runs as it is."""
    npu: str = ""
    """What people call the NPU; empty where there is none."""
    system: str = ""
    """The vendor's reference system that costs are estimated for: clock and memories."""
    memory: str = ""
    """The memory mode of that system."""
    lacks: frozenset[str] = frozenset()
    """Operations that what runs the file there has not: it stops at them."""


class CompileReport(Record):
    """What an NPU compiler says of a file; null: it does not say."""

    npu_ops: int | None = None
    """Operations that run on the NPU."""
    cpu_ops: int | None = None
    """Operations that stay on the CPU."""
    sram_bytes: int | None = None
    """Memory for activations."""
    latency_ms_estimate: float | None = None
    """Of one inference, on the stated system; an estimate, no measurement."""
    compiler_version: str | None = None
    """Name and version of the compiler."""
    system: str | None = None
    """System and memory mode that the estimate is for."""


class PlacedOperation(Record):
    """Where one operation runs on a target."""

    name: str
    """Of the layer, or of the tensor that it writes first."""
    op: str
    """TFLite's name, such as CONV_2D."""
    where: Literal["npu", "cpu"]
    why: str | None
    """The rule that keeps it off the NPU; null: none does."""


class Compile(Protocol):
    """How a vendor's compiler is called."""

    def __call__(self, int8: Path, out: Path, *, name: str, target: Target) -> CompileReport:
        """Compile a .tflite file into `out` for a target, and return what the compiler reports."""


@dataclass(frozen=True)
class Compiler:
    """What a vendor's compiler takes, how it is called, and how to get it."""

    targets: Mapping[str, Target]
    """Name in `export.targets` -> device."""
    npu_ops: frozenset[str]
    """Operations that leave the CPU."""
    types: tuple[str, ...]
    """Types of the activations that they read and write."""
    broken_rule: Callable[[Operation, Target], str | None]
    """What else keeps an operation off the NPU; None: nothing does."""
    compile: Compile
    """Compiles a file, or raises ConversionError where the compiler refuses it."""
    cure: str
    """How to get the compiler."""
    distribution: str | None = None
    """Python package that it comes in; it is then called in the worker."""
    program: str | None = None
    """Program on the PATH; where it is missing, our rules decide."""
    python: Path | None = None
    """Python of an environment of its own that it is in; where it is missing, our rules decide."""
    is_one_part: bool = False
    """Whether all runs on the CPU from the first operation on that cannot run on the NPU."""
    estimates_costs: bool = False
    """Whether it reports latency and memory."""
    no_mixtures: str | None = None
    """Why it takes no file of 8- and 16-bit activations; None: it does."""

    def is_missing(self) -> bool:
        """Tell whether its program, or its Python, is not on this machine."""
        needed = self.python or self.program
        return needed is not None and shutil.which(needed) is None
