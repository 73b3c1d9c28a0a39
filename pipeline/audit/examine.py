"""What is audited beside evasion: privacy, theft and poisoning, and what it all amounts to.

Only classes are examined. What needs training is off unless asked for; the rest takes seconds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import Inputs
from pipeline.audit.attacked import Attacked, attacked_of
from pipeline.audit.drill import Plan, drill
from pipeline.audit.evasion import evenly
from pipeline.audit.findings import findings
from pipeline.audit.groups import by_group
from pipeline.audit.membership import RATES
from pipeline.audit.penultimate import activations, appearance
from pipeline.audit.poisoning import ALPHA, CLEAR, ON_CLEAN_SETS, SIGN, list_suspects, scan
from pipeline.audit.privacy import measure_extraction, told_apart
from pipeline.config.schema import Audit, Config
from pipeline.data.dataset import Dataset
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS

SCANNED = 5000  # training samples that are scanned, at most
SHIFTS = {  # how the data was split -> what else than membership tells the two sides apart
    "random": None,
    "stratified": None,
    "group": "members and others are of different groups",
    "time": "members and others are of different times",
    "given": "members and others come from parts that the source made",
}
LEFT_OUT = [
    {"attack": "model inversion", "why": "reconstructions of training samples are not tried"},
    {"attack": "property inference", "why": "shares in the training set are not guessed"},
    {"attack": "clean-label poisoning", "why": "the drill relabels what it plants a trigger in"},
    {"attack": "sponge inputs", "why": "the time of a fixed network does not depend on its input"},
]


def run_examinations(
    config: Config,
    inputs: Inputs,
    dataset: Dataset,
    out: Path,
    *,
    evasion: Mapping[str, Any],
    survivors: tuple[Array, Array] | None = None,
) -> dict[str, Any]:
    """Return what audit.json says beside evasion.

    Args:
        config: the whole of it.
        inputs: of the audit stage.
        dataset: what was learnt and held back.
        out: folder of the stage, for what is kept over an interruption.
        evasion: audit.json so far: skipped, files, epsilon.
        survivors: samples that were attacked, and whether the shipped file withstood (n,) each;
            None: not known.
    """
    settings = config.audit
    assert settings is not None  # else the stage is off
    if not TASKS[config.task].can_be_attacked:
        return _nothing(f"the task is {config.task}; told apart are classes")
    attacked = attacked_of(config, inputs, dataset, out)
    found = told_apart(attacked, settings.membership_samples, settings.shadow_models)
    scores = found.pop("scores")
    document: dict[str, Any] = {
        "membership": {
            "split": config.verify.split,
            "shift": SHIFTS[config.data.split.by],
            **found,
        },
        "extraction": measure_extraction(attacked, settings.extraction_queries, settings.samples),
        "poisoning": {
            "scan": _scan(attacked) if settings.poisoning_scan else None,
            "drill": _drill(attacked, settings, config.export.io),
        },
        "groups": _groups(attacked, scores, survivors),
        "not_attacked": _left_out(evasion, settings),
    }
    return document | {"findings": findings({**evasion, **document}, attacked.file.name)}


def _nothing(why: str) -> dict[str, Any]:
    """Return the document where there is nothing to tell apart."""
    return {
        "membership": {"skipped": why},
        "extraction": None,
        "poisoning": {"scan": None, "drill": None},
        "groups": None,
        "not_attacked": [{"attack": "all but evasion", "why": why}],
        "findings": [],
    }


def _scan(attacked: Attacked) -> dict[str, Any]:
    """Return what the network that ships makes of the training set."""
    dataset, names = attacked.dataset, attacked.names
    tried = evenly(dataset.split("train"), SCANNED)
    labels = np.asarray(dataset.labels[tried])
    seen = activations(attacked.model, dataset, tried)
    found = scan(seen, appearance(dataset, tried), labels, names, attacked.learning["seed"])
    return {
        "samples": len(tried),
        "of": len(dataset.split("train")),
        "clear": CLEAR,
        "sign": SIGN,
        "grouped_by_chance": ALPHA,
        "on_clean_sets": ON_CLEAN_SETS,
        "classes": found.classes,
        "suspects": list_suspects(found, np.asarray(dataset.ids[tried]), names, labels),
    }


def _drill(attacked: Attacked, settings: Audit, io: str) -> dict[str, Any] | None:
    """Return what a planted backdoor would do; None where it was not asked for."""
    asked = settings.poisoning_drill
    if asked is None:
        return None
    plan = Plan(asked.share, _target(asked.target, attacked.names), asked.epochs, SCANNED, io)
    return drill(attacked, evenly(attacked.held, settings.samples), plan)


def _target(name: str | None, names: tuple[str, ...]) -> int:
    """Return the id of the class that the trigger is to make.

    Raises:
        ConfigError: there is no such class.
    """
    if name is None:
        return 0
    if name not in names:
        raise ConfigError(
            f"audit.poisoning_drill.target: {name} is no class; there are {', '.join(names)}"
        )
    return names.index(name)


def _groups(
    attacked: Attacked,
    scores: tuple[Array, Array, Array] | None,
    survivors: tuple[Array, Array] | None,
) -> dict[str, Any] | None:
    """Return the figures by group, of the samples that were attacked or, without, of all."""
    groups = attacked.dataset.report_groups
    if groups is None:
        return None
    held = attacked.held
    labels = np.asarray(attacked.dataset.labels[held])
    right = attacked.ask(attacked.dataset.read(held)).argmax(axis=1) == labels
    told = None
    if scores is not None:
        members, others, who = scores
        told = members, others, groups[who], groups[held[: len(others)]]
    withstood = None
    if survivors is not None:
        order, kept = np.argsort(survivors[0]), np.isin(held, survivors[0])
        held, right = held[kept], right[kept]
        withstood = survivors[1][order][np.searchsorted(survivors[0][order], held)]
    return by_group(groups[held], right, withstood, told, rate=RATES[0])


def _left_out(evasion: Mapping[str, Any], settings: Audit) -> list[dict[str, str]]:
    """Return what was not attacked, and why."""
    off = {
        "evasion": evasion["skipped"],
        "membership inference": _off(settings.membership_samples, "audit.membership_samples"),
        "extraction": _off(settings.extraction_queries, "audit.extraction_queries"),
        "scan for poison": None if settings.poisoning_scan else "audit.poisoning_scan is false",
        "poisoning drill": _off(settings.poisoning_drill, "audit.poisoning_drill"),
    }
    return [{"attack": name, "why": why} for name, why in off.items() if why] + LEFT_OUT


def _off(value: Any, key: str) -> str | None:
    return f"{key} is null" if value is None else None
