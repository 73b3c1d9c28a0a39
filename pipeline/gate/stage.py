"""Judge. Reads files, parity, budget, and audit where there is one; writes verdict.json.

A failed gate is a result like any other here; `bundle` then publishes nothing.
"""

from pathlib import Path

from pipeline.artifacts import Inputs, Metrics, read_json
from pipeline.config.schema import Config
from pipeline.documents.audit import Audit
from pipeline.documents.parity import Parity
from pipeline.documents.verdict import Verdict
from pipeline.gate.evidence import Evidence
from pipeline.gate.judge import judge
from pipeline.tasks import task_of
from pipeline.tasks.task import allowed_changes


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Hold every file against the gates; those of the shipped file decide."""
    files = read_json(inputs["files"] / "files.json")
    parity = Parity.read(inputs["parity"] / "parity.json")
    audit = Audit.read(inputs["audit"] / "audit.json") if "audit" in inputs else None
    limits = config.gate.model_dump()
    if (share := config.gate.max_runtime_disagreement) is not None:
        limits["max_runtime_disagreement"] = allowed_changes(share, parity.samples)
    allowed = config.gate.missing_classes
    limits["missing_classes"] = None if allowed is None else 0
    task = task_of(config.task, config.task_metric)
    gates = {
        entry["format"]: tuple(
            judge(limits, Evidence(task, entry, parity, files["targets"], audit, allowed or ()))
        )
        for entry in files["files"]
    }
    passed = all(result.passed for result in gates[files["ships"]])
    verdict = Verdict(passed=passed, ships=files["ships"], gates=gates)
    verdict.write(out / "verdict.json")
    count = sum(result.passed for result in verdict.decisive)
    return Metrics({"gates_passed": (count, f"of {len(verdict.decisive)}")})
