"""The remedy ladder: rungs in order, the first that passes the gates ships. Pure functions.

A rung is a way to quantize; what it costs and how far it falls from the reference is measured once,
on validation data, and kept, so that another gate only chooses again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

PLAIN = "int8"
# step -> (format it ships, how its file is made, why one climbs to it)
RUNGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "int8": (
        "int8",
        {"clipping": "min_max", "keep_float": []},
        "full integers, ranges by least and greatest value",
    ),
    "calibration": (
        "int8",
        {"clipping": "mse", "keep_float": []},
        "ranges cut to the least squared error: outliers no longer coarsen the rest",
    ),
    "int16x8": (
        "int16x8",
        {"clipping": "min_max", "keep_float": []},
        "16-bit activations: 256 times finer steps, at twice the activation memory",
    ),
}
NOT_BUILT = {
    "correction": "bias correction and cross-layer equalisation are not in this version",
    "mixed": "mixed precision is not in this version",
    "qat": "quantization-aware training is not in this version",
}


def steps(remedies: Sequence[str]) -> list[str]:
    """Return the rungs to climb, plain int8 first."""
    return [PLAIN, *(step for step in remedies if step in RUNGS)]


def passes(measured: Mapping[str, Any], gates: Mapping[str, float | None]) -> bool:
    """Tell whether a rung's measurements hold the gates that validation data can judge.

    Args:
        measured: metric_drop, agreement, worst_class_drop (None where there are no classes),
            float_ops, bytes.
        gates: the limits by name; None: not asked.
    """
    limits = {
        name: gates[name] for name in ("metric_drop", "worst_class_drop", "float_ops", "bytes")
    }
    kept = all(
        limit is None or measured[name] is None or measured[name] <= limit
        for name, limit in limits.items()
    )
    return kept and (gates["agreement"] is None or measured["agreement"] >= gates["agreement"])


def choose(
    measured: Mapping[str, Mapping[str, Any]],
    gates: Mapping[str, float | None],
    *,
    exhaustive: bool,
) -> str:
    """Return the rung that ships: the first that passes, or the smallest passing when exhaustive.

    Where none passes it is the one with the least drop: the gate then fails with its figures.
    """
    passing = [step for step, found in measured.items() if passes(found, gates)]
    if not passing:
        return min(
            measured, key=lambda step: (measured[step]["metric_drop"], measured[step]["bytes"])
        )
    return min(passing, key=lambda step: measured[step]["bytes"]) if exhaustive else passing[0]


def rows(
    measured: Mapping[str, Mapping[str, Any]],
    gates: Mapping[str, float | None],
    remedies: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the table of rungs for recipe, report and manifest."""
    climbed = [
        {
            "step": step,
            "why": RUNGS[step][2],
            "bytes": found["bytes"],
            "metric": found["metric"],
            "metric_drop": found["metric_drop"],
            "agreement": found["agreement"],
            "passed": passes(found, gates),
        }
        for step, found in measured.items()
    ]
    left = [
        {
            "step": step,
            "why": f"skipped: {NOT_BUILT[step]}",
            "bytes": None,
            "metric": None,
            "passed": None,
        }
        for step in remedies
        if step in NOT_BUILT
    ]
    return climbed + left
