"""budget.json: what a network costs, counted from its layers before any training."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record
from pipeline.targets.compiler import PlacedOperation


class LayerCost(Record):
    """One layer of the network."""

    name: str
    kind: str
    """Keras' class, such as Conv2D."""
    output_shape: tuple[int | None, ...]
    """Of one sample, without the batch."""
    parameters: int
    """Weights, trained or not."""


class Budget(Record):
    """Contents of budget.json, written by `build`, and by `tune` for the trial that it picked."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    parameters: int
    """Weights of the network, without the counters of dropout."""
    macs: int
    """Multiply-accumulates of one inference."""
    peak_activation_bytes: int
    """Most bytes of activations that live at once, at 8 bits each."""
    layers: tuple[LayerCost, ...]
    """In the order of execution."""
    targets: dict[str, tuple[PlacedOperation, ...]]
    """Target -> where each operation of an int8 file will run, by the rules."""
