"""All runs and bundles at once: what each ships and measured, as text or as one page."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from pipeline.artifacts import MANIFEST, TIMINGS
from pipeline.documents.manifest import Manifest
from pipeline.documents.parity import Parity
from pipeline.documents.stages import StageManifest, Timings
from pipeline.documents.verdict import Verdict
from pipeline.errors import ArtifactError
from pipeline.report.render import HERE, environment
from pipeline.report.words import NAMES, figure, size
from pipeline.stages import STAGES

WIDTH = 120
HEADS = ("name", "verdict", "metric", "value", "size", "robust accuracy", "date")

Outcome = Literal["published", "passes", "fails", "not judged", "unreadable"]


@dataclass(frozen=True)
class Row:
    """A run folder, or a bundle whose run folder is not there."""

    name: str
    path: str
    outcome: Outcome
    """published: its bundle is there; passes, fails: the gates, without a bundle; not judged: it
    ended before the gates; unreadable: a document is missing or damaged."""
    detail: str
    """The format that ships, the gates that failed, the last stage, or what cannot be read."""
    metric: str | None = None
    """Name of the task's metric; None: the run ended before it was measured."""
    value: float | None = None
    """Of the shipped file, on the test split."""
    bytes: int | None = None
    """Size of the shipped file."""
    robust_accuracy: float | None = None
    """Of the shipped file, in [0, 1]; None: no audit."""
    date: str | None = None
    """When its last stage ended, in ISO 8601; None: a bundle alone."""
    report: str | None = None
    """Path of the page; None: there is none."""


def list_runs(runs: Path, exported: Path) -> list[Row]:
    """Return the runs, newest first, then the bundles that have no run folder here.

    Args:
        runs: folder of run folders; it need not be there.
        exported: folder of bundles; it need not be there.
    """
    folders = [path for path in _folders(runs) if _finished(path)]
    rows = [_guarded(path, exported / path.name) for path in folders]
    known = {path.name for path in folders}
    bundles = [p for p in _folders(exported) if (p / MANIFEST).is_file() and p.name not in known]
    return sorted(rows, key=lambda row: row.date or "", reverse=True) + [
        _guarded(None, path) for path in bundles
    ]


def text(rows: Sequence[Row]) -> str:
    """Return the rows as a table for a terminal."""
    if not rows:
        return "no run and no bundle here; `edgeline run CONFIG` makes both"
    table = Table(box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="right" if head in HEADS[3:6] else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console = Console(
        file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False
    )
    console.print(table)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines())


def page(rows: Sequence[Row], folder: Path) -> str:
    """Return the rows as a page of one file, which filters and sorts.

    Args:
        rows: what to show.
        folder: where the page will lie; links to reports are relative to it.
    """
    shown = [
        {
            "row": row,
            "cells": _cells(row)[2:],
            "sort": (row.metric or "", row.value, row.bytes, row.robust_accuracy, row.date),
            "report": None if row.report is None else _link(Path(row.report), folder),
        }
        for row in rows
    ]
    template = environment(autoescape=True).get_template("run_list.html.j2")
    style = (HERE / "style.css").read_text()
    outcomes = sorted({row.outcome for row in rows})
    return template.render(rows=shown, heads=HEADS, style=style, outcomes=outcomes)


def _cells(row: Row) -> tuple[str, ...]:
    robust = row.robust_accuracy
    return (
        row.name,
        f"{row.outcome}: {row.detail}" if row.detail else row.outcome,
        "–" if row.metric is None else NAMES.get(row.metric, row.metric),
        "–" if row.metric is None else figure(row.metric, row.value),
        "–" if row.bytes is None else size(row.bytes),
        "–" if robust is None else figure("accuracy", robust),
        "–" if row.date is None else row.date[:16].replace("T", " "),
    )


def _link(report: Path, folder: Path) -> str:
    return Path(os.path.relpath(report.resolve(), folder.resolve())).as_posix()


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _finished(run: Path) -> list[str]:
    """Return the stages of a run folder that are done, in order."""
    return [stage.name for stage in STAGES if (run / stage.name / MANIFEST).is_file()]


def _guarded(run: Path | None, bundle: Path) -> Row:
    """Return a row; one that cannot be read says why, and hides no other."""
    try:
        return _bundle_row(bundle) if run is None else _run_row(run, bundle)
    except ArtifactError as error:
        path = bundle if run is None else run
        return Row(path.name, str(path), "unreadable", str(error).splitlines()[0])


def _run_row(run: Path, bundle: Path) -> Row:
    done = _finished(run)
    report = run / "report" / "report.html"
    dates = [Timings.read(run / name / TIMINGS).date for name in done]
    page_path = str(report) if report.is_file() else None
    common = Row(
        run.name, str(run), "not judged", f"{done[-1]} is done", date=max(dates), report=page_path
    )
    if "gate" not in done:
        return common
    verdict = Verdict.read(run / "gate" / "verdict.json")
    failed = ", ".join(gate.name for gate in verdict.decisive if not gate.passed)
    is_published = verdict.passed and (bundle / MANIFEST).is_file()
    outcome: Outcome = "passes" if verdict.passed else "fails"
    sizes, robust = _metrics(run / "export"), _metrics(run / "audit")
    parity = Parity.read(run / "verify" / "parity.json")
    return replace(
        common,
        outcome="published" if is_published else outcome,
        detail=failed or verdict.ships,
        metric=parity.metric,
        value=_metrics(run / "verify").get(verdict.ships),
        bytes=round(sizes[verdict.ships]) if verdict.ships in sizes else None,
        robust_accuracy=robust.get("robust_accuracy"),
    )


def _metrics(stage: Path) -> dict[str, float]:
    if not (stage / MANIFEST).is_file():
        return {}
    return {row.name: row.value for row in StageManifest.read(stage / MANIFEST).metrics}


def _bundle_row(bundle: Path) -> Row:
    manifest = Manifest.read(bundle / MANIFEST)
    model = manifest.shipped_model
    metric, value = next(iter(model.metrics.items()), (None, None))
    robust = None if model.robustness is None else model.robustness.robust_accuracy
    report = bundle / "report.html"
    return Row(
        bundle.name,
        str(bundle),
        "published",
        manifest.ships,
        metric=metric,
        value=value,
        bytes=model.bytes,
        robust_accuracy=robust,
        report=str(report) if report.is_file() else None,
    )
