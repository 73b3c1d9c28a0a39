"""recipe.json: how each file is made; compress decides it, export does it."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record

Quantizer = Literal["ai-edge", "converter"]
Clipping = Literal["min_max", "mse", "percentile", "entropy"]


class FileRecipe(Record):
    """How the file of one format is made; float formats use only `model`."""

    model: Literal["model.keras", "qat.keras"] = "model.keras"
    """What it is made from: the trained model as compress left it, or the one fine-tuned for
    int8."""
    quantizer: Quantizer = "ai-edge"
    """ai-edge: AI Edge Quantizer, on the float32 file; converter: the TFLite converter."""
    granularity: Literal["channel", "tensor", "dense_tensor"] = "channel"
    """Whether each channel of a kernel has a scale of its own; dense_tensor: of all but dense
    layers."""
    clipping: Clipping = "min_max"
    """How the range of an activation follows from the calibration samples."""
    correct: bool = False
    """Whether channels are equalized over layers, and biases take back what rounding adds."""
    int16_fraction: float = Field(default=0.0, ge=0, le=1)
    """Fraction of an int8 file's operations that have 16-bit activations."""
    float_fraction: float = Field(default=0.0, ge=0, le=1)
    """Fraction of an int8 file's operations that stay in float."""
    input_ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Input -> least and greatest value, where its raw type says so; others are measured."""


class CalibrationSet(Record):
    """What activation ranges are measured on."""

    method: Clipping
    """Of the shipped file."""
    samples: int
    """Samples of the train split."""
    ids_sha256: str
    """Of their ids, a line each."""


class Recipe(Record):
    """Contents of recipe.json, written by `compress`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    ships: str
    """Format of the shipped file."""
    rung: str | None
    """Rung of the ladder that ships; null: a float format ships."""
    calibration: CalibrationSet
    """Of the integer files."""
    formats: dict[str, FileRecipe]
    """Format -> how its file is made."""
