"""Gates: a limit on a measured value, whether it holds, and what to try where it does not. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.tasks import Task, metric_drop

Row = dict[str, Any]

# format -> what comes nearer to the trained model; the report shows the other files' figures.
FINER = {
    "int8": "export.ships: int16x8, or more data.calibration_samples",
    "int16x8": "export.ships: float16, or more data.calibration_samples",
    "dynamic": "export.ships: float16",
    "float16": "export.ships: float32",
    "float32": "another layer or activation: conversion alone moved the answers",
}

MICRO = "tflite-micro"

LEAST = (  # the others are a most
    "agreement",
    "output_sqnr_db",
    "metric_least",
    "recording_least",
    "robust_least",
)

# A share of 1 in 20 is 0.05 and a bit in floating point; what is at its limit holds.
ROUNDING = 1e-9


def judge(limits: Mapping[str, float | None], file: Mapping[str, Any], *, metric: str) -> list[Row]:
    """Return a row for every gate that is asked for and that this file has a value for.

    Args:
        limits: the config's `gate` section; None: not asked.
        file: its format, and measurements of it: metric_drop, agreement, worst_class_drop (None
            without classes), worst_class, worst_layer, robust_drop (None without an audit),
            float_ops, bytes, and whatever else has a limit; `unmeasured`: gate -> why there is no
            value, for those that do not hold without one.
        metric: name of the task's metric, for the words.
    """
    rows = []
    for name, limit in limits.items():
        value = file[name]
        if limit is None or (value is None and name not in file["unmeasured"]):
            continue
        passed = value is not None and holds(name, value, limit)
        cure = "" if passed else (CURES | ALWAYS)[name](file, metric)
        side = "at least" if name in LEAST else "at most"
        row = {"name": name, "value": value, "limit": limit, "side": side, "passed": passed}
        rows.append(row | {"try": cure})
    return rows


def holds(name: str, value: float, limit: float) -> bool:
    """Tell whether a value holds a gate: those of LEAST from below, the others from above."""
    over = limit - value if name in LEAST else value - limit
    return over <= ROUNDING


def worst_runtime(runtimes: Mapping[str, Mapping[str, Any]]) -> Row:
    """Return the runtime that decides otherwise than LiteRT most often, with its name."""
    worst = max(runtimes, key=lambda name: runtimes[name]["changed"])
    return {"name": worst, **runtimes[worst]}


def no_arena(runtimes: Mapping[str, Any], file: str, skipped: Sequence[Mapping[str, str]]) -> Row:
    """Return gate -> why the arena of a file is not known; empty where it is."""
    if MICRO in runtimes:
        return {}
    item = f"{file} on {MICRO}"
    why = next((row["reason"] for row in skipped if row["item"] == item), "it was not asked")
    return {"arena_bytes": why}


def robust_accuracy(audit: Mapping[str, Any] | None, name: str) -> float | None:
    """Return the accuracy of a file under all attacks together; None unmeasured."""
    if audit is None or name not in audit["files"]:
        return None
    return float(audit["files"][name]["robust"])


def robust_drop(audit: Mapping[str, Any] | None, name: str) -> float | None:
    """Return how much robust accuracy a file loses against the float reference; None unmeasured."""
    if audit is None or name not in audit["files"]:
        return None
    found = audit["files"][name]
    return float(found["float_robust"] - found["robust"])


def failed_checks(audit: Mapping[str, Any] | None, name: str) -> list[Row] | None:
    """Return the checks of an attack on a file that failed; None where none was attacked.

    Those on the file that ships are not asked of the others, which are shown its inputs only.
    """
    if audit is None or name not in audit["files"]:
        return None
    whose = ("reference", "file") if audit["files"][name]["is_full"] else ("reference",)
    return [row for row in audit["checks"] if row["on"] in whose and not row["passed"]]


def robust_drop_upper(audit: Mapping[str, Any] | None, name: str) -> float | None:
    """Return the upper end of the loss's paired 95 % interval; None where it was not measured."""
    if audit is None or name not in audit["files"] or not audit["files"][name]["is_full"]:
        return None
    return float(audit["files"][name]["robust_drop_ci95"][1])


def worst_group_drop(
    groups: Mapping[str, Any] | None, form: str, task: Task
) -> tuple[float, str] | None:
    """Return the largest loss of the metric in a group, and its name; None where are no groups.

    Args:
        groups: of parity.json.
        form: the file's format.
        task: says the metric; a drop of an error is relative, as that over all samples is.
    """
    if groups is None:
        return None
    drops = {
        name: metric_drop(task, row["metrics"]["reference"], row["metrics"][form])
        for name, row in groups["values"].items()
    }
    worst = max(drops, key=lambda name: drops[name])
    return drops[worst], worst


def _layer(file: Mapping[str, Any]) -> str:
    worst = file["worst_layer"]
    return f" Worst layer: {worst['name']} ({worst['sqnr_db']:.1f} dB)." if worst else ""


def _quantize_better(file: Mapping[str, Any], metric: str) -> str:
    return f"{_layer(file)} Try {FINER[file['format']]}.".strip()


def _worst_class(file: Mapping[str, Any], metric: str) -> str:
    return f"Class {file['worst_class']} loses most; {_quantize_better(file, metric)}"


def _worst_group(file: Mapping[str, Any], metric: str) -> str:
    return f"Group {file['worst_group']} loses most; {_quantize_better(file, metric)}"


def _interval(file: Mapping[str, Any], metric: str) -> str:
    return f"More test samples narrow the interval. {_quantize_better(file, metric)}"


def _metric(file: Mapping[str, Any], metric: str) -> str:
    return f"The report's advice says what limits {metric}: data, training or the network."


def _calibration(file: Mapping[str, Any], metric: str) -> str:
    return "Try train.label_smoothing: 0.1, data.augment, or fewer train.epochs: surer than right."


def _latency(file: Mapping[str, Any], metric: str) -> str:
    return "Try fewer model.filters or units, or a family with fewer multiply-accumulates."


def _hardened(file: Mapping[str, Any], metric: str) -> str:
    return "Try harden with more epochs or attack.steps, harden.mode: trades, or a wider network."


def _robust(file: Mapping[str, Any], metric: str) -> str:
    return (
        "Try harden with more epochs, or gate.robust_drop within the interval that the report "
        "shows."
    )


def _robust_interval(file: Mapping[str, Any], metric: str) -> str:
    return f"More audit.samples narrow the interval. {_robust(file, metric)}"


def _checks(file: Mapping[str, Any], metric: str) -> str:
    told = [
        f"{row['name']} ({row['on']}: {row['value']:.3g}, at most {row['limit']:.3g}; it is the "
        f"{row['means']})"
        for row in file["failed_checks"]
    ]
    return (
        f"The attack is not to be trusted: {'; '.join(told)}. Try more audit.steps, "
        "audit.restarts or audit.samples; where it stays, the model hides its gradients, and "
        "nobody knows how robust it is."
    )


def _float_ops(file: Mapping[str, Any], metric: str) -> str:
    return (
        "The manifest names each operation in float_ops_left; try another activation or layer "
        "for them."
    )


def _bytes(file: Mapping[str, Any], metric: str) -> str:
    return "Try fewer model.filters or model.dense units."


def _changes(file: Mapping[str, Any], metric: str) -> str:
    worst = file["worst_runtime"]
    apart = "" if worst["max_abs_lsb"] is None else f", up to {worst['max_abs_lsb']} LSB apart"
    return (
        f"{worst['name']} ({worst['kernels']} kernels) decides {worst['changed']} of "
        f"{file['samples']} samples otherwise than litert{apart}. Try export.ships: int16x8, or "
        "leave that runtime out of verify.runtimes if the file will not run there."
    )


def _arena(file: Mapping[str, Any], metric: str) -> str:
    if file["arena_bytes"] is None:
        why = file["unmeasured"]["arena_bytes"]
        return f"tflite-micro did not run the file: {why}. Try another layer or activation for it."
    return (
        "Try fewer model.filters in the first layers, model.strides: 2, smaller inputs, or fewer "
        "layers: each tensor and operation costs some of it, too."
    )


CURES: dict[str, Callable[[Mapping[str, Any], str], str]] = {
    "metric_drop": _quantize_better,
    "metric_least": _metric,
    "metric_most": _metric,
    "recording_least": _metric,
    "metric_drop_upper": _interval,
    "agreement": _quantize_better,
    "worst_class_drop": _worst_class,
    "worst_group_drop": _worst_group,
    "output_sqnr_db": _quantize_better,
    "calibration_error": _calibration,
    "latency_ms": _latency,
    "robust_least": _hardened,
    "robust_drop": _robust,
    "robust_drop_upper": _robust_interval,
    "float_ops": _float_ops,
    "runtime_changes": _changes,
    "bytes": _bytes,
    "arena_bytes": _arena,
}

# Asked whatever the config says, where there is a value: none may fail.
ALWAYS: dict[str, Callable[[Mapping[str, Any], str], str]] = {"audit_checks": _checks}
