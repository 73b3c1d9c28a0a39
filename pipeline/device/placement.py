"""Where each operation of an int8 model runs on a target with an NPU, and the rule that says so.

Asked before training, of the layers, and after export, of the file where the compiler is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.device.targets import TARGETS
from pipeline.documents.budget import PlacedOperation

EDGE_TPU = "edgetpu_compiler"
INTEGERS = ("int8", "uint8", "int16", "int32")  # int32: shapes and indices
NARROW = ("int8", "uint8", "int32")
WIDE_DIMENSIONS = 3  # only the three innermost may be larger than 1


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


def place(operations: Iterable[Operation], target: str) -> tuple[PlacedOperation, ...]:
    """Return where each operation runs, by the rules.

    From the first operation that cannot run on an Edge TPU on, everything runs on the CPU.

    Args:
        operations: in the order of execution.
        target: key of TARGETS.
    """
    placed: list[PlacedOperation] = []
    is_open, compiler = bool(TARGETS[target].npu_ops), TARGETS[target].compiler
    for op in operations:
        why = broken_rule(op, target) if is_open else None
        if op.name in TARGETS[target].lacks:
            why = f"nothing runs it on {target}"
        is_npu = is_open and why is None
        placed.append(
            PlacedOperation(name=op.tensor, op=op.name, where="npu" if is_npu else "cpu", why=why)
        )
        is_open = is_npu if compiler == EDGE_TPU else is_open
    return tuple(placed)


def broken_rule(op: Operation, target: str) -> str | None:
    """Return the rule that keeps an operation off a target's NPU; None where it may run there."""
    wanted = TARGETS[target]
    if op.name not in wanted.npu_ops:
        return f"{wanted.npu} has no such operation"
    known = NARROW if wanted.compiler == EDGE_TPU else INTEGERS
    wrong = [kind for kind in (*op.reads, *op.writes) if kind not in known]
    if wrong:
        return f"computes in {wrong[0]}; {wanted.npu} computes in integers of 8 bits" + (
            "" if wanted.compiler == EDGE_TPU else ", or of 16"
        )
    if wanted.compiler != EDGE_TPU:
        is_lookup = op.name == "GATHER" and "int32" in op.reads
        return f"{wanted.npu} looks nothing up by 32-bit numbers" if is_lookup else None
    for shape in op.shapes:
        if any(size < 1 for size in shape):
            return f"a tensor of shape {list(shape)} has no constant size"
        if any(size > 1 for size in shape[:-WIDE_DIMENSIONS]):
            return f"a tensor of shape {list(shape)} is wide outside its three innermost dimensions"
    return None
