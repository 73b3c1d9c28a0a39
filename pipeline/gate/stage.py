"""Judge. Reads files, parity, budget, and audit where there is one; writes verdict.json.

A failed gate is a result like any other here; `bundle` then publishes nothing.
"""

from pathlib import Path
from typing import Any

from pipeline.artifacts import SCHEMA, Inputs, Metrics, read_json, write_json
from pipeline.config.schema import Config
from pipeline.gate.gates import judge, robust_drop


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Hold every file against the gates; those of the file that ships decide."""
    files = read_json(inputs["files"] / "files.json")
    parity = read_json(inputs["parity"] / "parity.json")
    audit = read_json(inputs["audit"] / "audit.json") if "audit" in inputs else None
    limits = config.gate.model_dump()
    gates = {
        entry["format"]: judge(limits, _measured(entry, parity, audit), metric=parity["metric"])
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
    entry: dict[str, Any], parity: dict[str, Any], audit: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what is known of one file, by the names of the gates."""
    return {
        "format": entry["format"],
        **parity["files"][entry["file"]]["parity"],
        "robust_drop": robust_drop(audit, entry["file"]),
        "float_ops": len(entry["float_ops_left"]),
        "bytes": entry["bytes"],
    }
