"""Attack what ships. Reads dataset, reference, model, files; writes audit.json, figures.npz.

Each kind of audit is a line in `run`; what one cannot do for this data it says in `skipped`.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import (
    WORK,
    Inputs,
    Metrics,
    sha256_file,
    write_arrays,
)
from pipeline.audit.attack import CURVE, Attack
from pipeline.audit.evasion import evenly
from pipeline.audit.examine import run_examinations
from pipeline.audit.reach import picture_reach, reach_of, why_not
from pipeline.audit.sanitized import measure_sanitized
from pipeline.config.schema import Config
from pipeline.config.space_schema import settings_of
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import threads_for
from pipeline.documents.audit import Audit, Evasion
from pipeline.documents.evasion import (
    CurvePoint,
    FileRobustness,
    ReferenceRobustness,
    SanitizationRobustness,
)
from pipeline.documents.files import FileEntry, Files
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed

log = logging.getLogger(__name__)


Part = tuple[Evasion, dict[str, Array], Metrics]


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the files, the one that ships with all that is known."""
    dataset = open_dataset(inputs["dataset"])
    evasion, figures, metrics = _evasion(config, inputs, dataset, out)
    examination = run_examinations(
        config, inputs, dataset, out=out, evasion=evasion, survivors=_held(figures)
    )
    Audit(**dict(evasion), **dict(examination)).write(out / "audit.json")
    write_arrays(out / "figures.npz", figures)
    return metrics


def _held(figures: dict[str, Array]) -> tuple[Array, Array] | None:
    """Return which samples were attacked, and which withstood; None: none was."""
    return (figures["positions"], figures["held"]) if "held" in figures else None


def _evasion(config: Config, inputs: Inputs, dataset: Dataset, out: Path) -> Part:
    """Return the evasion of every file, arrays of figures.npz, and the closing line."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    attack = _attack(config)
    document = _empty(attack)
    kinds = [entry.kind for entry in dataset.preprocess.inputs]
    reason = why_not(config.task, kinds, *_sections(config))
    if reason is not None:
        none = {"labels": np.zeros(0, np.int64)}
        return (
            document.model_copy(update={"skipped": reason}),
            none,
            Metrics(skipped={"evasion": reason}),
        )
    positions = evenly(dataset.split(config.verify.split), settings.samples)
    if len(kinds) > 1 or not KINDS[kinds[0]].has_fixed_range:
        return _in_space(config, inputs, dataset, positions, document)
    document, figures, metrics = _attacked(inputs, dataset, positions, attack, document, out)
    sanitization = _sanitized(config, inputs, dataset, positions, attack)
    return document.model_copy(update={"sanitization": sanitization}), figures, metrics


def _sanitized(
    config: Config, inputs: Inputs, dataset: Dataset, positions: Array, by: Attack
) -> SanitizationRobustness | None:
    """Return the robustness of the shipped file behind its input sanitization."""
    entry = Files.read(inputs["files"] / "files.json").shipped_entry
    return measure_sanitized(
        dataset,
        positions,
        by,
        file=inputs["files"] / entry.file,
        parent=inputs["model"] / entry.recipe.model,
        false_alarms=config.verify.detector,
    )


def _attacked(
    inputs: Inputs, dataset: Dataset, positions: Array, by: Attack, document: Evasion, out: Path
) -> Part:
    """Attack the reference, then every file by transfer, then the shipped file itself."""
    from pipeline.audit.images import Pictures, attack_reference, measure_transfer, under_corruption
    from pipeline.audit.queries import Asked
    from pipeline.audit.shipped import attack_shipped
    from pipeline.harden.robustness import clean_inputs

    x = clean_inputs(dataset, positions)
    pictures = Pictures(x, np.asarray(dataset.labels[positions]), dataset.preprocess)
    known = attack_reference(inputs["reference"] / "model.keras", pictures, by)
    _log_robustness("reference", known.metrics, known.metrics.white_box_accuracy)
    files = Files.read(inputs["files"] / "files.json")
    parents = _parents(files.files, inputs, pictures, by)
    held, rows = {}, {}
    for entry in files.files:
        path, own = inputs["files"] / entry.file, parents[entry.recipe.model]
        rows[entry.file], masks = measure_transfer(
            path, entry.format, pictures, known=known, own=own
        )
        held[entry.format] = path, masks
    path, masks = held[files.ships]
    (out / WORK).mkdir(exist_ok=True)
    asked = Asked(path, dataset.preprocess, threads_for(path), out / WORK)
    shipped = attack_shipped(asked, pictures, known, masks=masks, by=by, form=files.ships)
    rows[path.name] = shipped.row
    _log_robustness(path.name, shipped.row, _strongest(shipped.row))
    changes = {
        "samples": len(positions),
        "reference": known.metrics,
        "files": rows,
        "curve": _curve(known, shipped, by),
        "checks": (*known.checks, *shipped.checks),
        "corruptions": tuple(under_corruption(path, pictures, known, seed=by.of("corruptions"))),
    }
    document = document.model_copy(update=changes)
    figures = shipped.figures | {"positions": positions, "held": shipped.held}
    return document, figures, _metrics(document, shipped.row)


def _strongest(row: FileRobustness) -> float:
    return min(attack.accuracy for attack in row.attacks.values())


def _log_robustness(name: str, row: ReferenceRobustness | FileRobustness, strongest: float) -> None:
    """Log accuracies as soon as they are known: an audit of many samples takes minutes."""
    log.info(
        "          %s: accuracy %.4g clean, %.4g under the strongest attack, %.4g under all",
        name,
        row.clean_accuracy,
        strongest,
        row.robust_accuracy,
    )


def _in_space(
    config: Config, inputs: Inputs, dataset: Dataset, positions: Array, document: Evasion
) -> Part:
    """Attack the reference under a threat model, and every file by transfer."""
    from pipeline.audit.examples import examples
    from pipeline.audit.points import Reach, attack_reference, found_on, measure_transfer

    by = Reach(
        reach_of(*_sections(config)),
        document.steps,
        document.restarts,
        fold_seed(config.seed, "audit"),
    )
    known = attack_reference(inputs["reference"] / "model.keras", dataset, positions, by=by)
    files = Files.read(inputs["files"] / "files.json")
    others = _others(files.files, inputs)
    parents = {name: found_on(path, dataset, positions, by=by) for name, path in others.items()}
    rows = {}
    for entry in files.files:
        path, own = inputs["files"] / entry.file, parents.get(entry.recipe.model, [])
        row, robust, answers = measure_transfer(
            path, entry.format, dataset, known=known, own=own, by=by
        )
        rows[entry.file] = row
        if entry.format == files.ships:
            shipped, held, answered = row, robust, answers
    document = document.model_copy(
        update={
            "samples": len(positions),
            "reference": known.metrics,
            "files": rows,
            "curve": tuple(known.curve),
            "checks": tuple(known.checks),
            "perturbation": known.perturbation,
            "threat_model": known.threat_model,
        }
    )
    figures = {"positions": positions, "held": held} | examples(
        known, answered, dataset, positions=positions
    )
    return document, figures, _metrics(document, shipped)


def _sections(config: Config) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `audit` and `harden.attack` say of what is moved."""
    assert config.audit is not None  # else the stage is off
    hardened = None if config.harden is None else settings_of(config.harden.attack)
    return settings_of(config.audit), hardened


def _empty(attack: Attack) -> Evasion:
    """Return the document before anything was attacked."""
    return Evasion(
        norm=attack.norm,
        epsilon=attack.epsilon,
        steps=attack.steps,
        restarts=attack.restarts,
        square_queries=attack.queries,
        perturbation=picture_reach(attack.norm, attack.epsilon),
    )


def _attack(config: Config) -> Attack:
    """Return the attack that the config asks for: by default, within the epsilon of `harden`."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    reach = reach_of(*_sections(config))
    return Attack(
        reach["norm"],
        reach["epsilon"],
        settings.steps,
        settings.restarts,
        settings.square_queries,
        fold_seed(config.seed, "audit"),
    )


def _parents(
    entries: Sequence[FileEntry], inputs: Inputs, pictures: Any, by: Attack
) -> dict[str, dict[str, Array]]:
    """Return model that files are made from -> what fools it; nothing where it is the reference."""
    from pipeline.audit.images import found_on

    found: dict[str, dict[str, Array]] = {entry.recipe.model: {} for entry in entries}
    others = _others(entries, inputs)
    return found | {name: found_on(path, pictures, by) for name, path in others.items()}


def _others(entries: Sequence[FileEntry], inputs: Inputs) -> dict[str, Path]:
    """Return the models that files are made from which are not the reference, by name."""
    reference = sha256_file(inputs["reference"] / "model.keras")
    names = {name: inputs["model"] / name for name in (e.recipe.model for e in entries)}
    return {name: path for name, path in names.items() if sha256_file(path) != reference}


def _curve(known: Any, shipped: Any, by: Attack) -> tuple[CurvePoint, ...]:
    """Return accuracy by epsilon under one restart of the margin, of reference and shipped file."""
    accuracies = [float(known.attacked.at(part).mean()) for part in CURVE]
    points = [
        (0.0, float(known.attacked.clean.mean()), shipped.row.clean_accuracy),
        *zip((part * by.epsilon for part in CURVE), accuracies, shipped.curve, strict=True),
    ]
    return tuple(
        CurvePoint(epsilon=epsilon, reference_accuracy=reference, shipped_accuracy=own)
        for epsilon, reference, own in points
    )


def _metrics(document: Evasion, row: FileRobustness) -> Metrics:
    """Return the closing line of the stage, and what was skipped."""
    failed = sum(not check.passed for check in document.checks)
    reason = None if row.straight_through is None else row.straight_through.skipped
    return Metrics(
        {
            "clean_accuracy": (row.clean_accuracy, ""),
            "robust_accuracy": (row.robust_accuracy, f"({document.perturbation})"),
            "checks_failed": (failed, f"of {len(document.checks)}"),
        },
        skipped={} if reason is None else {"straight_through": reason},
    )
