"""Evasion attacks on the reference and on files; part of audit.json."""

from typing import Literal

from pipeline.documents.record import Record
from pipeline.documents.robustness import ClassRobustness

Interval = tuple[float, float]


class Accuracy(Record):
    """An accuracy with its interval."""

    accuracy: float
    """Fraction of samples, in [0, 1]."""
    ci95: Interval
    """95 % Wilson interval."""


class ReferenceRobustness(Record):
    """The trained model under attack."""

    clean_accuracy: float
    """Accuracy without an attack, in [0, 1]."""
    clean_ci95: Interval
    """95 % Wilson interval."""
    noise_accuracy: float
    """Accuracy under random noise of the size of the perturbation."""
    white_box_accuracy: float
    """Robust accuracy under every gradient attack."""
    mean_queries: float | None
    """Queries per sample of Square attack; null: there was no search."""
    robust_accuracy: float
    """Fraction that is correct without and under every attack, in [0, 1]."""
    robust_ci95: Interval
    """95 % Wilson interval."""


class StraightThrough(Record):
    """The gradient attack on a file, straight through its rounding."""

    skipped: str | None
    """Why there was none; null: there was one."""
    agreement: float | None = None
    """Fraction of inputs with the same decision of the differentiable copy and the file."""
    inputs: int | None = None
    """Clean and attacked inputs that were compared."""
    mean_lsb: float | None = None
    """Mean difference of outputs, in integer steps; null for float files."""
    noise_accuracy: float | None = None
    """Accuracy of the file under random noise."""
    is_white_box: bool
    """Whether the copy agrees often enough for its gradients to be the file's."""


class SquareAttack(Record):
    """The search on a file, with only its outputs."""

    samples: int
    """Samples that were searched: those that no gradient attack made wrong."""
    mean_queries: float | None
    """Queries per sample; null: there was no search."""


class AttackedFile(Record):
    """What is measured on a file under attack."""

    clean_accuracy: float
    """Accuracy without an attack, in [0, 1]."""
    clean_ci95: Interval
    """95 % Wilson interval."""
    float_robust_accuracy: float
    """Robust accuracy of the trained model under the most similar attacks."""
    robust_accuracy: float
    """Fraction that is correct without an attack and, under every attack on the deployed pipeline
    (sanitization, file, detector), correct or flagged, in [0, 1]."""
    robust_ci95: Interval
    """95 % Wilson interval."""
    attacks: dict[str, Accuracy]
    """Attack -> accuracy under it."""
    is_full: bool
    """Whether the file itself was attacked; else only by transfer, which bounds from above."""
    robust_drop: float | None = None
    """Robust accuracy of the trained model less that of the file; null: only by transfer."""
    robust_drop_ci95: Interval | None = None
    """Paired 95 % bootstrap interval of the drop."""
    straight_through: StraightThrough | None = None
    """The gradient attack on the file; null: only by transfer."""
    square: SquareAttack | None = None
    """The search on the file; null: only by transfer."""
    classes: dict[str, ClassRobustness] | None = None
    """Class -> its metrics; null for images."""


class FileRobustness(AttackedFile):
    """A file under attack, in audit.json."""

    format: str
    """float32, float16, dynamic, int8 or int16x8."""


class CurvePoint(Record):
    """Accuracy at one size of the perturbation, under one restart of the margin loss."""

    epsilon: float
    """Radius of the perturbation."""
    reference_accuracy: float
    """Of the trained model."""
    shipped_accuracy: float | None
    """Of the shipped file; null: it has no gradient attack."""


class Check(Record):
    """A check that a sound attack passes."""

    name: str
    """What must hold."""
    on: Literal["reference", "file"]
    """Whose gradients or outputs."""
    value: float
    """What was measured."""
    limit: float
    """Largest value that passes."""
    passed: bool
    """Whether the value is within the limit."""
    meaning: str
    """What the value is, and what a failure shows."""


class CorruptionAccuracy(Record):
    """Accuracy under one common corruption."""

    name: str
    """The corruption."""
    severity: int
    """1, 3 or 5."""
    reference_accuracy: float
    """Of the trained model."""
    shipped_accuracy: float
    """Of the shipped file."""


class DetectorRates(Record):
    """What a detector of adversarial inputs adds."""

    threshold: float
    """L1 distance of the outputs with and without sanitization above which an input is flagged."""
    false_positive_rate: float
    """Fraction of clean samples that is flagged."""
    unaware_detection_rate: float
    """Fraction of adversarial examples flagged; the attack ignores sanitization and detector."""
    detection_rate: float
    """The same, of attacks that know the sanitization and ignore the detector."""
    aware_detection_rate: float
    """The same, of attacks that know both."""
    robust_accuracy: float
    """Fraction that is correct without an attack and, under these attacks alone, correct or
    flagged."""
    evasion_rate: float
    """Fraction that one of these attacks makes wrong without being flagged."""


class SanitizationCheck(Record):
    """A check of the attacks on a sanitized input."""

    name: str
    """What must hold."""
    value: float
    """What was measured."""
    limit: float
    """Largest value that passes."""
    passed: bool
    """Whether the value is within the limit."""


class SanitizationRobustness(Record):
    """The shipped file behind its input sanitization (feature squeezing)."""

    file: str
    """The file."""
    clean_accuracy: float
    """Accuracy without an attack, in [0, 1]."""
    unaware_robust_accuracy: float
    """Robust accuracy under the attack that does not know the sanitization."""
    adaptive_robust_accuracy: float
    """Robust accuracy under these attacks alone; the robust accuracy of the file is in its row."""
    adaptive_robust_ci95: Interval
    """95 % Wilson interval."""
    unsanitized_robust_accuracy: float
    """Robust accuracy of the same file without sanitization."""
    attacks: dict[str, float]
    """Attack -> robust accuracy under it."""
    detector: DetectorRates | None
    """The detector; null: there is none."""
    checks: tuple[SanitizationCheck, ...]
    """Checks that sound attacks pass."""
