"""Attack what ships. Reads dataset, reference, model, files; writes audit.json, figures.npz.

PGD finds its inputs on the float reference, and on the float model that a file is made from where
that is another, pruned or fine-tuned; every file then decides on those very inputs, through its own
quantization. What of a sample an attacker can move is said in harden/space.py.
This is a transfer attack: it bounds the robustness of a file from above.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import (
    SCHEMA,
    Inputs,
    Metrics,
    read_json,
    sha256_file,
    write_arrays,
    write_json,
)
from pipeline.audit.evasion import evenly, survivors, wilson
from pipeline.audit.reach import reach_of, why_not
from pipeline.audit.transfer import Attack, Attacked, attack_reference, found_on
from pipeline.config.schema import Config
from pipeline.config.space_schema import settings_of
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.measure import run_file
from pipeline.harden.space_figures import by_class
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]

SHOWN = 12  # adversarial examples in the report


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Attack the reference, and show every file the inputs that came of it."""
    dataset, attack = open_dataset(inputs["dataset"]), _attack(config)
    document = _empty(attack)
    kinds = [entry["kind"] for entry in dataset.preprocess["inputs"]]
    reason = why_not(config.task, kinds, *_sections(config))
    if reason is not None:
        write_json(out / "audit.json", document | {"skipped": reason})
        write_arrays(out / "figures.npz", {"labels": np.zeros(0, np.int64)})
        return Metrics(skipped={"evasion": reason})
    assert config.audit is not None  # else the stage is off
    positions = evenly(dataset.split(config.verify.split), config.audit.samples)
    attacked = attack_reference(inputs["reference"] / "model.keras", dataset, positions, attack)
    files = read_json(inputs["files"] / "files.json")
    document |= {
        "samples": len(positions),
        "reference": attacked.figures,
        "curve": attacked.curve,
        "checks": attacked.checks,
        **attacked.told,
    }
    parents = _parents(files["files"], inputs, dataset, positions, attack)
    for entry in files["files"]:
        path, form = inputs["files"] / entry["file"], entry["format"]
        own = parents[entry["recipe"]["model"]]
        row, answers = _row(path, form, dataset, positions, attacked, own)
        document["files"][entry["file"]] = row
        if form == files["ships"]:
            shipped, figures = row, _figures(dataset, positions, attacked, answers)
    write_json(out / "audit.json", document)
    write_arrays(out / "figures.npz", figures)
    at = f"({document['reach']})"
    return Metrics({"clean": (shipped["clean"], ""), "robust": (shipped["robust"], at)})


def _empty(attack: Attack) -> dict[str, Any]:
    """Return audit.json before anything was attacked."""
    return {
        "schema": SCHEMA,
        "norm": "linf",
        "epsilon": attack.settings["epsilon"],
        "steps": attack.steps,
        "restarts": attack.restarts,
        "samples": 0,
        "skipped": None,
        "files": {},
        "curve": [],
        "checks": [],
    }


def _attack(config: Config) -> Attack:
    """Return the attack that the config asks for: by default, within the epsilon of `harden`."""
    settings = config.audit
    assert settings is not None  # else the stage is off
    seed = fold_seed(config.seed, "audit")
    return Attack(reach_of(*_sections(config)), settings.steps, settings.restarts, seed)


def _sections(config: Config) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `audit` and `harden.attack` say of what is moved."""
    assert config.audit is not None  # else the stage is off
    hardened = None if config.harden is None else settings_of(config.harden.attack)
    return settings_of(config.audit), hardened


def _parents(
    entries: list[dict[str, Any]],
    inputs: Inputs,
    dataset: Dataset,
    positions: Array,
    attack: Attack,
) -> dict[str, list[Mapping[str, Array]]]:
    """Return model that files are made from -> what fools it; nothing where it is the reference."""
    reference = sha256_file(inputs["reference"] / "model.keras")
    paths = {entry["recipe"]["model"]: inputs["model"] for entry in entries}
    return {
        name: found_on(folder / name, dataset, positions, attack)
        if sha256_file(folder / name) != reference
        else []
        for name, folder in paths.items()
    }


def _row(
    path: Path,
    form: str,
    dataset: Dataset,
    positions: Array,
    attacked: Attacked,
    own: list[Mapping[str, Array]],
) -> tuple[dict[str, Any], tuple[Array, Array]]:
    """Return the figures of one file, and its answers to the clean and the first found inputs.

    `own` are inputs that fool the float model which the file is made from.
    """
    asked = [*attacked.inputs, *own]
    inputs = {name: np.concatenate([x[name] for x in asked]) for name in asked[0]}
    outputs = run_file(path, dataset.preprocess, inputs, prepared=True).outputs
    answers = outputs.argmax(axis=1).reshape(len(asked), len(positions))
    clean, *held = [answer == dataset.labels[positions] for answer in answers]
    robust, count = survivors(clean, held), len(positions)
    transferred = len(attacked.found)
    attacks = {"pgd_transfer": float(survivors(clean, held[:transferred]).mean())}
    if own:
        attacks["pgd_parent"] = float(survivors(clean, held[transferred:]).mean())
    row = {
        "format": form,
        "clean": float(clean.mean()),
        "clean_ci95": wilson(int(clean.sum()), count),
        "float_robust": attacked.figures["robust"],
        "robust": float(robust.mean()),
        "robust_ci95": wilson(int(robust.sum()), count),
        "attacks": attacks,
        "classes": by_class(clean, robust, dataset.labels[positions], dataset.class_names or ()),
    }
    return row, (answers[0], answers[1])


def _figures(
    dataset: Dataset, positions: Array, attacked: Attacked, answers: tuple[Array, Array]
) -> dict[str, Array]:
    """Return adversarial examples: those that fooled the shipped file first."""
    fooled = (answers[0] == dataset.labels[positions]) & (answers[1] != answers[0])
    shown = np.concatenate([np.flatnonzero(fooled), np.flatnonzero(~fooled)])[:SHOWN]
    kinds = [entry["kind"] for entry in dataset.preprocess["inputs"]]
    names = ("clean", "adversarial") if kinds == ["image"] else ("clean_points", "found_points")
    return {
        names[0]: attacked.clean[shown],
        names[1]: attacked.found[0][shown],
        "labels": np.asarray(dataset.labels[positions[shown]]),
        "prediction_clean": answers[0][shown],
        "prediction_adversarial": answers[1][shown],
    }
