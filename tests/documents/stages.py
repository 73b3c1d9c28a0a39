"""Folders of complete stages, for tests of what reads them."""

from pathlib import Path

from pipeline import host
from pipeline.artifacts import MANIFEST, TIMINGS, describe_files
from pipeline.documents.stages import StageManifest, StageMetric, Timings


def seal_stage(folder: Path, *, seconds: float = 1.0, **metrics: float) -> None:
    """Write manifest.json and timings.json for the files that lie in a folder."""
    StageManifest(
        stage=folder.name,
        code="c",
        seed=0,
        config={},
        packages={},
        inputs={},
        outside=None,
        key="k",
        machine=host.describe_machine(),
        outputs=describe_files(folder),
        metrics=tuple(StageMetric(name=n, value=v, unit="") for n, v in metrics.items()),
        skipped=(),
    ).write(folder / MANIFEST)
    Timings(seconds=seconds, parts={}, host="here", date="2026-01-01", commit=None).write(
        folder / TIMINGS
    )
