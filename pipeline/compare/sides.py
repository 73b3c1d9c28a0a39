"""What is compared: a run folder or a bundle, in one form. Reads; decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import MANIFEST, TIMINGS, check_files, read_json
from pipeline.documents.bundles import read_bundle
from pipeline.documents.stages import BundleTimings, StageManifest, Timings
from pipeline.errors import ArtifactError
from pipeline.stages import NAMES

ANSWERS = "answers.npz"
FILE = ("format", "file", "sha256", "bytes", "metrics", "parity", "robust")


@dataclass(frozen=True)
class Side:
    """One run or bundle."""

    name: str
    """How it is called here: its path as it was given."""
    kind: str
    """run or bundle."""
    task: str
    config: Mapping[str, Any]
    packages: Mapping[str, str]
    labels: tuple[str, ...] | None
    data: Mapping[str, Any]
    """fingerprint; splits: part -> samples; samples: how many were measured on."""
    reference: Mapping[str, Any]
    """sha256, path, metrics, parameters."""
    files: Mapping[str, Mapping[str, Any]]
    """Format -> FILE."""
    ships: str
    passed: bool
    answers: Mapping[str, Array] = field(repr=False, default_factory=dict)
    """`samples`, `labels`, and `answer_<format>`; empty where an earlier version wrote none."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """host, date, commit, seconds."""


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
    reference = manifest["reference"]
    files = {
        model["format"]: _file(model, (model["robustness"] or {"robust": None})["robust"])
        for model in manifest["models"]
    }
    return Side(
        name=str(path),
        kind="bundle",
        task=manifest["task"],
        config=manifest["config"],
        packages=manifest["packages"],
        labels=None if manifest["labels"] is None else tuple(manifest["labels"]),
        data=_data(manifest["data"], reference["samples"]),
        reference={"path": path / reference["file"]} | _known(reference),
        files=files,
        ships=manifest["ships"],
        passed=True,
        answers=_answers(path / ANSWERS),
        made=_made(BundleTimings.read(path / TIMINGS)) if (path / TIMINGS).is_file() else {},
    )


def _run(path: Path) -> Side:
    """Read the artifacts of a run, whose hashes are checked."""
    manifests = {name: _manifest(path, name) for name in NAMES if (path / name / MANIFEST).exists()}
    parity = read_json(path / "verify" / "parity.json")
    exported = read_json(path / "export" / "files.json")
    verdict = path / "gate" / "verdict.json"
    audit = read_json(path / "audit" / "audit.json") if "audit" in manifests else {"files": {}}
    dataset = read_json(path / "data" / "dataset.json")
    files = {}
    for entry in exported["files"]:
        robust = audit["files"].get(entry["file"], {"robust": None})["robust"]
        files[entry["format"]] = _file(entry | parity["files"][entry["file"]], robust)
    config: dict[str, Any] = {}
    packages: dict[str, str] = {}
    for manifest in manifests.values():
        config |= manifest.config
        packages |= manifest.packages
    names = dataset["labels"]["names"]
    return Side(
        name=str(path),
        kind="run",
        task=dataset["task"],
        config=config,
        packages=packages,
        labels=None if names is None else tuple(names),
        data=_data(dataset, parity["samples"]),
        reference=_reference(path, manifests) | {"metrics": parity["reference"]["metrics"]},
        files=files,
        ships=exported["ships"],
        passed=verdict.is_file() and read_json(verdict)["passed"],
        answers=_answers(path / "verify" / ANSWERS),
        made=_made(BundleTimings(stages={n: Timings.read(path / n / TIMINGS) for n in manifests})),
    )


def _manifest(path: Path, name: str) -> StageManifest:
    manifest = StageManifest.read(path / name / MANIFEST)
    check_files(path / name, manifest.outputs, f"Run again with --force {name}.")
    return manifest


def _reference(path: Path, manifests: Mapping[str, StageManifest]) -> dict[str, Any]:
    """Return the trained model that the files were measured against, wherever it was written."""
    wanted = manifests["verify"].inputs["reference"]["model.keras"]
    found = next(
        path / name / "model.keras"
        for name, manifest in manifests.items()
        if "model.keras" in manifest.outputs and manifest.outputs["model.keras"].sha256 == wanted
    )
    budgets = [path / name / "budget.json" for name in ("tune", "build")]
    budget = read_json(next(file for file in budgets if file.exists()))
    return {"sha256": wanted, "path": found, "parameters": budget["parameters"]}


def _known(reference: Mapping[str, Any]) -> dict[str, Any]:
    return {key: reference[key] for key in ("sha256", "metrics", "parameters")}


def _file(row: Mapping[str, Any], robust: float | None) -> dict[str, Any]:
    return {key: robust if key == "robust" else row[key] for key in FILE}


def _data(row: Mapping[str, Any], samples: int) -> dict[str, Any]:
    splits = dict(row["splits"])
    return {"fingerprint": row["fingerprint"], "splits": splits, "samples": samples}


def _answers(path: Path) -> dict[str, Array]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _made(times: BundleTimings) -> dict[str, Any]:
    """Return where and when the latest stage ran, and how long all took."""
    latest = max(times.stages.values(), key=lambda row: row.date)
    own = {"host": latest.host, "date": latest.date, "commit": latest.commit}
    return own | {"seconds": sum(row.seconds for row in times.stages.values())}
