"""One side of a comparison: a run folder or a bundle, in one form. Reads; decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.arrays import Array
from pipeline.artifacts import MANIFEST, TIMINGS, check_files, read_json
from pipeline.device.golden import read_bundle_arrays
from pipeline.documents.audit import Audit
from pipeline.documents.budget import Budget
from pipeline.documents.bundles import read_bundle
from pipeline.documents.comparison import Made
from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.files import Files
from pipeline.documents.manifest import ModelFile
from pipeline.documents.parity import Parity
from pipeline.documents.stages import BundleTimings, StageManifest, Timings
from pipeline.documents.verdict import Verdict
from pipeline.errors import ArtifactError
from pipeline.stages import NAMES

PREDICTIONS = "predictions.npz"


@dataclass(frozen=True)
class SideFile:
    """One .tflite file of a side."""

    file: str
    sha256: str
    bytes: int
    metrics: Mapping[str, float]
    agreement: float
    """With the trained model, in [0, 1]."""
    robust_accuracy: float | None
    """Under all attacks together; None: not audited."""


@dataclass(frozen=True)
class SideReference:
    """The trained model that the files were measured against."""

    path: Path
    sha256: str
    metrics: Mapping[str, float]
    parameters: int


@dataclass(frozen=True)
class SideData:
    """What was trained and measured on."""

    fingerprint: str
    splits: Mapping[str, int]
    """Part -> samples."""
    samples: int
    """How many were measured on."""


@dataclass(frozen=True)
class Side:
    """One run or bundle."""

    name: str
    """How it is called here: its path as it was given."""
    kind: Literal["run", "bundle"]
    task: str
    config: Mapping[str, Any]
    packages: Mapping[str, str]
    labels: tuple[str, ...] | None
    data: SideData
    reference: SideReference
    files: Mapping[str, SideFile]
    """Format -> file."""
    ships: str
    passed: bool
    predictions: Mapping[str, Array] = field(repr=False, default_factory=dict)
    """`samples` and `labels` (N,), and `prediction_<format>`: predicted classes (N,), or outputs
    (N, K); empty where an earlier version wrote none."""
    made: Made | None = None
    """Where and when the latest stage ran; None: it is not known."""


def read_side(path: Path) -> Side:
    """Read a run folder (runs/NAME) or a bundle (exported/NAME).

    Raises:
        ArtifactError: it is neither, was changed, or was not measured yet.
    """
    if (path / MANIFEST).is_file() and "models" in read_json(path / MANIFEST):
        return _bundle(path)
    if not any((path / name / MANIFEST).is_file() for name in NAMES):
        raise ArtifactError(
            f"{path}: wanted a run folder (runs/NAME) or a bundle (exported/NAME); there is no "
            f"{MANIFEST} in it"
        )
    if not (path / "verify" / MANIFEST).is_file():
        raise ArtifactError(f"{path}: not measured yet; run: edgeline verify CONFIG")
    return _run(path)


def _bundle(path: Path) -> Side:
    manifest = read_bundle(path)
    reference = manifest.reference
    return Side(
        name=str(path),
        kind="bundle",
        task=manifest.task,
        config=manifest.config,
        packages=manifest.packages,
        labels=None if manifest.labels is None else tuple(manifest.labels),
        data=SideData(manifest.data.fingerprint, manifest.data.splits, reference.samples),
        reference=SideReference(
            path / reference.file, reference.sha256, reference.metrics, reference.parameters
        ),
        files={model.format: _bundled_file(model) for model in manifest.models},
        ships=manifest.ships,
        passed=True,
        predictions=_read_predictions(path / PREDICTIONS),
        made=_made(BundleTimings.read(path / TIMINGS)) if (path / TIMINGS).is_file() else None,
    )


def _bundled_file(model: ModelFile) -> SideFile:
    robust = None if model.robustness is None else model.robustness.robust_accuracy
    return SideFile(
        model.file, model.sha256, model.bytes, model.metrics, model.parity.agreement, robust
    )


def _run(path: Path) -> Side:
    """Read the artifacts of a run, whose hashes are checked."""
    manifests = {name: _manifest(path, name) for name in NAMES if (path / name / MANIFEST).exists()}
    parity = Parity.read(path / "verify" / "parity.json")
    exported = Files.read(path / "export" / "files.json")
    verdict = path / "gate" / "verdict.json"
    audit = Audit.read(path / "audit" / "audit.json") if "audit" in manifests else None
    dataset = DatasetDocument.read(path / "data" / "dataset.json")
    files = {}
    for entry in exported.files:
        own = parity.files[entry.file]
        attacked = None if audit is None else audit.files.get(entry.file)
        robust = None if attacked is None else attacked.robust_accuracy
        files[entry.format] = SideFile(
            entry.file, entry.sha256, entry.bytes, own.metrics, own.parity.agreement, robust
        )
    config: dict[str, Any] = {}
    packages: dict[str, str] = {}
    for manifest in manifests.values():
        config |= manifest.config
        packages |= manifest.packages
    names = dataset.labels.names
    return Side(
        name=str(path),
        kind="run",
        task=dataset.task,
        config=config,
        packages=packages,
        labels=None if names is None else tuple(names),
        data=SideData(dataset.fingerprint, dataset.splits, parity.samples),
        reference=_reference(path, manifests, parity.reference.metrics),
        files=files,
        ships=exported.ships,
        passed=verdict.is_file() and Verdict.read(verdict).passed,
        predictions=_read_predictions(path / "verify" / PREDICTIONS),
        made=_made(BundleTimings(stages={n: Timings.read(path / n / TIMINGS) for n in manifests})),
    )


def _manifest(path: Path, name: str) -> StageManifest:
    manifest = StageManifest.read(path / name / MANIFEST)
    check_files(path / name, manifest.outputs, f"Run again with --force {name}.")
    return manifest


def _reference(
    path: Path, manifests: Mapping[str, StageManifest], metrics: Mapping[str, float]
) -> SideReference:
    """Return the trained model that the files were measured against, wherever it was written."""
    wanted = manifests["verify"].inputs["reference"]["model.keras"]
    found = next(
        path / name / "model.keras"
        for name, manifest in manifests.items()
        if "model.keras" in manifest.outputs and manifest.outputs["model.keras"].sha256 == wanted
    )
    budgets = [path / name / "budget.json" for name in ("tune", "build")]
    budget = Budget.read(next(file for file in budgets if file.exists()))
    return SideReference(found, wanted, metrics, budget.parameters)


def _read_predictions(path: Path) -> dict[str, Array]:
    if not path.is_file():
        return {}
    return read_bundle_arrays(path)


def _made(times: BundleTimings) -> Made:
    """Return where and when the latest stage ran, and how long all took."""
    latest = max(times.stages.values(), key=lambda row: row.date)
    seconds = sum(row.seconds for row in times.stages.values())
    return Made(host=latest.host, date=latest.date, commit=latest.commit, seconds=seconds)
