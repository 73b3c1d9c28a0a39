"""Records that training writes: warnings, learning, pretraining, distillation, range_test."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.config.section import Count
from pipeline.documents.record import Record


class Warned(Record):
    """One thing that goes wrong, and what to do."""

    code: str
    """Key of WARNINGS."""
    text: str
    """What was measured, with its number."""
    cure: str
    """Which settings to change."""


class Warnings(Record):
    """warnings.json: what still goes wrong after the last epoch."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    warnings: tuple[Warned, ...]


class LearningRow(Record):
    """What a network reaches after training on some of the samples."""

    fraction: float
    """Of the training samples that it was trained on, in (0, 1]."""
    samples: Count
    """How many these are."""
    train: float
    """The metric on the training samples."""
    validation: float
    """The metric on the validation split."""
    train_loss: float
    validation_loss: float


class ValidationRecall(Record):
    """The metric on the validation split and, of classes, the recall of each."""

    metric: float
    recall: dict[str, float] | None
    """Class -> recall in [0, 1]; null: the task has no classes."""


class FineTuning(Record):
    """What fine-tuning changed."""

    before: ValidationRecall
    after: ValidationRecall


class Learning(Record):
    """learning.json: the metric on training and validation samples, with fewer samples too."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    metric: str
    """Name of the metric; loss for a detector, which learns from no label."""
    direction: Literal["up", "down"]
    """Whether more of the metric is better."""
    rows: tuple[LearningRow, ...]
    """By rising fraction; the last one is the network that is kept."""
    fine_tuning: FineTuning | None
    """Of a network that came trained; null: none did."""


class Gain(Record):
    """What a training gained by another one before it, on the validation split."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    metric: str
    """Name of the metric."""
    direction: Literal["up", "down"]
    """Whether more of it is better."""
    split: Literal["validation"] = "validation"
    metric_with: float
    """The metric of the network that is kept."""
    metric_without: float | None
    """The metric of the same network, trained without it; null: not compared."""


class Pretraining(Gain):
    """pretraining.json: what learning from samples without labels gained."""

    samples: Count
    """That the autoencoder was trained on."""
    unlabeled: int
    """Those of them that have no label."""
    labeled: Count
    """Samples that the classifier was trained on."""
    reconstruction_loss: float
    """Of the autoencoder, on the validation split."""


class Distillation(Gain):
    """distillation.json: what a teacher gained."""

    teacher: float
    """The metric of the teacher."""
    teacher_kind: str
    """Key of MODELS."""
    teacher_parameters: Count
    parameters: Count
    """Of the student."""


class RangeTest(Record):
    """range_test.json: the loss while the learning rate rises, and the rate that it suggests."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    suggested_rate: float
    """Peak learning rate of the training."""
    rates: tuple[float, ...]
    """That were tried, rising (n,)."""
    losses: tuple[float, ...]
    """Of a step at each rate (n,)."""
    smoothed: tuple[float, ...]
    """Running mean of the losses (n,)."""


RECORDS: dict[str, type[Record]] = {
    "pretraining": Pretraining,
    "distillation": Distillation,
    "range_test": RangeTest,
    "warnings": Warnings,
    "learning": Learning,
}


def read_training_records(history: Path) -> dict[str, Any]:
    """Return what a training wrote down of itself: a record by name; None for what there was not.

    Args:
        history: folder of the `train` stage.
    """
    paths = {name: history / f"{name}.json" for name in RECORDS}
    return {n: RECORDS[n].read(path) if path.exists() else None for n, path in paths.items()}
