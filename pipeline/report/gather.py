"""Read all that the report tells, as plain data; an optional part that is not there is None."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import TIMINGS, Inputs, read_json
from pipeline.train.gain import told

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
FIGURES = ("dataset", "parity", "audit")
HISTORIES = {"train": "history", "harden": "robustness"}


def gather(inputs: Inputs) -> dict[str, Any]:
    """Return the documents by kind, `figures` by kind, `histories` by stage."""
    found: dict[str, Any] = {
        kind: read_json(inputs[kind] / name) if kind in inputs else None
        for kind, name in DOCUMENTS.items()
    }
    found["weights"] = read_json(inputs["ladder"] / "weights.json")
    found["preprocess"] = read_json(inputs["dataset"] / "preprocess.json")
    found |= told(inputs["history"])
    found["figures"] = {
        kind: _arrays(inputs[kind] / "figures.npz") for kind in FIGURES if kind in inputs
    }
    found["histories"] = {
        stage: read_history(inputs[kind] / "history.csv")
        for stage, kind in HISTORIES.items()
        if kind in inputs
    }
    return found


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_history(path: Path) -> dict[str, list[float]]:
    """Return column -> values of a history.csv."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), reader.fieldnames or ()
    return {name: [float(row[name]) for row in rows] for name in names}


def timings(run: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Return seconds by stage of a run folder, and of the parts of `baseline`; no hash covers them.

    Of an earlier version's stage the parts are not known.
    """
    times = {path.parent.name: read_json(path) for path in run.glob(f"*/{TIMINGS}")}
    found = {name: row["seconds"] for name, row in times.items()}
    from pipeline.stages import NAMES

    parts = times["baseline"]["parts"] if "baseline" in times else {}
    return {name: found[name] for name in NAMES if name in found}, parts
