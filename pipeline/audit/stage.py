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
    SCHEMA,
    WORK,
    Inputs,
    Metrics,
    sha256_file,
    write_arrays,
    write_json,
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
from pipeline.documents.files import FileEntry, Files
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed

log = logging.getLogger(__name__)


Part = tuple[dict[str, Any], dict[str, Array], Metrics]


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the files, the one that ships with all that is known."""
    dataset = open_dataset(inputs["dataset"])
    document, figures, metrics = _evasion(config, inputs, dataset, out)
    document |= run_examinations(
        config, inputs, dataset, out, evasion=document, survivors=_held(figures)
    )
    write_json(out / "audit.json", document)
    write_arrays(out / "figures.npz", figures)
    return metrics


def _held(figures: dict[str, Array]) -> tuple[Array, Array] | None:
    """Return which samples were attacked, and which withstood; None: none was."""
    return (figures["positions"], figures["held"]) if "held" in figures else None


def _evasion(config: Config, inputs: Inputs, dataset: Dataset, out: Path) -> Part:
    """Return the evasion of every file: sections of audit.json, arrays of figures.npz."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    attack = _attack(config)
    document = _empty(attack)
    kinds = [entry.kind for entry in dataset.preprocess.inputs]
    reason = why_not(config.task, kinds, *_sections(config))
    if reason is not None:
        none = {"labels": np.zeros(0, np.int64)}
        return document | {"skipped": reason}, none, Metrics(skipped={"evasion": reason})
    positions = evenly(dataset.split(config.verify.split), settings.samples)
    if len(kinds) > 1 or not KINDS[kinds[0]].has_fixed_range:
        return _in_space(config, inputs, dataset, positions, document)
    document, figures, metrics = _attacked(inputs, dataset, positions, attack, document, out)
    document["sanitize"] = _sanitized(config, inputs, dataset, positions, attack)
    return document, figures, metrics


def _sanitized(
    config: Config, inputs: Inputs, dataset: Dataset, positions: Array, by: Attack
) -> dict[str, Any] | None:
    """Return how the file that ships holds out behind its squeezing."""
    entry = Files.read(inputs["files"] / "files.json").shipped
    return measure_sanitized(
        dataset,
        positions,
        by,
        file=inputs["files"] / entry.file,
        parent=inputs["model"] / entry.recipe.model,
        false_alarms=config.verify.detector,
    )


def _attacked(
    inputs: Inputs,
    dataset: Dataset,
    positions: Array,
    by: Attack,
    document: dict[str, Any],
    out: Path,
) -> Part:
    """Attack the reference, and show every file what came of it; then the one that ships."""
    from pipeline.audit.images import Pictures, attack_reference, measure_transfer, under_corruption
    from pipeline.audit.queries import Asked
    from pipeline.audit.shipped import attack_shipped
    from pipeline.harden.robustness import clean_inputs

    x, labels = clean_inputs(dataset, positions), np.asarray(dataset.labels[positions])
    pictures = Pictures(x, labels, dataset.preprocess)
    known = attack_reference(inputs["reference"] / "model.keras", pictures, by)
    _tell("reference", known.figures, known.figures["white_box"])
    files = Files.read(inputs["files"] / "files.json")
    parents = _parents(files.files, inputs, pictures, by)
    held = {}
    for entry in files.files:
        path, own = inputs["files"] / entry.file, parents[entry.recipe.model]
        row, masks = measure_transfer(path, entry.format, pictures, known, own)
        document["files"][entry.file] = row
        held[entry.format] = path, masks
    path, masks = held[files.ships]
    (out / WORK).mkdir(exist_ok=True)
    asked = Asked(path, dataset.preprocess, threads_for(path), out / WORK)
    shipped = attack_shipped(asked, pictures, known, masks, by, files.ships)
    document["files"][path.name] = shipped.row
    _tell(path.name, shipped.row, min(shipped.row["attacks"].values()))
    document |= {
        "samples": len(positions),
        "reference": known.figures,
        "curve": _curve(known, shipped, by),
        "checks": known.checks + shipped.checks,
        "corruptions": under_corruption(path, pictures, known, by.of("corruptions")),
    }
    figures = shipped.figures | {"positions": positions, "held": shipped.held}
    return document, figures, _metrics(document, shipped.row)


def _tell(name: str, figures: dict[str, Any], strongest: float) -> None:
    """Log what withstands, as soon as it is known: an audit of many samples takes minutes."""
    told = (name, figures["clean"], strongest, figures["robust"])
    log.info("          %s: clean %.4g, strongest attack %.4g, all of them %.4g", *told)


def _in_space(
    config: Config, inputs: Inputs, dataset: Dataset, positions: Array, document: dict[str, Any]
) -> Part:
    """Attack the reference where it is no picture, and show every file what came of it."""
    from pipeline.audit.examples import examples
    from pipeline.audit.points import Reach, attack_reference, found_on, measure_transfer

    by = Reach(
        reach_of(*_sections(config)),
        document["steps"],
        document["restarts"],
        fold_seed(config.seed, "audit"),
    )
    known = attack_reference(inputs["reference"] / "model.keras", dataset, positions, by)
    files = Files.read(inputs["files"] / "files.json")
    others = _others(files.files, inputs)
    parents = {name: found_on(path, dataset, positions, by) for name, path in others.items()}
    for entry in files.files:
        path, own = inputs["files"] / entry.file, parents.get(entry.recipe.model, [])
        row, robust, answers = measure_transfer(path, entry.format, dataset, known, own, by)
        document["files"][entry.file] = row
        if entry.format == files.ships:
            shipped, held, answered = row, robust, answers
    document |= known.sections | {"samples": len(positions)}
    figures = {"positions": positions, "held": held} | examples(known, answered, dataset, positions)
    return document, figures, _metrics(document, shipped)


def _sections(config: Config) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `audit` and `harden.attack` say of what is moved."""
    assert config.audit is not None  # else the stage is off
    hardened = None if config.harden is None else settings_of(config.harden.attack)
    return settings_of(config.audit), hardened


def _empty(attack: Attack) -> dict[str, Any]:
    """Return audit.json before anything was attacked."""
    return {
        "schema": SCHEMA,
        "norm": attack.norm,
        "epsilon": attack.epsilon,
        "steps": attack.steps,
        "restarts": attack.restarts,
        "square_queries": attack.queries,
        "reach": picture_reach(attack.norm, attack.epsilon),
        "space": None,
        "samples": 0,
        "skipped": None,
        "files": {},
        "curve": [],
        "checks": [],
        "corruptions": [],
        "sanitize": None,
    }


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


def _curve(known: Any, shipped: Any, by: Attack) -> list[dict[str, Any]]:
    """Return accuracy by epsilon under one restart of the margin, of reference and shipped file."""
    start = {
        "epsilon": 0.0,
        "robust": float(known.attacked.clean.mean()),
        "shipped": shipped.row["clean"],
    }
    shares = [float(known.attacked.at(part).mean()) for part in CURVE]
    return [start] + [
        {"epsilon": part * by.epsilon, "robust": robust, "shipped": own}
        for part, robust, own in zip(CURVE, shares, shipped.curve, strict=True)
    ]


def _metrics(document: dict[str, Any], row: dict[str, Any]) -> Metrics:
    """Return the closing line of the stage, and what was skipped."""
    failed = sum(not check["passed"] for check in document["checks"])
    at = f"({document['reach']})"
    reason = row["straight_through"]["skipped"]
    return Metrics(
        {
            "clean": (row["clean"], ""),
            "robust": (row["robust"], at),
            "checks_failed": (failed, f"of {len(document['checks'])}"),
        },
        skipped={} if reason is None else {"straight_through": reason},
    )
