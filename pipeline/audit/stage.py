"""Attack what ships. Reads dataset, reference, model, files; writes audit.json, figures.npz.

The attacks are rows of attacks.ATTACKS; what cannot be run on this data is listed with its reason.
"""

import logging
from dataclasses import replace
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
from pipeline.audit.attack_file import attack_file
from pipeline.audit.evasion import evenly
from pipeline.audit.examine import run_examinations
from pipeline.audit.file_queries import FileQueries, is_squeezed
from pipeline.audit.gradient_attack import CURVE, AttackBudget
from pipeline.audit.images import (
    FileCase,
    Images,
    attack_reference,
    examples_of,
    measure_corruptions,
)
from pipeline.audit.reach import picture_reach, reach_of, why_not
from pipeline.config.schema import Config
from pipeline.config.space_schema import settings_of
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import threads_for
from pipeline.documents.audit import Audit, Evasion
from pipeline.documents.evasion import CurvePoint, FileRobustness, ReferenceRobustness
from pipeline.documents.files import Files
from pipeline.harden.robustness import clean_inputs
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed

log = logging.getLogger(__name__)

Part = tuple[Evasion, dict[str, Array], Metrics]


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the files, the shipped one with everything."""
    dataset = open_dataset(inputs["dataset"])
    (out / WORK).mkdir(exist_ok=True)
    evasion, figures, metrics = _evasion(config, inputs, dataset, out)
    robust = (figures["positions"], figures["robust"]) if "robust" in figures else None
    examination = run_examinations(config, inputs, dataset, out=out, evasion=evasion, robust=robust)
    Audit(**dict(evasion), **dict(examination)).write(out / "audit.json")
    write_arrays(out / "figures.npz", figures)
    return metrics


def _evasion(config: Config, inputs: Inputs, dataset: Dataset, out: Path) -> Part:
    """Return the evasion of every file, arrays of figures.npz, and the closing line."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    budget = _budget(config)
    document = _empty(budget)
    kinds = [entry.kind for entry in dataset.preprocess.inputs]
    reason = why_not(config.task, kinds, *_sections(config))
    if reason is not None:
        skipped = document.model_copy(update={"skipped": reason})
        return (
            skipped,
            {"labels": np.zeros(0, np.int64)},
            Metrics(skipped={"evasion": reason}),
        )
    positions = evenly(dataset.split(config.verify.split), settings.samples)
    if len(kinds) > 1 or not KINDS[kinds[0]].has_fixed_range:
        return _in_space(config, inputs, dataset, positions, document)
    return _on_images(config, inputs, dataset, positions, document, out)


def _on_images(
    config: Config, inputs: Inputs, dataset: Dataset, positions: Array, document: Evasion, out: Path
) -> Part:
    """Attack the trained model, every file by transfer, and the shipped file by everything."""
    by, files = _budget(config), Files.read(inputs["files"] / "files.json")
    x, labels = clean_inputs(dataset, positions), np.asarray(dataset.labels[positions])
    images = Images(x, labels, dataset.preprocess)
    known = attack_reference(inputs["reference"] / "model.keras", images, by)
    _log_robustness("reference", known.metrics, known.metrics.white_box_accuracy)
    parents = {name: examples_of(path, images, by) for name, path in _others(files, inputs).items()}
    rows = {}
    for each in files.files:
        path, model = inputs["files"] / each.file, each.recipe.model
        queries = FileQueries(path, dataset.preprocess, threads_for(path), out / WORK)
        if each.format == files.ships:
            queries = replace(queries, detector=_detector(config, dataset, path))
        case = FileCase(queries, images, known, by, inputs["model"] / model, parents.get(model, {}))
        outcome = attack_file(case, each.format, is_shipped=each.format == files.ships)
        rows[each.file] = outcome.row
        if each.format == files.ships:
            shipped, seed = outcome, by.derive_seed("corruptions")
            corruptions = measure_corruptions(queries, images, known, seed=seed)
    _log_robustness(files.shipped_entry.file, shipped.row, _strongest(shipped.row))
    changes = {
        "samples": len(positions),
        "reference": known.metrics,
        "files": rows,
        "curve": _curve(known, shipped, by),
        "checks": (*known.checks, *shipped.checks),
        "corruptions": tuple(corruptions),
        **shipped.document,
    }
    document = document.model_copy(update=changes)
    figures = shipped.figures | {"positions": positions, "robust": shipped.robust}
    return document, figures, _metrics(document, shipped.row)


def _strongest(row: FileRobustness) -> float:
    return min(attack.accuracy for attack in row.attacks.values())


def _detector(config: Config, dataset: Dataset, file: Path) -> float | None:
    """Return the threshold of a file's detector; None: there is none."""
    from pipeline.verify.sanitize import calibrate_detector

    rate, (entry,) = config.verify.detector, dataset.preprocess.inputs
    if rate is None or not is_squeezed(entry):
        return None
    return calibrate_detector(rate, dataset, file)[0]


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
    from pipeline.audit.points import PointBudget, attack_reference, examples_of, measure_transfer

    by = PointBudget(
        reach_of(*_sections(config)),
        document.steps,
        document.restarts,
        fold_seed(config.seed, "audit"),
    )
    known = attack_reference(inputs["reference"] / "model.keras", dataset, positions, by=by)
    files = Files.read(inputs["files"] / "files.json")
    others = _others(files, inputs)
    parents = {name: examples_of(path, dataset, positions, by=by) for name, path in others.items()}
    rows = {}
    for entry in files.files:
        path, own = inputs["files"] / entry.file, parents.get(entry.recipe.model, [])
        row, robust, predicted = measure_transfer(
            path, entry.format, dataset, known=known, own=own, by=by
        )
        rows[entry.file] = row
        if entry.format == files.ships:
            shipped, is_robust, shown = row, robust, predicted
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
    figures = {"positions": positions, "robust": is_robust} | examples(
        known, shown, dataset, positions=positions
    )
    return document, figures, _metrics(document, shipped)


def _sections(config: Config) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `audit` and `harden.attack` say of what is moved."""
    assert config.audit is not None  # else the stage is off
    hardened = None if config.harden is None else settings_of(config.harden.attack)
    return settings_of(config.audit), hardened


def _empty(budget: AttackBudget) -> Evasion:
    """Return the document before anything was attacked."""
    return Evasion(
        norm=budget.norm,
        epsilon=budget.epsilon,
        steps=budget.steps,
        restarts=budget.restarts,
        square_queries=budget.queries,
        perturbation=picture_reach(budget.norm, budget.epsilon),
    )


def _budget(config: Config) -> AttackBudget:
    """Return what the attacker may do: by default, within the epsilon of `harden`."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    reach = reach_of(*_sections(config))
    return AttackBudget(
        reach["norm"],
        reach["epsilon"],
        settings.steps,
        settings.restarts,
        settings.square_queries,
        fold_seed(config.seed, "audit"),
    )


def _others(files: Files, inputs: Inputs) -> dict[str, Path]:
    """Return the models that files are made from which are not the reference, by name."""
    reference = sha256_file(inputs["reference"] / "model.keras")
    names = {entry.recipe.model for entry in files.files}
    paths = {name: inputs["model"] / name for name in sorted(names)}
    return {name: path for name, path in paths.items() if sha256_file(path) != reference}


def _curve(known: Any, shipped: Any, by: AttackBudget) -> tuple[CurvePoint, ...]:
    """Return accuracy by epsilon under one restart of the margin, of reference and shipped file."""
    accuracies = [float(known.gradients.at(part).mean()) for part in CURVE]
    points = [
        (0.0, float(known.gradients.clean.mean()), shipped.row.clean_accuracy),
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
