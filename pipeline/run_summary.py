"""The result of a run in a line or two: stages, gates that failed, what was published."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from pipeline.artifacts import Metrics
from pipeline.config.export_schema import Remedy
from pipeline.documents.ladder import Ladder, Weights
from pipeline.documents.manifest import Manifest
from pipeline.documents.parity import Parity
from pipeline.documents.verdict import Verdict
from pipeline.errors import GateError
from pipeline.tasks import task_of
from pipeline.terminal import event, is_plain

log = logging.getLogger(__name__)

WORST = 3  # layers that are named


def tell_off(names: Iterable[str]) -> None:
    """Print the stages that the config switches off; for programs only."""
    for name in names:
        off = event("stage_skipped", stage=name, why="off in the config")
        log.debug("%-9s off", name, extra=off)


def tell_fresh(name: str) -> None:
    """Say that a stage need not run."""
    log.info("%-9s fresh", name, extra=event("stage_skipped", stage=name, why="fresh"))


def tell_begun(name: str) -> None:
    """Print that a stage begins; for programs only."""
    log.debug("%-9s begins", name, extra=event("stage_begun", stage=name))


def tell_ended(name: str, metrics: Metrics, seconds: float) -> None:
    """Say that a stage is done, with what it measured and left out."""
    values = metrics.values.items()
    shown = "  ".join(format_metric(called, value, unit) for called, (value, unit) in values)
    rows = [{"name": called, "value": value, "unit": unit} for called, (value, unit) in values]
    facts = {"seconds": round(seconds, 3), "metrics": rows, "left_out": dict(metrics.skipped)}
    done = event("stage_ended", stage=name, **facts)
    log.info("%-9s %6.1f s  %s", name, seconds, shown, extra=done)


def tell_next(run: Path, bundle: Path | None) -> None:
    """Say where the page about a run is, how to see its curves, and what comes next.

    Args:
        run: its folder.
        bundle: what it published; None: nothing.
    """
    if not is_plain():
        return
    report, curves = run / "report" / "report.html", run / "train" / "tensorboard"
    if report.is_file():
        log.info("          report: %s", report)
    if curves.is_dir():
        log.info("          curves: tensorboard --logdir %s", curves)
    if bundle is not None:
        log.info("          next:   edgeline predict %s FILE, or edgeline demo %s", bundle, bundle)


def check_verdict(path: Path) -> None:
    """Read a verdict.json.

    Raises:
        GateError: the shipped file failed; names every gate, value, limit and what to try, the
            rungs of the ladder and the noisiest layers.
    """
    verdict = Verdict.read(path)
    if verdict.passed:
        return
    ships = verdict.ships
    failed = [gate for gate in verdict.decisive if not gate.passed]
    lines = [
        f"gate: {ships} {gate.name} is {figure(gate.value)}, the limit is "
        f"{figure(gate.limit)}. {gate.remediation or ''}".strip()
        for gate in failed
    ]
    lines += _lighter(path.parents[1]) + _rungs(path.parents[1]) + _layers(path.parents[1], ships)
    gates = "1 gate failed" if len(failed) == 1 else f"{len(failed)} gates failed"
    raise GateError("\n".join([*lines, f"{gates}; nothing is published"]))


def _lighter(run: Path) -> list[str]:
    """Return what pruning and clustering cost before anything was quantized, where they cost."""
    path = run / "compress" / "weights.json"
    weights = Weights.read(path) if path.exists() else None
    if weights is None or weights.validation is None or weights.validation.metric_drop <= 0:
        return []
    made = [f"compress.{n}" for n in ("prune", "cluster") if getattr(weights, n) is not None]
    cures = {"compress.prune": "a lower sparsity", "compress.cluster": "more clusters"}
    drop, agreement = weights.validation.metric_drop, weights.validation.agreement
    return [
        f"{' and '.join(made)} alone: drop {drop:.4f}, agreement {agreement:.4f} on validation. "
        f"Try {', '.join(cures[name] for name in made)}, or more epochs."
    ]


def _rungs(run: Path) -> list[str]:
    """Return the ladder's rungs as a table, and those that the config does not allow."""
    path = run / "compress" / "ladder.json"
    rows = Ladder.read(path).rungs if path.exists() else ()
    if not rows:
        return []
    width = max(len(row.name) for row in rows)
    lines = ["remedies, on validation data:"]
    for row in rows:
        if row.bytes is None:
            lines.append(f"  {row.name:{width}}  {row.why}")
            continue
        held = "holds the gates" if row.passed else f"fails {', '.join(row.fails)}"
        ranked = "" if row.auc_drop is None else f"AUC drop {row.auc_drop:.4f}  "
        lines.append(
            f"  {row.name:{width}}  {row.bytes:>11,} bytes  drop {row.metric_drop:.4f}  "
            f"agreement {row.agreement:.4f}  {ranked}{held}"
        )
    climbed = {row.name.split("_")[0] for row in rows}
    others = [name for name in get_args(Remedy) if name not in climbed]
    does_hold = any(row.passed for row in rows)
    why = "not climbed, as one holds" if does_hold else "not allowed by compress.quantize"
    return lines + ([f"  {why}: {', '.join(others)}"] if others else [])


def _layers(run: Path, ships: str) -> list[str]:
    """Return the layers of the file that are noisiest."""
    path = run / "verify" / "parity.json"
    rows = Parity.read(path).layers.get(f"model_{ships}.tflite", ()) if path.exists() else ()
    noisy = sorted(rows, key=lambda row: row.sqnr_db)[:WORST]
    named = ", ".join(f"{row.name} {row.sqnr_db:.1f} dB" for row in noisy)
    return [f"noisiest layers of {ships}: {named}"] if noisy else []


def published_line(bundle: Path, task: str, metric: str = "auto") -> str:
    """Return what a bundle ships, in one line.

    Args:
        bundle: exported/<name>.
        task: whose metric is shown.
        metric: of `task_metric`.
    """
    manifest, metric = Manifest.read(bundle / "manifest.json"), task_of(task, metric).metric
    shipped = manifest.shipped_model
    reference = manifest.reference.metrics[metric]
    return (
        f"{bundle}: {manifest.ships} ships, {metric} {figure(shipped.metrics[metric])} "
        f"(reference {figure(reference)}), {shipped.bytes / 1000:.1f} kB"
    )


def format_metric(name: str, value: float, unit: str) -> str:
    """Return a metric as people read it: counts in full, measurements to four digits."""
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
    return f"{name} {number} {unit}".strip()


def figure(value: object) -> str:
    """Return a number with four decimals, other things as they are; None was not measured."""
    if value is None:
        return "not measured"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
