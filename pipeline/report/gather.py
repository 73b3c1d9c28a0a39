"""Read all documents of a run that the report shows."""

import csv
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import MANIFEST, TIMINGS, Inputs
from pipeline.documents.audit import Audit
from pipeline.documents.baseline import Baseline
from pipeline.documents.budget import Budget
from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.files import Files
from pipeline.documents.ladder import Ladder, Weights
from pipeline.documents.parity import Parity
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.robustness import Robustness
from pipeline.documents.spec import Spec
from pipeline.documents.stages import StageManifest, Timings
from pipeline.documents.training import (
    Distillation,
    Learning,
    Pretraining,
    RangeTest,
    Warnings,
    read_training_records,
)
from pipeline.documents.trials import Trials
from pipeline.documents.verdict import Verdict

FIGURES = ("dataset", "parity", "audit")
HISTORIES = {"train": "history", "harden": "robustness"}
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Documents:
    """Everything that the report reads, a field a document; None: the stage is off."""

    dataset: DatasetDocument
    preprocess: Preprocess
    spec: Spec
    budget: Budget
    ladder: Ladder
    weights: Weights
    files: Files
    parity: Parity
    verdict: Verdict
    baseline: Baseline | None
    trials: Trials | None
    robustness: Robustness | None
    audit: Audit | None
    pretraining: Pretraining | None
    distillation: Distillation | None
    range_test: RangeTest | None
    warnings: Warnings
    learning: Learning
    figures: Mapping[str, Arrays]
    """dataset, parity or audit -> the arrays that charts are drawn of."""
    histories: Mapping[str, Mapping[str, list[float]]]
    """train or harden -> column of history.csv -> a value an epoch."""

    @property
    def class_names(self) -> list[str]:
        """Names of the classes by id; none for a regression."""
        return self.dataset.labels.names or []


def gather(inputs: Inputs) -> Documents:
    """Read every document of a run that the report shows."""
    history = inputs["history"]
    return Documents(
        dataset=DatasetDocument.read(inputs["dataset"] / "dataset.json"),
        preprocess=Preprocess.read(inputs["dataset"] / "preprocess.json"),
        spec=Spec.read(inputs["spec"] / "spec.json"),
        budget=Budget.read(inputs["budget"] / "budget.json"),
        ladder=Ladder.read(inputs["ladder"] / "ladder.json"),
        weights=Weights.read(inputs["ladder"] / "weights.json"),
        files=Files.read(inputs["files"] / "files.json"),
        parity=Parity.read(inputs["parity"] / "parity.json"),
        verdict=Verdict.read(inputs["verdict"] / "verdict.json"),
        baseline=Baseline.read(inputs["baseline"] / "baseline.json")
        if "baseline" in inputs
        else None,
        trials=Trials.read(inputs["trials"] / "trials.json") if "trials" in inputs else None,
        robustness=Robustness.read(inputs["robustness"] / "robustness.json")
        if "robustness" in inputs
        else None,
        audit=Audit.read(inputs["audit"] / "audit.json") if "audit" in inputs else None,
        **read_training_records(history),
        figures={kind: _arrays(inputs[kind] / "figures.npz") for kind in FIGURES if kind in inputs},
        histories={
            stage: read_history(inputs[kind] / "history.csv")
            for stage, kind in HISTORIES.items()
            if kind in inputs
        },
    )


def _arrays(path: Path) -> Arrays:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_history(path: Path) -> dict[str, list[float]]:
    """Return column -> values of a history.csv."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), reader.fieldnames or ()
    return {name: [float(row[name]) for row in rows] for name in names}


def timings(run: Path) -> dict[str, Any]:
    """Return the values that vary from run to run; no hash covers them.

    Args:
        run: the run folder.

    Returns:
        seconds: stage -> time; baseline: classical model -> its times; files: file -> seconds of a
        sample; packages: name -> version of all that a stage depends on; host, date, commit of the
        latest stage, and python and system of this process.
    """
    times = {path.parent.name: Timings.read(path) for path in run.glob(f"*/{TIMINGS}")}
    from pipeline.stages import NAMES

    ran = [name for name in NAMES if name in times]
    packages: dict[str, str] = {}
    for name in ran:
        packages |= StageManifest.read(run / name / MANIFEST).packages
    latest = max((times[name] for name in ran), key=lambda row: row.date)
    return {
        "seconds": {name: times[name].seconds for name in ran},
        "baseline": times["baseline"].parts if "baseline" in times else {},
        "files": times["verify"].parts if "verify" in times else {},
        "packages": dict(sorted(packages.items())),
        "host": latest.host,
        "date": latest.date,
        "commit": latest.commit,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
    }
