"""Membership inference and model extraction; part of audit.json."""

from typing import Literal

from pipeline.documents.record import Record

Interval = tuple[float, float]


class OperatingPoint(Record):
    """Membership inference at one false positive rate."""

    fpr: float
    """False positive rate that is allowed."""
    tpr: float | None
    """True positive rate; null: there are too few nonmembers to measure it."""
    ci95: Interval | None
    """95 % Wilson interval of the true positive rate."""
    is_significant: bool | None
    """Whether the interval lies above that of the false positive rate; null: not measured."""
    reason: str | None
    """Why it was not measured."""


class RocPoint(Record):
    """A point of a ROC curve."""

    fpr: float
    """False positive rate."""
    tpr: float
    """True positive rate."""


class MembershipAttack(Record):
    """One membership inference attack."""

    auc: float
    """Area under the ROC curve."""
    operating_points: tuple[OperatingPoint, ...]
    """True positive rate at low false positive rates."""
    roc: tuple[RocPoint, ...]
    """ROC curve at logarithmically spaced false positive rates."""
    estimator: Literal["online", "offline"] | None = None
    """Form of the likelihood ratio attack (LiRA); null: another attack."""
    shadow_models: int | None = None
    """Shadow models that were trained; null: the attack needs none."""


class Membership(Record):
    """Membership inference from a model's outputs."""

    skipped: str | None
    """Why it was not tried; null: it was."""
    split: str | None = None
    """Where nonmembers are from: validation or test."""
    shift: str | None = None
    """What else than membership may tell the two sides apart; null: nothing known."""
    members: int | None = None
    """Training samples."""
    nonmembers: int | None = None
    """Samples that were not learned."""
    models: dict[str, dict[str, MembershipAttack]] | None = None
    """file or reference -> attack -> result."""


class Surrogate(Record):
    """A network that was trained on a file's outputs."""

    source: Literal["data", "noise"]
    """What the file was queried with: training samples or uniform noise."""
    queries: int
    """Queries to the file."""
    outputs: Literal["labels", "probabilities"]
    """What the attacker sees of an output."""
    agreement: float
    """Fraction of samples with the same decision as the file, in [0, 1]."""
    agreement_ci95: Interval
    """95 % Wilson interval."""
    accuracy: float
    """Accuracy of the surrogate, in [0, 1]."""


class Extraction(Record):
    """Model extraction through queries."""

    samples: int
    """Samples that decisions are compared on; none of them was queried."""
    steps: int
    """Training steps of each surrogate."""
    surrogates: tuple[Surrogate, ...]
    """One row a source, number of queries and kind of output."""
