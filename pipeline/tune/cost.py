"""What a network costs on the device: it follows from its graph, so it is known before training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, Model
from pipeline.device.measure import run_file
from pipeline.documents.preprocess import Preprocess
from pipeline.export.compilers import compile_for
from pipeline.models import budget
from pipeline.seeds import fold_seed
from pipeline.targets.registry import compiler_of

Sample = tuple[Preprocess, Mapping[str, Array]]
"""preprocess.json, and raw samples by input."""
Costs = dict[str, float | None]
NAMES = (
    "bytes",
    "parameters",
    "macs",
    "activation_bytes",
    "latency_ms",
    "sram_bytes",
    "arena_bytes",
)
UNITS = {"parameters": "weights", "macs": "multiply-accumulates"}
SPREAD = 0.02  # of the noise on untrained weights: enough that no two tensors are alike


def of_graph(model: Model) -> Costs:
    """Return parameters, macs and activation_bytes, and of the bytes those that kernels take.

    A file holds a byte a weight of its kernels at least.
    """
    kernels = [weight.shape for weight in model.weights if len(weight.shape) > 1]
    return {
        "bytes": int(sum(np.prod(shape) for shape in kernels)),
        "parameters": budget.parameters(model),
        "macs": budget.macs(model),
        "activation_bytes": budget.peak_activation_bytes(model),
    }


def of_file(
    file: Path,
    targets: Sequence[str],
    work: Path,
    *,
    arena_of: Sample | None,
) -> Costs:
    """Return bytes, and of an int8 file what compilers and tflite-micro say.

    Args:
        file: the .tflite file.
        targets: of `export.targets`; those with Vela are asked, and the worst counts. None where
            Vela refuses the file.
        work: folder for compiled files.
        arena_of: preprocess.json and raw samples to run tflite-micro on; None: not asked.
    """
    found: Costs = {"bytes": file.stat().st_size}
    rows = [
        compile_for(target, file, work, skipped={})
        for target in targets
        if (compiler := compiler_of(target)) is not None and compiler.estimates_costs
    ]
    for name, key in (("latency_ms", "latency_ms_estimate"), ("sram_bytes", "sram_bytes")):
        values = [getattr(row, key) for row in rows]
        if values:
            found[name] = None if None in values else max(values)
    if arena_of is not None:
        found["arena_bytes"] = run_file(file, *arena_of, runtime="tflite-micro").arena_bytes
    return found


def beyond(costs: Mapping[str, float | None], limits: Mapping[str, float | None]) -> str | None:
    """Return what of the costs lies beyond its limit, in words; None: nothing does.

    Args:
        costs: name -> value; None: it is not known, which is beyond any limit.
        limits: name -> the most that is allowed; None: anything.
    """
    told = []
    for name in NAMES:
        limit = limits.get(name)
        if limit is None or name not in costs:
            continue
        value = costs[name]
        if value is None:
            told.append(f"{name} cannot be known: the compiler refuses the file")
        elif value > limit:
            told.append(f"{_said(name, value)}, and the limit is {_said(name, limit)}")
    return "; ".join(told) if told else None


def _said(name: str, value: float) -> str:
    if name == "latency_ms":
        return f"a latency of {value:,.4g} ms"
    return f"{value:,.0f} {UNITS[name] if name in UNITS else name.replace('_', ' ')}"


def shaken(model: Model, seed: int) -> None:
    """Move every weight a little: a file made of it is as large as one made of trained weights.

    Untrained biases are all zero; equal tensors would be stored once.
    """
    random = np.random.Generator(np.random.Philox(fold_seed(seed, "shaken")))
    for weight in model.weights:
        value = np.asarray(weight)
        if value.dtype.kind == "f":
            noise = np.abs(random.standard_normal(value.shape)) * SPREAD
            weight.assign((value + noise).astype(value.dtype))
