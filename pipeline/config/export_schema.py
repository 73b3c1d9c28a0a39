"""Settings of `compress` and `export`: remedies, formats, border types, targets."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Positive, Section

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Border = Literal["int8", "uint8", "float32"]
Target = Literal[
    "cpu",
    "mcu",
    "coral-edgetpu",
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
]
Remedy = Literal["calibration", "correction", "mixed", "qat", "int16x8"]


class Qat(Section):
    """Quantization-aware training: the network learns its own answers through int8's rounding."""

    epochs: Count = 10
    learning_rate: Positive = 3e-4
    """At the start; it falls to zero along a cosine."""


class Quantize(Section):
    """Which rungs the remedy ladder may climb when plain int8 breaks a gate on validation data."""

    remedies: tuple[Remedy, ...] = ("calibration", "correction", "mixed", "qat", "int16x8")
    """In order; the first that passes ships. calibration: ranges cut by error, percentile, entropy;
    correction: channels equalised, biases corrected; mixed: 16-bit activations where they gain
    most, or float where `gate.float_ops` allows some; qat: fine-tuned through the rounding;
    int16x8: 16-bit activations everywhere."""
    qat: Qat = Qat()
    granularity: Literal["channel", "tensor"] = "channel"
    """Scales of the weights: one for each output channel, or one for all, as old NPUs ask for."""
    exhaustive: bool = False
    """Measure every rung and ship the smallest that passes."""


class Compress(Section):
    """How the model gets small."""

    prune: None = None
    """Weight pruning: not built yet."""
    cluster: None = None
    """Weight clustering: not built yet."""
    quantize: Quantize = Quantize()


class Export(Section):
    """Which files are made."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = (
        "float32",
        "float16",
        "dynamic",
        "int8",
        "int16x8",
    )
    ships: Literal["auto", "float32", "float16", "dynamic", "int8", "int16x8"] = "auto"
    """The file to load: what the ladder chose, or one by name."""
    io: Border = "int8"
    """Type of input and output of the integer files."""
    encoder: bool = False
    """Also export the encoder of an autoencoder, whose answer is the code: for clustering, search,
    or as the input of something else."""
    metadata: bool = False
    """TFLite metadata in every file but those for NPUs and the C source: labels, normalisation,
    preprocessing, versions, as Android's tools read them; about 1 kB."""
    targets: tuple[Target, ...] = ("cpu", "mcu", "ethos-u55-128")
