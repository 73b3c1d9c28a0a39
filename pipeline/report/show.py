"""A run folder or a bundle in a terminal: the verdict, the files, the stages."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.artifacts import MANIFEST, TIMINGS, read_json
from pipeline.documents.bundles import read_bundle
from pipeline.documents.manifest import Manifest
from pipeline.documents.stages import StageManifest, Timings
from pipeline.documents.verdict import GateResult, Verdict
from pipeline.errors import ArtifactError
from pipeline.report.words import figure, format_gate, lighter, size
from pipeline.run_summary import format_metric
from pipeline.stages import STAGES

WIDTH = 100


def show(path: Path) -> str:
    """Return what a run folder or a bundle holds, as text of up to 100 columns.

    Raises:
        ArtifactError: the folder is neither, or a file of it was changed.
    """
    if (path / MANIFEST).is_file() and not _is_stage(read_json(path / MANIFEST)):
        return _text(_bundle(read_bundle(path)))
    if any((path / stage.name / MANIFEST).is_file() for stage in STAGES):
        return _text(_run(path))
    raise ArtifactError(
        f"{path}: neither a run folder (runs/NAME) nor a bundle (exported/NAME): there is no "
        f"{MANIFEST} in it"
    )


def facts(path: Path) -> dict[str, Any]:
    """Return what a run folder or a bundle holds, for programs.

    Raises:
        ArtifactError: the folder is neither, or a file of it was changed.
    """
    show(path)  # checks what it is
    if (path / MANIFEST).is_file():
        return dict(read_json(path / MANIFEST))
    stages: dict[str, Any] = {}
    for stage in STAGES:
        if (path / stage.name / MANIFEST).is_file():
            manifest = StageManifest.read(path / stage.name / MANIFEST).dump()
            times = Timings.read(path / stage.name / TIMINGS)
            kept = {key: manifest[key] for key in ("metrics", "skipped", "outputs")}
            stages[stage.name] = kept | {"seconds": times.seconds, "date": times.date}
    verdict = path / "gate" / "verdict.json"
    return {"stages": stages, "verdict": read_json(verdict) if verdict.is_file() else None}


def _is_stage(manifest: Any) -> bool:
    """Tell whether a manifest is that of a stage, in a run folder."""
    return isinstance(manifest, dict) and "stage" in manifest


def _text(parts: list[Any]) -> str:
    console = Console(
        file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False
    )
    for part in parts:
        console.print(part)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines())


def _threshold(manifest: Manifest) -> str:
    """Return the line of the threshold between two classes; empty where there is none."""
    placed = manifest.preprocess.decision
    if placed is None:
        return ""
    return f"\n{placed.positive} from a trained probability of {placed.threshold:.4g} on"


def _bundle(manifest: Manifest) -> list[Any]:
    """Return the head line, the table of files, and the gates."""
    reference = manifest.reference
    metrics = "  ".join(
        f"{name} {figure(name, value)}" for name, value in reference.metrics.items()
    )
    head = (
        f"{manifest.name}: {manifest.task}, ships {manifest.ships}\n"
        f"reference: {metrics} on {reference.samples} samples, {reference.parameters:,} "
        "weights"
    )
    head += _threshold(manifest)
    compress = manifest.compress
    if compress.zeros is not None:
        head += f"\n{lighter(compress)}; {100 * compress.zeros:.1f} % of the weights are zero"
    table = Table(box=None, pad_edge=False)
    for column in (
        "file",
        "size",
        "gzip",
        *reference.metrics,
        "drop",
        "agreement",
        "SQNR dB",
        "robust accuracy",
    ):
        table.add_column(column, justify="left" if column == "file" else "right")
    for model in manifest.models:
        parity, robust = model.parity, model.robustness
        table.add_row(
            model.file + (" *" if model.format == manifest.ships else ""),
            size(model.bytes),
            size(model.bytes_gzip),
            *(figure(name, value) for name, value in model.metrics.items()),
            f"{parity.metric_drop:.4f}",
            f"{parity.agreement:.4f}",
            f"{parity.output_sqnr_db:.1f}",
            "–" if robust is None else figure("accuracy", robust.robust_accuracy),
        )
    advice = [f"{i}. {row.text}." for i, row in enumerate(manifest.advice, 1)]
    return [head, "", table, "", *_gates(manifest.shipped_model.gates), "", *advice]


def _gates(gates: Sequence[GateResult]) -> list[str]:
    return [
        f"{'passes' if gate.passed else 'FAILS'}  {gate.name} {format_gate(gate.value)} "
        f"(limit {format_gate(gate.limit)})  {gate.remediation or ''}".rstrip()
        for gate in gates
    ]


def _run(folder: Path) -> list[Any]:
    """Return the finished stages with their time and metrics, and the verdict."""
    table = Table(box=None, pad_edge=False)
    for column, justify in (("stage", "left"), ("seconds", "right"), ("figures", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for stage in STAGES:
        if not (folder / stage.name / MANIFEST).is_file():
            continue
        manifest = StageManifest.read(folder / stage.name / MANIFEST)
        figures = "  ".join(format_metric(m.name, m.value, m.unit) for m in manifest.metrics)
        seconds = Timings.read(folder / stage.name / TIMINGS).seconds
        table.add_row(stage.name, f"{seconds:.1f}", Text(figures))
    parts: list[Any] = [f"{folder}", "", table]
    if (folder / "gate" / "verdict.json").is_file():
        verdict = Verdict.read(folder / "gate" / "verdict.json")
        ships = verdict.ships
        result = f"{ships} ships" if verdict.passed else f"nothing ships: {ships} fails"
        parts += ["", result, *_gates(verdict.decisive)]
    return parts
