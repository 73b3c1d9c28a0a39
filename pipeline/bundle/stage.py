"""Publish. Reads the verdict and all that ships; writes exported/<name>/ by one rename.

bundle.json is the record of what was published. A bad verdict publishes nothing (exit 3).
"""

import shutil
from pathlib import Path

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
    write_arrays,
    write_json,
)
from pipeline.bundle.device_code import write_device_code
from pipeline.bundle.exchange import publish
from pipeline.bundle.manifest import Artifacts, make_manifest
from pipeline.bundle.readme import readme
from pipeline.bundle.sample import write_sample
from pipeline.bundle.web import write_web
from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset, with_decision_of
from pipeline.documents.advice import AdviceList
from pipeline.documents.audit import Audit
from pipeline.documents.baseline import Baseline
from pipeline.documents.budget import Budget
from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.files import Files
from pipeline.documents.ladder import Ladder, Weights
from pipeline.documents.manifest import SCHEMA_FILE, Manifest, Training
from pipeline.documents.parity import Parity
from pipeline.documents.preprocess import SCHEMA_FILE as PREPROCESS_SCHEMA
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.sbom import SBOM, installed_components
from pipeline.documents.schemas import schema_of
from pipeline.documents.signature import sign_manifest
from pipeline.documents.stages import (
    BundleTimings,
    Machine,
    Published,
    StageManifest,
    Timings,
)
from pipeline.documents.training import read_training_records
from pipeline.documents.verdict import Verdict
from pipeline.escape import label_line
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.run_summary import check_verdict
from pipeline.verify.rules import with_rules

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
    write_json(partial / SCHEMA_FILE, schema_of(Manifest))
    write_json(partial / PREPROCESS_SCHEMA, schema_of(Preprocess))
    installed_components().write(partial / SBOM)
    described = {
        name: entry for name, entry in describe_files(partial).items() if name not in VARYING
    }
    made = make_manifest(config, artifacts, described)
    (partial / "README.md").write_text(readme(made))
    write_web(partial, made, artifacts.preprocess)
    write_device_code(partial, made)
    files = {n: e for n, e in describe_files(partial).items() if n not in VARYING}
    _timings(inputs).write(partial / TIMINGS)
    made.model_copy(update={"files": files}).write(partial / MANIFEST)
    if config.export.sign is not None:
        sign_manifest(partial, inputs.base / Path(config.export.sign).expanduser())
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
    preprocess.write(folder / "preprocess.json")
    shutil.copyfile(inputs["parity"] / "golden.npz", folder / "golden.npz")
    _copy_predictions(inputs, folder, files.ships)
    for name in ("report.html", "MODEL_CARD.md"):
        shutil.copyfile(inputs["report"] / name, folder / name)
    shutil.copyfile(PROGRAM_FILE, folder / "run_on_device.py")
    if preprocess.labels is not None:
        labels = "".join(f"{label_line(name)}\n" for name in preprocess.labels)
        (folder / "labels.txt").write_text(labels)
    with np.load(folder / "golden.npz") as golden:
        raw = {e.name: golden[f"input_{e.name}"][0] for e in preprocess.inputs}
    write_sample(folder, raw, preprocess.inputs)


def _copy_predictions(inputs: Inputs, folder: Path, ships: str) -> None:
    """Copy the predictions of the reference and the shipped model, for `edgeline compare`."""
    with np.load(inputs["parity"] / "predictions.npz") as predictions:
        names = ("samples", "labels", "prediction_reference", f"prediction_{ships}")
        write_arrays(folder / "predictions.npz", {name: predictions[name] for name in names})


def _artifacts(inputs: Inputs) -> Artifacts:
    """Read the documents that the manifest is made of."""
    baseline, audit = "baseline" in inputs, "audit" in inputs
    return Artifacts(
        dataset=DatasetDocument.read(inputs["dataset"] / "dataset.json"),
        preprocess=_preprocess(inputs),
        budget=Budget.read(inputs["budget"] / "budget.json"),
        ladder=Ladder.read(inputs["ladder"] / "ladder.json"),
        weights=Weights.read(inputs["ladder"] / "weights.json"),
        files=Files.read(inputs["files"] / "files.json"),
        parity=Parity.read(inputs["parity"] / "parity.json"),
        verdict=Verdict.read(inputs["verdict"] / "verdict.json"),
        advice=AdviceList.read(inputs["report"] / "advice.json").advice,
        baseline=Baseline.read(inputs["baseline"] / "baseline.json") if baseline else None,
        audit=Audit.read(inputs["audit"] / "audit.json") if audit else None,
        training=Training(**read_training_records(inputs["history"])),
        machines=_machines(inputs),
    )


def _machines(inputs: Inputs) -> dict[str, Machine]:
    """Return the state of the machine that each stage's bytes depend on."""
    folders = sorted({inputs[kind] for kind in inputs.folders})
    return {folder.name: StageManifest.read(folder / MANIFEST).machine for folder in folders}


def _preprocess(inputs: Inputs) -> Preprocess:
    """Return preprocess.json with how the reference decides, and what a file leaves open."""
    found = with_decision_of(open_dataset(inputs["dataset"]), inputs["reference"]).preprocess
    parity = Parity.read(inputs["parity"] / "parity.json")
    return with_rules(found, parity.abstain, parity.sanitize)


def _timings(inputs: Inputs) -> BundleTimings:
    """Return what varies from run to run: seconds, host and date of each stage."""
    folders = sorted({inputs[kind] for kind in inputs.folders})
    return BundleTimings(stages={f.name: Timings.read(f / TIMINGS) for f in folders})
