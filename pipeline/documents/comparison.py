"""What `edgeline compare --json` prints: runs and bundles side by side."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from pipeline.documents.record import Record

Equality = Literal["bytes", "decisions", "metric", "different", "unknown"]
WeightsEquality = Literal["bit-equal", "apart", "other network"]
Value = str | int | float | None
Differences = Mapping[str, tuple[JsonValue, ...]]
"""Dotted path -> value of each side, where they are not all equal."""


class Made(Record):
    """Where and when a run or a bundle was made."""

    host: str
    """Name of the machine."""
    date: str
    """Of the latest stage, ISO 8601, UTC."""
    commit: str | None
    """Of the code; null: no git checkout."""
    seconds: float
    """Of all stages together, in s."""


class ComparedSide(Record):
    """One run or bundle."""

    name: str
    """Its path as it was given."""
    kind: Literal["run", "bundle"]
    """What lies there."""
    task: str
    """Name of the task."""
    ships: str
    """Format of the shipped model."""
    passed: bool
    """Whether all gates passed; false for a run that was not judged."""
    sha256: str
    """Of the shipped model."""
    made: Made | None
    """null: it is not known."""


class PairedDrop(Record):
    """Two shipped models on the same samples."""

    samples: int
    """How many samples both predicted."""
    agreement: float
    """Fraction of samples with the same decision, in [0, 1]."""
    metric_drop: float
    """How much worse the second is: absolute, or relative for errors; below 0: better."""
    metric_drop_ci95: tuple[float, float]
    """Paired 95 % bootstrap interval of the drop."""


class FileEquality(Record):
    """How the shipped model of one side stands to that of another."""

    equality: Equality
    """The strongest that holds."""
    why: str
    """In a sentence."""
    measured: PairedDrop | None
    """null: they were not measured on the same samples."""


class WeightsDistance(Record):
    """How the weights of one trained model stand to those of another."""

    equality: WeightsEquality
    """Equal to the last bit, apart by a largest difference, or of other shapes."""
    why: str
    """In a sentence."""
    largest: float | None
    """Largest absolute difference of a weight; null: the networks differ."""


class ComparedPair(FileEquality):
    """The first side with one of the others."""

    other: str
    """Name of the other side."""
    weights: WeightsDistance
    """Of the trained models."""


class Comparison(Record):
    """comparison.json, as `edgeline compare --json` prints it; the first side is the base."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Raised when a key changes its meaning."""
    sides: tuple[ComparedSide, ...]
    """In the order in which they were given."""
    metrics: dict[str, tuple[Value, ...]]
    """Name -> value of each side, of the shipped model and of its reference."""
    config: Differences
    """Settings that differ."""
    packages: Differences
    """Versions that differ."""
    data: Differences
    """What differs in the data and the split."""
    files: Differences
    """Format -> how its bytes stand to the first side's."""
    pairs: tuple[ComparedPair, ...]
    """The first side with each other."""
