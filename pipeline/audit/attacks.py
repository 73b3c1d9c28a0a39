"""ATTACKS: every attack of the audit, in one table.

A new one is a file with its function and a row here; the stage, audit.json, the report and the docs
list it from here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.audit.images import search_file, transfer, transfer_parent
from pipeline.audit.poisoning_drill import run_drill
from pipeline.audit.poisoning_scan import scan_training_set
from pipeline.audit.privacy import infer_membership, measure_extraction
from pipeline.audit.sanitized import attack_adaptively
from pipeline.audit.straight_through import attack_straight_through
from pipeline.config.schema import Audit
from pipeline.documents.audit import AttackInfo

Goal = Literal["evasion", "membership inference", "extraction", "poisoning"]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack of the audit."""

    goal: Goal
    title: str
    """Name for people."""
    needs: str
    """What the attacker has."""
    cost: str
    """What it takes, for each sample unless it says otherwise."""
    paper: str
    run: Callable[..., Any]
    """Of evasion: (FileCase, attack -> which samples are correct under it, of those before)
    -> FileAttack. Of other goals: (AuditedModel, Config) -> fields of audit.json."""
    is_on_every_file: bool = False
    """Of evasion: whether it is run on all files, not on the shipped one alone."""
    why_off: Callable[[Audit], str | None] = lambda settings: None
    """Why the `audit` section turns it off; None: it does not."""

    def describe(self) -> AttackInfo:
        """Return the row for audit.json."""
        return AttackInfo(
            goal=self.goal, title=self.title, needs=self.needs, cost=self.cost, paper=self.paper
        )


def _null(key: str) -> Callable[[Audit], str | None]:
    """Return why an attack is off where a setting is null."""
    return lambda settings: f"audit.{key} is null" if getattr(settings, key) is None else None


ATTACKS: dict[str, Attack] = {
    "pgd_transfer": Attack(
        goal="evasion",
        title="transferred from the trained model",
        needs="gradients of the trained model",
        cost="audit.steps gradients a restart and loss",
        paper="Croce and Hein 2020, Auto-PGD, arXiv:2003.01690",
        run=transfer,
        is_on_every_file=True,
    ),
    "pgd_parent": Attack(
        goal="evasion",
        title="transferred from the fine-tuned model",
        needs="gradients of the float model before export",
        cost="audit.steps gradients a restart and loss",
        paper="Croce and Hein 2020, Auto-PGD, arXiv:2003.01690",
        run=transfer_parent,
        is_on_every_file=True,
    ),
    "straight_through": Attack(
        goal="evasion",
        title="straight-through (white box)",
        needs="weights and scales of the file",
        cost="audit.steps gradients a restart and loss",
        paper="Athalye et al. 2018, BPDA, arXiv:1802.00420",
        run=attack_straight_through,
    ),
    "adaptive": Attack(
        goal="evasion",
        title="adaptive to input sanitization and detector",
        needs="gradients of the float model before export, the sanitization",
        cost="4 to 5 times audit.steps gradients",
        paper="Athalye et al. 2018, BPDA, arXiv:1802.00420",
        run=attack_adaptively,
    ),
    "square": Attack(
        goal="evasion",
        title="Square Attack (black box)",
        needs="scores of the file",
        cost="audit.square_queries queries at most",
        paper="Andriushchenko et al. 2020, arXiv:1912.00049",
        run=search_file,
    ),
    "membership inference": Attack(
        goal="membership inference",
        title="membership inference",
        needs="scores of the file, samples of the same kind",
        cost="1 query; with audit.shadow_models that many trainings in all",
        paper="Carlini et al. 2022, LiRA, arXiv:2112.03570",
        run=infer_membership,
        why_off=_null("membership_samples"),
    ),
    "extraction": Attack(
        goal="extraction",
        title="model extraction",
        needs="scores or decisions of the file, samples of the same kind",
        cost="audit.extraction_queries queries and several trainings in all",
        paper="Tramer et al. 2016, arXiv:1609.02943; Orekondy et al. 2019, arXiv:1812.02766",
        run=measure_extraction,
        why_off=_null("extraction_queries"),
    ),
    "scan for poison": Attack(
        goal="poisoning",
        title="scan of the training set for poison",
        needs="training samples, activations of the trained model",
        cost="1 prediction",
        paper="Chen et al. 2018, arXiv:1811.03728; Tran et al. 2018, arXiv:1811.00636",
        run=scan_training_set,
        why_off=lambda settings: (
            None if settings.poisoning_scan else "audit.poisoning_scan is false"
        ),
    ),
    "poisoning drill": Attack(
        goal="poisoning",
        title="backdoor drill",
        needs="write access to the training set",
        cost="1 training and export in all",
        paper="Gu et al. 2017, BadNets, arXiv:1708.06733",
        run=run_drill,
        why_off=_null("poisoning_drill"),
    ),
}
