"""Every attack of ATTACKS that does not evade, metrics per group, and the findings of the audit.

Only classifiers are attacked. What needs training is off by default; the rest takes seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import Inputs
from pipeline.audit.attacks import ATTACKS
from pipeline.audit.audited_model import AuditedModel, open_audited_model
from pipeline.audit.findings import list_findings
from pipeline.audit.groups import by_group
from pipeline.audit.membership import RATES
from pipeline.audit.privacy import membership_scores, skip_membership
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset
from pipeline.documents.audit import Evasion, Examination, GroupMetrics, NotAttempted
from pipeline.documents.poisoning import Poisoning
from pipeline.documents.privacy import Membership
from pipeline.tasks import TASKS

NOT_IMPLEMENTED = tuple(
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
    robust: tuple[Array, Array] | None = None,
) -> Examination:
    """Return the results of all attacks beside evasion, and the findings.

    Args:
        config: the whole of it.
        inputs: of the audit stage.
        dataset: of the run.
        out: folder of the stage, for what outlasts an interruption.
        evasion: of audit.json.
        robust: positions of the attacked samples, and whether the shipped file is correct under
            every attack, (n,) each; None: nothing was attacked.
    """
    assert config.audit is not None  # else the stage is off
    if not TASKS[config.task].can_be_attacked:
        return _nothing(f"the task is {config.task}; wanted classification")
    audited = open_audited_model(config, inputs, dataset, out=out)
    fields: dict[str, Any] = {"extraction": None, "scan": None, "drill": None}
    left_out = [] if evasion.skipped is None else [_left_out("evasion", evasion.skipped)]
    for name, attack in ATTACKS.items():
        if attack.goal == "evasion":
            continue
        reason = attack.why_off(config.audit)
        if reason is None:
            fields |= attack.run(audited, config)
        else:
            left_out.append(_left_out(name, reason))
            fields.setdefault("membership", skip_membership(config, reason))
    poisoning = Poisoning(scan=fields.pop("scan"), drill=fields.pop("drill"))
    examination = Examination(
        poisoning=poisoning,
        attacks={name: attack.describe() for name, attack in ATTACKS.items()},
        groups=_groups(audited, config.audit.membership_samples, robust),
        not_attempted=(*left_out, *NOT_IMPLEMENTED),
        findings=(),
        **fields,
    )
    findings = list_findings(evasion, examination, audited.file.name)
    return examination.model_copy(update={"findings": findings})


def _left_out(attack: str, reason: str) -> NotAttempted:
    return NotAttempted(attack=attack, reason=reason)


def _nothing(reason: str) -> Examination:
    """Return the result where there are no classes."""
    return Examination(
        membership=Membership(skipped=reason),
        extraction=None,
        poisoning=Poisoning(scan=None, drill=None),
        groups=None,
        not_attempted=(_left_out("all but evasion", reason),),
        findings=(),
    )


def _groups(
    audited: AuditedModel, members: int | None, robust: tuple[Array, Array] | None
) -> GroupMetrics | None:
    """Return the metrics per group, of the samples that were attacked or, without, of all.

    Args:
        audited: the model.
        members: of membership inference, at most; None: it is off.
        robust: as for `run_examinations`.
    """
    groups, test = audited.dataset.report_groups, audited.test
    if groups is None:
        return None
    labels = np.asarray(audited.dataset.labels[test])
    correct = audited.query(audited.dataset.read(test)).argmax(axis=1) == labels
    scores = None
    if members is not None:
        own = membership_scores(audited, members)
        of_both = groups[own.positions], groups[test[: len(own.nonmembers)]]
        scores = own.members, own.nonmembers, *of_both
    is_robust = None
    if robust is not None:
        positions, masks = robust
        order, is_attacked = np.argsort(positions), np.isin(test, positions)
        test, correct = test[is_attacked], correct[is_attacked]
        is_robust = masks[order][np.searchsorted(positions[order], test)]
    return by_group(groups[test], correct, is_robust, scores=scores, rate=RATES[0])
