"""manifest.json of a bundle: each measurement beside the sha256 of the file it was measured on."""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import host
from pipeline.artifacts import FileHash, sha256_json
from pipeline.config.schema import Config
from pipeline.documents.advice import Advice
from pipeline.documents.audit import Audit
from pipeline.documents.baseline import Baseline
from pipeline.documents.budget import Budget
from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.evasion import FileRobustness
from pipeline.documents.files import EncoderFiles, FileEntry, Files, TargetFile
from pipeline.documents.ladder import Ladder, Weights
from pipeline.documents.manifest import (
    BaselineSummary,
    CompiledFile,
    Compression,
    DataSummary,
    Encoder,
    EncoderFile,
    Manifest,
    ModelFile,
    ModelRobustness,
    RankedBaseline,
    Reference,
    RuntimeRow,
    Training,
)
from pipeline.documents.parity import Parity, RuntimeResult
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.record import Record
from pipeline.documents.stages import Machine
from pipeline.documents.verdict import GateResult, Verdict

PACKAGES = (
    "edgeline", "tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer",
    "ethos-u-vela", "numpy",
)  # fmt: skip
MEASURED = (
    "groups",
    "streaming",
    "ranges",
    "abstain",
    "sanitize",
    "device_code",
)  # as parity.json has them
COMPRESSED = tuple(Compression.model_fields)
ENCODED = ("recipe", "zero_weights")  # of a file, and not of an encoder's
REFERENCE = "model.keras"


@dataclass(frozen=True)
class Artifacts:
    """The documents of the stages that the manifest is made of."""

    dataset: DatasetDocument
    preprocess: Preprocess
    budget: Budget
    ladder: Ladder
    weights: Weights
    files: Files
    parity: Parity
    verdict: Verdict
    advice: tuple[Advice, ...]
    baseline: Baseline | None
    audit: Audit | None
    training: Training
    machines: Mapping[str, Machine]
    """Stage -> where it ran."""


def make_manifest(config: Config, artifacts: Artifacts, files: Mapping[str, FileHash]) -> Manifest:
    """Return the manifest.

    Args:
        config: the resolved config.
        artifacts: what the stages wrote.
        files: path in the bundle -> hash and size.
    """
    parity, budget = artifacts.parity, artifacts.budget
    dataset, exported = artifacts.dataset, artifacts.files
    dumped = json.loads(config.model_dump_json())
    return Manifest(
        name=config.name,
        task=config.task,
        seed=config.seed,
        config=dumped,
        config_sha256=sha256_json(dumped),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        equality=host.compare_machines(host.describe_machine(), artifacts.machines),
        labels=dataset.labels.names,
        ships=artifacts.verdict.ships,
        data=_data(config, dataset, parity),
        preprocess=artifacts.preprocess,
        preprocess_parity=parity.preprocessing,
        reference=Reference(
            file=REFERENCE,
            sha256=files[REFERENCE].sha256,
            parameters=budget.parameters,
            macs=budget.macs,
            metrics=parity.reference.metrics,
            samples=parity.samples,
        ),
        front_end=exported.front_end,
        **{name: getattr(parity, name) for name in MEASURED},
        baseline=_baseline(artifacts.baseline, parity),
        advice=artifacts.advice,
        encoder=_encoder(exported.encoder, parity),
        training=artifacts.training,
        models=tuple(_model(entry, artifacts) for entry in exported.files),
        skipped=(*exported.skipped, *parity.skipped),
        compress=Compression(
            **{n: getattr(artifacts.weights, n) for n in Compression.model_fields}
        ),
        remedies=artifacts.ladder.rungs,
        files=dict(files),
    )


def _data(config: Config, dataset: DatasetDocument, parity: Parity) -> DataSummary:
    source = config.data.source
    return DataSummary(
        name=getattr(source, "name", source.kind),
        fingerprint=dataset.fingerprint,
        splits=dataset.splits,
        test_readings=parity.test_readings,
    )


def _encoder(encoder: EncoderFiles | None, parity: Parity) -> Encoder | None:
    """Return the encoder's files with what their codes are worth."""
    if encoder is None or parity.encoder is None:
        return None
    rows = [
        EncoderFile(**_plain(row, FileEntry, ENCODED), **dict(parity.encoder[row.file]))
        for row in encoder.files
    ]
    return Encoder(model=encoder.model, ships=encoder.ships, files=tuple(rows))


def _plain(row: Record, record: type[Record], without: Sequence[str]) -> dict[str, Any]:
    """Return name -> value of a record's fields, but for some."""
    return {name: getattr(row, name) for name in record.model_fields if name not in without}


def _baseline(baseline: Baseline | None, parity: Parity) -> BaselineSummary | None:
    """Return the best classical model, and all of them beside the shipped model."""
    if baseline is None or parity.baseline is None:
        return None
    best = baseline.model(baseline.best)
    models = [RankedBaseline(**dict(m), **dict(parity.baseline[m.name])) for m in baseline.models]
    return BaselineSummary(name=best.name, metrics=best.metrics, models=tuple(models))


def _model(entry: FileEntry, artifacts: Artifacts) -> ModelFile:
    """Return the row of one exported file."""
    gates = artifacts.verdict.gates[entry.format]
    measured = artifacts.parity.files[entry.file]
    return ModelFile(
        **_plain(entry, FileEntry, ("recipe",)),
        metrics=measured.metrics,
        parity=measured.parity,
        robustness=_robustness(entry.file, artifacts.audit),
        runtimes=_runtimes(measured.runtimes, gates),
        targets={
            row.target: CompiledFile(**_plain(row, TargetFile, ("target", "format")))
            for row in artifacts.files.targets
            if row.format == entry.format and row.npu_ops is not None
        },
        gates=gates,
    )


def _robustness(file: str, audit: Audit | None) -> ModelRobustness | None:
    """Return what the audit measured on a file; None: not audited."""
    if audit is None or file not in audit.files:
        return None
    return ModelRobustness(
        norm=audit.norm,
        epsilon=audit.epsilon,
        samples=audit.samples,
        **_plain(audit.files[file], FileRobustness, ("format",)),
    )


def _runtimes(
    rows: Mapping[str, RuntimeResult], gates: Sequence[GateResult]
) -> dict[str, RuntimeRow]:
    """Return each runtime with whether it decides as LiteRT does; None where that is not asked."""
    asked = (gate.limit for gate in gates if gate.name == "max_runtime_disagreement")
    limit = next(asked, None)
    return {
        name: RuntimeRow(
            **dict(row), conforms=None if limit is None else row.disagreements <= limit
        )
        for name, row in rows.items()
    }
