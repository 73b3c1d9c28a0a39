"""robustness.json: a network before and after adversarial fine-tuning, on validation data."""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.documents.record import Record
from pipeline.documents.threat_model import ThreatModel
from pipeline.documents.training import FineTuning


class ClassRobustness(Record):
    """One class under an attack."""

    samples: int
    """Samples of the class."""
    recall: float
    """Fraction that is classified correctly without the attack, in [0, 1]."""
    robust_recall: float
    """Fraction that is classified correctly without the attack and under it, in [0, 1]."""
    attack_success_rate: float | None
    """Fraction of those correct without the attack that it makes wrong; null: none was correct."""


class AttackMetrics(Record):
    """A model under an attack."""

    clean_accuracy: float
    """Accuracy without the attack, in [0, 1]."""
    robust_accuracy: float
    """Fraction that is correct without the attack and under it, in [0, 1]."""
    one_step_accuracy: float | None = None
    """The same under a single sign step (FGSM); null: not measured."""
    classes: dict[str, ClassRobustness]
    """Class -> its metrics; classes without samples are left out."""
    auc: float | None
    """Area under the ROC curve without the attack; null unless there are two classes."""
    attacked_auc: float | None
    """The same under the attack."""


class EpochRobustness(Record):
    """A network after one epoch."""

    epoch: int
    """0: before the first."""
    clean_accuracy: float
    """Accuracy without an attack, in [0, 1]."""
    robust_accuracy: float
    """Accuracy under PGD, in [0, 1]."""
    one_step_accuracy: float | None = None
    """Accuracy under a single sign step (FGSM); null: not measured."""


class Collapse(Record):
    """Catastrophic overfitting of training on one step."""

    epoch: int
    """Epoch in which it was seen, from 1."""
    restored_epoch: int
    """Epoch whose weights were restored; 0: the start."""


class Course(Record):
    """What became of each epoch."""

    epochs: tuple[EpochRobustness, ...]
    """Every epoch; 0 is the start."""
    kept_epoch: int
    """Epoch whose weights are kept; 0: the start."""
    collapse: Collapse | None
    """Catastrophic overfitting; null: none was seen."""


class Robustness(Course):
    """Contents of robustness.json, written by `harden`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    norm: Literal["linf", "l2"] | None
    """Norm of the perturbation; null: words are replaced."""
    epsilon: float | None
    """Radius of the perturbation; null: words are replaced."""
    perturbation: str
    """Largest perturbation, in words."""
    threat_model: ThreatModel
    """What the attack may change."""
    mode: str
    """`harden.mode`."""
    attack: dict[str, JsonValue]
    """The section `harden.attack`."""
    steps: int
    """Gradient steps of the PGD that measures robust accuracy."""
    samples: int
    """Validation samples that were attacked."""
    before: AttackMetrics
    """The trained network."""
    after: AttackMetrics
    """The hardened network."""
    max_clean_drop: float | None
    """Largest loss of clean accuracy of an epoch that may be kept; null: the last one is kept."""
    fine_tuning: FineTuning
    """Metrics without an attack."""
