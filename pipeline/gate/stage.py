"""Judge. Reads files, parity, budget, and audit where there is one; writes verdict.json.

A failed gate is a result like any other here; `bundle` then publishes nothing.
"""

from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, Inputs, Metrics, read_json, write_json
from pipeline.config.schema import Config
from pipeline.gate.gates import (
    ALWAYS,
    MICRO,
    failed_checks,
    judge,
    no_arena,
    robust_accuracy,
    robust_drop,
    robust_drop_upper,
    worst_group_drop,
    worst_runtime,
)
from pipeline.tasks import Task, allowed_changes, task_of


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Hold every file against the gates; those of the file that ships decide."""
    files = read_json(inputs["files"] / "files.json")
    parity = read_json(inputs["parity"] / "parity.json")
    audit = read_json(inputs["audit"] / "audit.json") if "audit" in inputs else None
    limits = config.gate.model_dump() | dict.fromkeys(ALWAYS, 0)
    if (share := config.gate.runtime_changes) is not None:
        limits["runtime_changes"] = allowed_changes(share, parity["samples"])
    task = task_of(config.task, config.task_metric)
    gates = {
        entry["format"]: judge(
            limits,
            _measured(task, entry, parity, audit, files["targets"]),
            metric=parity["metric"],
        )
        for entry in files["files"]
    }
    decisive = gates[files["ships"]]
    passed = all(gate["passed"] for gate in decisive)
    write_json(
        out / "verdict.json",
        {"schema": SCHEMA, "passed": passed, "ships": files["ships"], "gates": gates},
    )
    held = sum(gate["passed"] for gate in decisive)
    return Metrics({"gates_passed": (held, f"of {len(decisive)}")})


def _measured(
    task: Task,
    entry: dict[str, Any],
    parity: dict[str, Any],
    audit: dict[str, Any] | None,
    targets: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return what is known of one file, by the names of the gates."""
    own = parity["files"][entry["file"]]
    found, runtimes, reached = own["parity"], own["runtimes"], own["metrics"][task.metric]
    group = worst_group_drop(parity["groups"], entry["format"], task)
    times = [
        row["latency_ms_estimate"]
        for row in targets
        if row["format"] == entry["format"] and row["latency_ms_estimate"] is not None
    ]
    failed = failed_checks(audit, entry["file"])
    return {
        "format": entry["format"],
        **found,
        "metric_least": reached if task.direction == "up" else None,
        "metric_most": reached if task.direction == "down" else None,
        "recording_least": own["metrics"].get("recording_auc"),  # of windows alone
        "metric_drop_upper": found["metric_drop_ci95"][1],
        "worst_group_drop": None if group is None else group[0],
        "worst_group": None if group is None else group[1],
        "latency_ms": max(times, default=None),
        "robust_least": robust_accuracy(audit, entry["file"]),
        "robust_drop": robust_drop(audit, entry["file"]),
        "robust_drop_upper": robust_drop_upper(audit, entry["file"]),
        "audit_checks": None if failed is None else len(failed),
        "failed_checks": failed,
        "float_ops": len(entry["float_ops_left"]),
        "bytes": entry["bytes"],
        **_on_runtimes(entry["file"], runtimes, parity),
    }


def _on_runtimes(
    file: str, runtimes: dict[str, dict[str, Any]], parity: dict[str, Any]
) -> dict[str, Any]:
    """Return what the runtimes say of a file, by the names of the gates."""
    worst = worst_runtime(runtimes)
    return {
        "samples": parity["samples"],
        "worst_runtime": worst,
        "runtime_changes": worst["changed"],
        "arena_bytes": runtimes.get(MICRO, {"arena_bytes": None})["arena_bytes"],
        "unmeasured": no_arena(runtimes, file, parity["skipped"]),
    }
