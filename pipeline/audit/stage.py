"""Attack what ships. Reads dataset, reference, model, files; writes audit.json, figures.npz.

Each kind of audit is a line in `run`; what one cannot do for this data it says in `skipped`.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import (
    SCHEMA,
    WORK,
    Inputs,
    Metrics,
    read_json,
    sha256_file,
    write_arrays,
    write_json,
)
from pipeline.audit.attack import CURVE, Attack
from pipeline.audit.evasion import evenly
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import threads_for
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]
log = logging.getLogger(__name__)
Part = tuple[dict[str, Any], dict[str, Array], Metrics]

# Of [0, 1], where neither audit nor harden names one: common for small pictures under each norm.
DEFAULT_EPSILON = {"linf": 0.1, "l2": 1.0}


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the files, the one that ships with all that is known."""
    dataset = open_dataset(inputs["dataset"])
    document, figures, metrics = _evasion(config, inputs, dataset, out)
    write_json(out / "audit.json", document)
    write_arrays(out / "figures.npz", figures)
    return metrics


def _evasion(config: Config, inputs: Inputs, dataset: Dataset, out: Path) -> Part:
    """Return the evasion of every file: sections of audit.json, arrays of figures.npz."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    attack = _attack(config)
    document = _empty(attack)
    kinds = [entry["kind"] for entry in dataset.preprocess["inputs"]]
    if config.task != "classification" or kinds != ["image"]:
        reason = "the attack needs classes and one image input in [0, 1]"
        none = {"labels": np.zeros(0, np.int64)}
        return document | {"skipped": reason}, none, Metrics(skipped={"evasion": reason})
    positions = evenly(dataset.split(config.verify.split), settings.samples)
    return _attacked(inputs, dataset, positions, attack, document, out)


def _attacked(
    inputs: Inputs,
    dataset: Dataset,
    positions: Array,
    by: Attack,
    document: dict[str, Any],
    out: Path,
) -> Part:
    """Attack the reference, and show every file what came of it; then the one that ships."""
    from pipeline.audit.images import Pictures, attack_reference, transferred, under_corruption
    from pipeline.audit.queries import Asked
    from pipeline.audit.shipped import attack_shipped
    from pipeline.harden.robustness import clean_inputs

    x, labels = clean_inputs(dataset, positions), np.asarray(dataset.labels[positions])
    pictures = Pictures(x, labels, dataset.preprocess)
    known = attack_reference(inputs["reference"] / "model.keras", pictures, by)
    _tell("reference", known.figures, known.figures["white_box"])
    files = read_json(inputs["files"] / "files.json")
    parents = _parents(files["files"], inputs, pictures, by)
    held = {}
    for entry in files["files"]:
        path, own = inputs["files"] / entry["file"], parents[entry["recipe"]["model"]]
        row, masks = transferred(path, entry["format"], pictures, known, own)
        document["files"][entry["file"]] = row
        held[entry["format"]] = path, masks
    path, masks = held[files["ships"]]
    (out / WORK).mkdir(exist_ok=True)
    asked = Asked(path, dataset.preprocess, threads_for(path), out / WORK)
    shipped = attack_shipped(asked, pictures, known, masks, by, files["ships"])
    document["files"][path.name] = shipped.row
    _tell(path.name, shipped.row, min(shipped.row["attacks"].values()))
    document |= {
        "samples": len(positions),
        "reference": known.figures,
        "curve": _curve(known, shipped, by),
        "checks": known.checks + shipped.checks,
        "corruptions": under_corruption(path, pictures, known, by.of("corruptions")),
    }
    return document, shipped.figures, _metrics(document, shipped.row)


def _tell(name: str, figures: dict[str, Any], strongest: float) -> None:
    """Log what withstands, as soon as it is known: an audit of many samples takes minutes."""
    told = (name, figures["clean"], strongest, figures["robust"])
    log.info("          %s: clean %.4g, strongest attack %.4g, all of them %.4g", *told)


def _empty(attack: Attack) -> dict[str, Any]:
    """Return audit.json before anything was attacked."""
    return {
        "schema": SCHEMA,
        "norm": attack.norm,
        "epsilon": attack.epsilon,
        "steps": attack.steps,
        "restarts": attack.restarts,
        "square_queries": attack.queries,
        "samples": 0,
        "skipped": None,
        "files": {},
        "curve": [],
        "checks": [],
        "corruptions": [],
    }


def _attack(config: Config) -> Attack:
    """Return the attack that the config asks for: by default, within the epsilon of `harden`."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    epsilon = DEFAULT_EPSILON[settings.norm]
    if config.harden is not None and settings.norm == "linf":
        epsilon = config.harden.attack.epsilon
    return Attack(
        settings.norm,
        epsilon if settings.epsilon is None else settings.epsilon,
        settings.steps,
        settings.restarts,
        settings.square_queries,
        fold_seed(config.seed, "audit"),
    )


def _parents(
    entries: list[dict[str, Any]], inputs: Inputs, pictures: Any, by: Attack
) -> dict[str, dict[str, Array]]:
    """Return model that files are made from -> what fools it; nothing where it is the reference."""
    from pipeline.audit.images import found_on

    reference = sha256_file(inputs["reference"] / "model.keras")
    names = {name: inputs["model"] / name for name in (e["recipe"]["model"] for e in entries)}
    return {
        name: found_on(path, pictures, by) if sha256_file(path) != reference else {}
        for name, path in names.items()
    }


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
    at = f"at {document['norm']} epsilon {document['epsilon']:g}"
    reason = row["straight_through"]["skipped"]
    return Metrics(
        {
            "clean": (row["clean"], ""),
            "robust": (row["robust"], at),
            "checks_failed": (failed, f"of {len(document['checks'])}"),
        },
        skipped={} if reason is None else {"straight_through": reason},
    )
