"""What came of a run, in a line or two: gates that failed, or what was published."""

from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.errors import GateError
from pipeline.tasks import TASKS


def check_verdict(path: Path) -> None:
    """Read a verdict.json.

    Raises:
        GateError: the shipped file failed; names every gate, value, limit and what to try.
    """
    verdict = read_json(path)
    if verdict["passed"]:
        return
    ships = verdict["ships"]
    failed = [gate for gate in verdict["gates"][ships] if not gate["passed"]]
    lines = [
        f"gate: {ships} {gate['name']} is {figure(gate['value'])}, the limit is "
        f"{figure(gate['limit'])}. {gate['try'] or ''}".strip()
        for gate in failed
    ]
    gates = "1 gate failed" if len(failed) == 1 else f"{len(failed)} gates failed"
    raise GateError("\n".join([*lines, f"{gates}; nothing is published"]))


def published(bundle: Path, task: str) -> str:
    """Return what a bundle ships, in one line.

    Args:
        bundle: exported/<name>.
        task: whose metric is shown.
    """
    manifest, metric = read_json(bundle / "manifest.json"), TASKS[task].metric
    shipped = next(m for m in manifest["models"] if m["format"] == manifest["ships"])
    reference = manifest["reference"]["metrics"][metric]
    return (
        f"{bundle}: {manifest['ships']} ships, {metric} {figure(shipped['metrics'][metric])} "
        f"(reference {figure(reference)}), {shipped['bytes'] / 1000:.1f} kB"
    )


def said(name: str, value: float, unit: str) -> str:
    """Return a metric as people read it: counts in full, measurements to four digits."""
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
    return f"{name} {number} {unit}".strip()


def figure(value: Any) -> str:
    """Return a number with four decimals, other things as they are."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
