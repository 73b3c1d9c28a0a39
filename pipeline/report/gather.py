"""Read all that the report tells, as plain data; an optional part that is not there is None."""

import csv
import platform
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import MANIFEST, TIMINGS, Inputs, read_json
from pipeline.documents.record import Record
from pipeline.documents.stages import StageManifest, Timings
from pipeline.documents.trials import Trials
from pipeline.train.gain import training_records

DOCUMENTS = {
    "dataset": "dataset.json",
    "spec": "spec.json",
    "budget": "budget.json",
    "ladder": "ladder.json",
    "files": "files.json",
    "parity": "parity.json",
    "verdict": "verdict.json",
    "baseline": "baseline.json",
    "trials": "trials.json",
    "robustness": "robustness.json",
    "audit": "audit.json",
}
RECORDS: dict[str, type[Record]] = {"trials": Trials}
FIGURES = ("dataset", "parity", "audit")
HISTORIES = {"train": "history", "harden": "robustness"}


def gather(inputs: Inputs) -> dict[str, Any]:
    """Return the documents by kind, `figures` by kind, `histories` by stage."""
    found: dict[str, Any] = {
        kind: _read(kind, inputs[kind] / name) if kind in inputs else None
        for kind, name in DOCUMENTS.items()
    }
    found["weights"] = read_json(inputs["ladder"] / "weights.json")
    found["preprocess"] = read_json(inputs["dataset"] / "preprocess.json")
    found |= training_records(inputs["history"])
    found["figures"] = {
        kind: _arrays(inputs[kind] / "figures.npz") for kind in FIGURES if kind in inputs
    }
    found["histories"] = {
        stage: read_history(inputs[kind] / "history.csv")
        for stage, kind in HISTORIES.items()
        if kind in inputs
    }
    return found


def _read(kind: str, path: Path) -> Any:
    """Return a document, of a record where it has one."""
    return RECORDS[kind].read(path) if kind in RECORDS else read_json(path)


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_history(path: Path) -> dict[str, list[float]]:
    """Return column -> values of a history.csv."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), reader.fieldnames or ()
    return {name: [float(row[name]) for row in rows] for name in names}


def timings(run: Path) -> dict[str, Any]:
    """Return what varies from run to run and is told beside it; no hash covers it.

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
