"""Publish. Reads the verdict and all that ships; writes exported/<name>/ by one rename.

bundle.json is the record of what was published. A bad verdict publishes nothing (exit 3).
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import (
    MANIFEST,
    TIMINGS,
    FileHash,
    Inputs,
    Metrics,
    describe_file,
    describe_files,
    finish_swap,
    read_json,
    write_arrays,
    write_json,
)
from pipeline.bundle.exchange import publish
from pipeline.bundle.manifest import manifest
from pipeline.bundle.readme import readme
from pipeline.bundle.sample import write_sample
from pipeline.bundle.web import write_web
from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset, with_decision_of
from pipeline.documents.files import Files
from pipeline.documents.stages import (
    BundleTimings,
    Machine,
    Published,
    StageManifest,
    Timings,
)
from pipeline.documents.training import read_training_records
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.run_summary import check_verdict

VARYING = ("report.html", TIMINGS)  # outside of the byte contract


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Assemble the bundle beside its place, and move it there when it is whole."""
    check_verdict(inputs["verdict"] / "verdict.json")
    target = inputs.exported / config.name
    partial = target.with_name(f"{config.name}.partial")
    finish_swap(partial, target)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        published = _write(config, inputs, partial)
    except BaseException:  # nothing half-written stays beside the bundles
        shutil.rmtree(partial, ignore_errors=True)
        raise
    publish(partial, target)
    Published(files=published).write(out / "bundle.json")
    total = sum(entry.bytes for entry in published.values())
    return Metrics({"files": (len(published), ""), "size": (total, "bytes")})


def _write(config: Config, inputs: Inputs, partial: Path) -> dict[str, FileHash]:
    """Write everything; return name -> sha256 and bytes of the files of the byte contract."""
    _assemble(inputs, partial)
    artifacts = _artifacts(inputs)
    described = {
        name: entry for name, entry in describe_files(partial).items() if name not in VARYING
    }
    dumped = json.loads(config.model_dump_json())
    document = manifest(dumped, artifacts, described)
    (partial / "README.md").write_text(readme(document))
    write_web(partial, document, artifacts["preprocess"])
    document["files"] = {
        name: asdict(entry)
        for name, entry in (describe_files(partial) | described).items()
        if name not in VARYING
    }
    _timings(inputs).write(partial / TIMINGS)
    write_json(partial / MANIFEST, document)
    entries = describe_files(partial) | {MANIFEST: describe_file(partial / MANIFEST)}
    return {name: entry for name, entry in entries.items() if name not in VARYING}


def _assemble(inputs: Inputs, folder: Path) -> None:
    """Copy everything that ships."""
    files = Files.read(inputs["files"] / "files.json")
    names = [entry.file for entry in files.files] + [*files.sources]
    names += [row.file for row in files.targets if row.file]
    if files.encoder is not None:
        names += [files.encoder.model, *(entry.file for entry in files.encoder.files)]
    for name in names:
        shutil.copyfile(inputs["files"] / name, folder / name)
    shutil.copyfile(inputs["reference"] / "model.keras", folder / "model.keras")
    preprocess = _preprocess(inputs)
    write_json(folder / "preprocess.json", preprocess)
    shutil.copyfile(inputs["parity"] / "golden.npz", folder / "golden.npz")
    _write_answers(inputs, folder, files.ships)
    for name in ("report.html", "MODEL_CARD.md"):
        shutil.copyfile(inputs["report"] / name, folder / name)
    shutil.copyfile(PROGRAM_FILE, folder / "run_on_device.py")
    if preprocess["labels"] is not None:
        (folder / "labels.txt").write_text("\n".join(preprocess["labels"]) + "\n")
    with np.load(folder / "golden.npz") as golden:
        raw = {e["name"]: golden[f"input_{e['name']}"][0] for e in preprocess["inputs"]}
    write_sample(folder, raw, preprocess["inputs"])


def _write_answers(inputs: Inputs, folder: Path, ships: str) -> None:
    """Keep what the reference and the file that ships answer, for `edgeline compare`."""
    with np.load(inputs["parity"] / "answers.npz") as found:
        kept = ("samples", "labels", "answer_reference", f"answer_{ships}")
        write_arrays(folder / "answers.npz", {name: found[name] for name in kept})


def _artifacts(inputs: Inputs) -> dict[str, Any]:
    """Read the documents that the manifest is made of."""
    names = {
        "dataset": "dataset.json",
        "budget": "budget.json",
        "ladder": "ladder.json",
        "files": "files.json",
        "parity": "parity.json",
        "verdict": "verdict.json",
        "baseline": "baseline.json",
        "report": "advice.json",
        "audit": "audit.json",
    }
    found = {
        kind: read_json(inputs[kind] / name) if kind in inputs else None
        for kind, name in names.items()
    }
    found["advice"] = found.pop("report")
    found["weights"] = read_json(inputs["ladder"] / "weights.json")
    found["machines"] = _machines(inputs)
    records = read_training_records(inputs["history"])
    return {
        **found,
        "preprocess": _preprocess(inputs),
        "training": {name: own and own.dump() for name, own in records.items()},
    }


def _machines(inputs: Inputs) -> dict[str, Machine]:
    """Return what the bits of each stage depend on."""
    folders = sorted({inputs[kind] for kind in inputs.folders})
    return {folder.name: StageManifest.read(folder / MANIFEST).machine for folder in folders}


def _preprocess(inputs: Inputs) -> dict[str, Any]:
    """Return preprocess.json with how the reference decides, and what a file leaves open."""
    found = with_decision_of(open_dataset(inputs["dataset"]), inputs["reference"]).preprocess
    parity = read_json(inputs["parity"] / "parity.json")
    abstain = parity["abstain"]
    rows = {} if abstain is None else abstain["models"]
    rules = {n: {k: row[k] for k in ("temperature", "threshold")} for n, row in rows.items()}
    return {**found, "abstain": rules or None, "detector": detector_limits(parity["sanitize"])}


def detector_limits(document: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return format -> limit of its detector, of `sanitize` in parity.json; None: there is none."""
    if document is None or document["false_positive_rate"] is None:
        return None
    return {form: row["detector"]["limit"] for form, row in document["files"].items()}


def _timings(inputs: Inputs) -> BundleTimings:
    """Return what varies from run to run: seconds, host and date of each stage."""
    folders = sorted({inputs[kind] for kind in inputs.folders})
    return BundleTimings(stages={f.name: Timings.read(f / TIMINGS) for f in folders})
