"""baseline.json: what classical models reach on the same samples."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record


class TreeSize(Record):
    """Size of a decision tree that people can read."""

    depth: int
    """Questions on the longest path."""
    leaves: int
    """Number of leaves."""


class BaselineModel(Record):
    """One classical model."""

    name: str
    """What it is called."""
    metrics: dict[str, float]
    """Metric -> value on the samples of `split`."""
    ci95: tuple[float, float]
    """95 % bootstrap interval of the task's metric there."""
    validation: dict[str, float]
    """Metric -> value on validation."""
    size_bytes: int
    """Size of the pickled model."""
    tree: TreeSize | None
    """Size of the tree; null: it is none that people can read."""
    training_samples: int
    """Samples that it was trained on."""
    converged: bool
    """Whether its solver converged."""


class Baseline(Record):
    """Contents of baseline.json, written by `baseline`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    metric: str
    """The task's metric."""
    split: Literal["validation", "test"]
    """Split of `metrics`."""
    models: tuple[BaselineModel, ...]
    """Every model, in the order of training."""
    best: str
    """Name of the model that is best on validation."""

    def model(self, name: str) -> BaselineModel:
        """Return a model by its name."""
        return next(model for model in self.models if model.name == name)
