"""ladder.json and weights.json: what compress tried, what it measured, and what it was made for."""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.config.export_schema import Cluster, Prune
from pipeline.documents.recipe import Quantizer
from pipeline.documents.record import Record


class Judgment(Record):
    """How a model's outputs on the validation split compare with the reference's."""

    metric: float
    """The task's metric."""
    metric_drop: float
    """Against the reference, in the bad direction; relative for errors."""
    agreement: float
    """Fraction of samples decided as the reference does."""
    worst_class_drop: float | None
    """Largest drop of a class's recall; null: there are no classes."""
    auc_drop: float | None = None
    """Loss of the area under the ROC curve; null: there are not two classes, or one is missing."""


class Refusal(Record):
    """A rung without a file."""

    quantizer: Quantizer
    """The quantizer that was to make it."""
    refused: str
    """Why no file can be made, or run."""


class MadeFile(Record):
    """A file that can be run."""

    quantizer: Quantizer
    """The quantizer that made it."""
    float_ops: int
    """Operations that compute in float."""


class Measurement(MadeFile, Judgment):
    """A rung's file on the validation split."""

    bytes: int
    """Of the file."""
    agreement_samples: int
    """Of validation, and of train where validation is small: for `agreement_at_least`."""
    agreement_at_least: float
    """Lower end of the one-sided 95 % interval of the agreement on these samples."""


class Rung(Record):
    """A row of the ladder's table."""

    name: str
    """Of the rung."""
    why: str
    """What it changes, or why there is no file of it."""
    bytes: int | None = None
    """Of the file; null: there is none."""
    metric: float | None = None
    """As for a judgment."""
    metric_drop: float | None = None
    """As for a judgment."""
    agreement: float | None = None
    """As for a judgment."""
    agreement_at_least: float | None = None
    """As for a measurement."""
    worst_class_drop: float | None = None
    """As for a judgment."""
    auc_drop: float | None = None
    """As for a measurement."""
    passed: bool | None = None
    """Whether it holds the gates that validation can judge; null: there is no file."""
    fails: tuple[str, ...] = ()
    """The gates that it does not hold."""


class Cached(Record):
    """A document whose contents are used again while its key holds."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    key: str
    """Hash of all that decides the contents."""
    choice: JsonValue
    """What else the run depended on; the same again means that the stage was forced."""


class Ladder(Cached):
    """Contents of ladder.json, written by `compress`."""

    measured: dict[str, Measurement | Refusal]
    """Rung -> its measurements, in the order of climbing."""
    rungs: tuple[Rung, ...]
    """The climbed, then the skipped."""


class Kernel(Record):
    """What became of one kernel."""

    name: str
    """Of the weight."""
    weights: int
    """How many numbers it holds."""
    zeros: int
    """How many of them are zero."""
    values: int
    """How many different ones there are."""


class SmallModel(Record):
    """What pruning and clustering made of the model."""

    zeros: float | None = None
    """Fraction of the kernels' weights that is zero; null: neither was asked for."""
    validation: Judgment | None = None
    """Against the reference; null: neither was asked for."""
    kernels: tuple[Kernel, ...] = ()
    """Those that are made small."""


class Weights(Cached, SmallModel):
    """Contents of weights.json, written by `compress`."""

    prune: Prune | None
    """The `compress.prune` section."""
    cluster: Cluster | None
    """The `compress.cluster` section."""
