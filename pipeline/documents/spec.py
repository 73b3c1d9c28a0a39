"""spec.json: all that a builder needs to make the network, and what training it was picked with."""

from typing import Any, Literal, TypeVar

from pydantic import Field

from pipeline.config.augment_schema import Augment
from pipeline.config.model_schema import Model
from pipeline.config.schema import Train
from pipeline.config.section import Count, Task
from pipeline.documents.record import Record

Settings = TypeVar("Settings")


class SpecInput(Record):
    """One named input of the network."""

    name: str
    shape: tuple[int, ...]
    """Of one sample, without the batch; of a forecasting detector without the last step."""
    dtype: Literal["float32", "int32"]
    """int32: numbers of words or of categories, each of which gets a vector."""
    vocabulary: Count | None = None
    """How many different numbers there are; null where dtype is float32."""
    pool: Literal["mean", "flatten"] | None = None
    """How the vectors become one: of words their mean, of categories all of them."""

    @property
    def is_text(self) -> bool:
        """Whether it holds the numbers of words, in order."""
        return self.pool == "mean"


class SpecOutput(Record):
    """One named output of the network."""

    name: str
    """Of the layer that gives it, and in the signature of the .tflite files."""
    shape: tuple[int, ...]
    """Of one sample, without the batch."""
    dtype: Literal["float32"] = "float32"
    """In the network; the files have the type that `export.io` asks for."""
    meaning: str
    """What its numbers are, in words."""


class RawUnit(Record):
    """How a model input becomes the raw values that it was made of: scale * x + offset."""

    scale: float | tuple[float, ...]
    """Of all values, or of each along the last axis."""
    offset: float | tuple[float, ...]
    """In the unit of raw values."""


class Adoption(Record):
    """How a network from outside was adopted."""

    head: Literal["keep", "replace", "add"] = "keep"
    """What became of its last layer."""
    scale: float = 1.0
    """It is given scale * x + offset, as it was trained."""
    offset: float = 0.0
    """In the unit of the scaled input."""
    raw: dict[str, RawUnit] = Field(default_factory=dict)
    """Input -> how it is given raw values; what is not named is given as it is prepared."""
    reset_weights: bool = False
    """Whether its weights begin anew, under the seed."""
    triples: bool = False
    """Whether a gray picture is given to it as three equal channels."""


class Batches(Record):
    """Batches that `tune` picked."""

    batch_size: Count
    """Samples a step."""
    augment: tuple[Augment, ...]
    """The `data.augment` section."""


class Spec(Record):
    """Contents of spec.json, written by `build`, and by `tune` with the trial that it picked."""

    schema_version: Literal[3] = Field(default=3, alias="schema")
    """Version of this document's form."""
    seed: int
    """Of the initial weights and of dropout."""
    model: Model
    """The `model` section."""
    inputs: tuple[SpecInput, ...]
    """In the order in which the network takes them."""
    task: Task | Literal["embedding"]
    """embedding: the code of an autoencoder, whose encoder is exported by itself."""
    outputs: tuple[SpecOutput, ...]
    """In the order in which the network gives them."""
    score: Literal["reconstruction", "forecast"] | None = None
    """What a detector's anomaly score is the error of; null for other tasks."""
    adoption: Adoption = Adoption()
    """How a network from outside was adopted; our own families ignore it."""
    architecture: dict[str, Any] | None = None
    """Its layers as Keras 3 serializes them, flat and seeded; null for our own families."""
    train: Train | None = None
    """The `train` section where `tune` searched it; null: as in the config."""
    batches: Batches | None = None
    """Batches where `tune` searched them; null: as in the config."""

    @property
    def units(self) -> int:
        """Classes or values of the only output."""
        (output,) = self.outputs
        return output.shape[-1]

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the `model` section, of which the caller knows the kind."""
        assert isinstance(self.model, kind), f"a {self.model.kind} model is no {kind.__name__}"
        return self.model
