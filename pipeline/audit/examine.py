"""Privacy, extraction and poisoning audits, and the findings of the whole audit.

Only classifiers are examined. Whatever needs training is off by default; the rest takes seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import Inputs
from pipeline.audit.attacked import Attacked, attacked_of
from pipeline.audit.drill import Plan, drill
from pipeline.audit.evasion import evenly
from pipeline.audit.findings import list_findings
from pipeline.audit.groups import by_group
from pipeline.audit.membership import RATES
from pipeline.audit.penultimate import activations, appearance
from pipeline.audit.poisoning import ALPHA, CLEAR, ON_CLEAN_SETS, SIGN, list_suspects, scan
from pipeline.audit.privacy import MembershipScores, infer_membership, measure_extraction
from pipeline.config.schema import Audit, Config
from pipeline.data.dataset import Dataset
from pipeline.documents.audit import Evasion, Examination, GroupMetrics, NotAttempted
from pipeline.documents.poisoning import Poisoning, PoisoningDrill, PoisonScan
from pipeline.documents.privacy import Membership
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS

SCANNED = 5000  # training samples that are scanned, at most
SHIFTS = {  # how the data was split -> what else may tell members from nonmembers
    "random": None,
    "stratified": None,
    "group": "members and nonmembers are of different groups",
    "time": "members and nonmembers are of different times",
    "given": "members and nonmembers come from parts that the source made",
}
LEFT_OUT = tuple(
    NotAttempted(attack=attack, reason=reason)
    for attack, reason in (
        ("model inversion", "reconstruction of training samples is not implemented"),
        ("property inference", "inference of properties of the training set is not implemented"),
        ("clean-label poisoning", "the drill relabels the samples that get the trigger"),
        ("sponge inputs", "the latency of a fixed network does not depend on its input"),
    )
)


def run_examinations(
    config: Config,
    inputs: Inputs,
    dataset: Dataset,
    *,
    out: Path,
    evasion: Evasion,
    survivors: tuple[Array, Array] | None = None,
) -> Examination:
    """Return the results beside evasion, and the findings.

    Args:
        config: the whole of it.
        inputs: of the audit stage.
        dataset: what was learnt and held back.
        out: folder of the stage, for what is kept over an interruption.
        evasion: of audit.json.
        survivors: samples that were attacked, and whether the shipped file is correct under every
            attack, (n,) each; None: nothing was attacked.
    """
    settings = config.audit
    assert settings is not None  # else the stage is off
    if not TASKS[config.task].can_be_attacked:
        return _nothing(f"the task is {config.task}; wanted classification")
    attacked = attacked_of(config, inputs, dataset, out=out)
    membership, scores = infer_membership(
        attacked,
        settings.membership_samples,
        settings.shadow_models,
        split=config.verify.split,
        shift=SHIFTS[config.data.split.by],
    )
    extraction = measure_extraction(attacked, settings.extraction_queries, settings.samples)
    poisoning = Poisoning(
        scan=_scan(attacked) if settings.poisoning_scan else None,
        drill=_drill(attacked, settings, config.export.io),
    )
    own = Examination(
        membership=membership,
        extraction=extraction,
        poisoning=poisoning,
        groups=_groups(attacked, scores, survivors),
        not_attempted=_left_out(evasion, settings),
        findings=(),
    )
    found = list_findings(evasion, own, attacked.file.name)
    return own.model_copy(update={"findings": found})


def _nothing(reason: str) -> Examination:
    """Return the result where there are no classes."""
    return Examination(
        membership=Membership(skipped=reason),
        extraction=None,
        poisoning=Poisoning(scan=None, drill=None),
        groups=None,
        not_attempted=(NotAttempted(attack="all but evasion", reason=reason),),
        findings=(),
    )


def _scan(attacked: Attacked) -> PoisonScan:
    """Scan the training set by the activations of the trained model."""
    dataset, names = attacked.dataset, attacked.names
    tried = evenly(dataset.split("train"), SCANNED)
    labels = np.asarray(dataset.labels[tried])
    seen = activations(attacked.model, dataset, tried)
    found = scan(
        seen, appearance(dataset, tried), labels, names=names, seed=attacked.learning["seed"]
    )
    return PoisonScan(
        samples=len(tried),
        training_samples=len(dataset.split("train")),
        min_silhouette=CLEAR,
        min_separation=SIGN,
        significance_level=ALPHA,
        clean_rates=ON_CLEAN_SETS,
        classes=tuple(found.classes),
        suspects=tuple(list_suspects(found, np.asarray(dataset.ids[tried]), names, labels=labels)),
    )


def _drill(attacked: Attacked, settings: Audit, io: str) -> PoisoningDrill | None:
    """Return what a planted backdoor would do; None: it was not asked for."""
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
    scores: MembershipScores | None,
    survivors: tuple[Array, Array] | None,
) -> GroupMetrics | None:
    """Return the metrics per group, of the samples that were attacked or, without, of all."""
    groups = attacked.dataset.report_groups
    if groups is None:
        return None
    held = attacked.held
    labels = np.asarray(attacked.dataset.labels[held])
    right = attacked.ask(attacked.dataset.read(held)).argmax(axis=1) == labels
    told = None
    if scores is not None:
        nonmembers = scores.nonmembers
        own = groups[scores.positions], groups[held[: len(nonmembers)]]
        told = scores.members, nonmembers, *own
    withstood = None
    if survivors is not None:
        order, kept = np.argsort(survivors[0]), np.isin(held, survivors[0])
        held, right = held[kept], right[kept]
        withstood = survivors[1][order][np.searchsorted(survivors[0][order], held)]
    return by_group(groups[held], right, withstood, scores=told, rate=RATES[0])


def _left_out(evasion: Evasion, settings: Audit) -> tuple[NotAttempted, ...]:
    """Return which attacks were not tried, and why."""
    off = {
        "evasion": evasion.skipped,
        "membership inference": _off(settings.membership_samples, "audit.membership_samples"),
        "extraction": _off(settings.extraction_queries, "audit.extraction_queries"),
        "scan for poison": None if settings.poisoning_scan else "audit.poisoning_scan is false",
        "poisoning drill": _off(settings.poisoning_drill, "audit.poisoning_drill"),
    }
    tried = (NotAttempted(attack=name, reason=why) for name, why in off.items() if why)
    return (*tried, *LEFT_OUT)


def _off(value: Any, key: str) -> str | None:
    return f"{key} is null" if value is None else None
