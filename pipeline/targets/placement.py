"""Where each operation of an int8 model runs on a target with an NPU, and the rule that says so.

Asked before training, of the layers, and after export, of the file where the compiler is missing.
"""

from collections.abc import Iterable

from pipeline.targets.compiler import Operation, PlacedOperation
from pipeline.targets.registry import TARGETS, compiler_of


def place(operations: Iterable[Operation], target: str) -> tuple[PlacedOperation, ...]:
    """Return where each operation runs, by the rules.

    Args:
        operations: in the order of execution.
        target: key of TARGETS.
    """
    placed: list[PlacedOperation] = []
    compiler = compiler_of(target)
    is_open = compiler is not None
    for op in operations:
        why = broken_rule(op, target) if is_open else None
        if op.name in TARGETS[target].lacks:
            why = f"nothing runs it on {target}"
        is_npu = is_open and why is None
        placed.append(
            PlacedOperation(name=op.tensor, op=op.name, where="npu" if is_npu else "cpu", why=why)
        )
        is_open = is_npu if compiler is not None and compiler.is_one_part else is_open
    return tuple(placed)


def broken_rule(op: Operation, target: str) -> str | None:
    """Return the rule that keeps an operation off a target's NPU; None where it may run there."""
    device, compiler = TARGETS[target], compiler_of(target)
    assert compiler is not None  # of a target with an NPU
    if op.name not in compiler.npu_ops:
        return f"{device.npu} has no such operation"
    wrong = [kind for kind in (*op.reads, *op.writes) if kind not in compiler.types]
    if wrong:
        wide = ", or of 16" if "int16" in compiler.types else ""
        return f"computes in {wrong[0]}; {device.npu} computes in integers of 8 bits{wide}"
    return compiler.broken_rule(op, device)
