"""Settings of `model`: one section a kind; a test compares the kinds with MODELS."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Section

Activation = Literal["relu", "relu6", "sigmoid", "tanh"]


class Cnn(Section):
    """Blocks of convolution, batch normalisation, activation and pooling; then dense layers."""

    kind: Literal["cnn"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    """Output channels of each block."""
    kernel_size: Annotated[int, Field(ge=1, le=15)] = 3
    """Height and width of every kernel, in pixels."""
    strides: Annotated[int, Field(ge=1, le=8)] = 1
    """Step of every convolution, in pixels."""
    padding: Literal["same", "valid"] = "same"
    """same: borders padded with zeros; valid: only whole windows."""
    convolutions: Annotated[int, Field(ge=1, le=4)] = 1
    """Convolutions in a row in each block."""
    pool: Literal["max", "average", "none"] = "max"
    """2x2 pooling at the end of each block."""
    head: Literal["flatten", "global_average"] = "flatten"
    """How the last feature map becomes a vector."""
    dense: tuple[Count, ...] = (64,)
    """Widths of the dense layers before the output."""
    batch_norm: bool = True
    """Batch normalisation after every convolution, which then has no bias."""
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before the output layer."""


class Mlp(Section):
    """Dense layers over the flattened input."""

    kind: Literal["mlp"]
    units: tuple[Count, ...] = (64, 32)
    """Widths of the hidden layers."""
    embedding: Annotated[int, Field(ge=1, le=4096)] = 16
    """Numbers that are learnt for each word or category; texts are the mean of their words."""
    batch_norm: bool = False
    """Batch normalisation after every hidden layer."""
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before the output layer."""


Model = Annotated[Cnn | Mlp, Field(discriminator="kind")]
