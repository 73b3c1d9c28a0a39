"""audit.json: attacks on the trained model and the files, and what they amount to."""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.documents.evasion import (
    Check,
    CorruptionAccuracy,
    CurvePoint,
    FileRobustness,
    ReferenceRobustness,
    SanitizationRobustness,
)
from pipeline.documents.poisoning import Poisoning
from pipeline.documents.privacy import Extraction, Membership
from pipeline.documents.record import Record
from pipeline.documents.threat_model import ThreatModel


class GroupRobustness(Record):
    """Metrics of one group of samples."""

    samples: int
    """Number of samples."""
    clean_accuracy: float
    """Accuracy without an attack, in [0, 1]."""
    robust_accuracy: float | None
    """Accuracy under every attack; null: nothing was attacked."""
    membership_auc: float | None = None
    """AUC of membership inference; null: not tried, or too few samples."""
    membership_tpr: float | None = None
    """True positive rate of membership inference at the threshold of all samples."""


class GroupMetrics(Record):
    """Metrics per group of the column `data.report_groups`."""

    values: dict[str, GroupRobustness]
    """Group -> its metrics, the largest group first."""
    worst: dict[str, str | None]
    """Metric -> group with the worst value; null: no group is large enough."""


class AttackInfo(Record):
    """An attack that the audit knows; see pipeline/audit/attacks.py."""

    goal: Literal["evasion", "membership inference", "extraction", "poisoning"]
    """What the attacker wants."""
    title: str
    """The attack, for people."""
    needs: str
    """What the attacker has."""
    cost: str
    """What it takes, for each sample unless it says otherwise."""
    paper: str
    """Its source."""


class NotAttempted(Record):
    """An attack that was not tried."""

    attack: str
    """The attack."""
    reason: str
    """Why."""


class Finding(Record):
    """What an attack amounts to."""

    kind: str
    """evasion, membership, extraction, poisoning, backdoor or quantization."""
    name: str
    """The finding, in words."""
    owasp: str
    """Name in the OWASP Machine Learning Security Top Ten (2023)."""
    atlas: tuple[str, ...]
    """Techniques of MITRE ATLAS."""
    nist: str
    """Name in NIST AI 100-2 E2025."""
    severity: Literal["high", "medium", "low", "none"]
    """How grave it is, by the rule."""
    rule: str
    """How the severity follows from the evidence."""
    evidence: dict[str, JsonValue]
    """Metric -> value; null: not measured."""
    remediation: str
    """What to do about it."""


class Evasion(Record):
    """Evasion attacks."""

    norm: Literal["linf", "l2"]
    """Norm of the perturbation."""
    epsilon: float
    """Radius of the perturbation; for images of values in [0, 1]."""
    steps: int
    """Gradient steps of each restart."""
    restarts: int
    """Restarts of each loss."""
    square_queries: int
    """Queries per sample of Square attack, at most; 0: no search."""
    perturbation: str
    """Largest perturbation, in words."""
    threat_model: ThreatModel | None = None
    """What the attack may change; null: image pixels, or nothing was attacked."""
    samples: int = 0
    """Samples that were attacked."""
    skipped: str | None = None
    """Why no evasion was tried; null: it was."""
    reference: ReferenceRobustness | None = None
    """The trained model under attack; null: skipped."""
    files: dict[str, FileRobustness] = Field(default_factory=dict)
    """File -> its robustness."""
    curve: tuple[CurvePoint, ...] = ()
    """Accuracy by epsilon; empty for texts."""
    checks: tuple[Check, ...] = ()
    """Checks of the attacks."""
    corruptions: tuple[CorruptionAccuracy, ...] = ()
    """Common corruptions; empty unless the samples are images."""
    sanitization: SanitizationRobustness | None = None
    """Behind input sanitization; null: there is none."""


class Examination(Record):
    """Everything but evasion, and what the audit amounts to."""

    membership: Membership
    """Membership inference."""
    extraction: Extraction | None
    """Model extraction; null: not tried."""
    poisoning: Poisoning
    """Poisoning of the training set."""
    groups: GroupMetrics | None
    """Metrics per group; null: no column was named."""
    attacks: dict[str, AttackInfo] = Field(default_factory=dict)
    """Every attack that the audit knows, run or not; empty where there are no classes."""
    not_attempted: tuple[NotAttempted, ...]
    """Attacks that were not tried."""
    findings: tuple[Finding, ...]
    """What the attacks amount to, the gravest first."""


class Audit(Evasion, Examination):
    """Contents of audit.json, written by `audit`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
