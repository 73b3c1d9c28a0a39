"""Settings of `train.optimizer` and `train.schedule`."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Positive, Section

Rate = Annotated[float, Field(gt=0, le=10)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class _Optimizer(Section):
    """What every optimizer has."""

    clip_norm: Positive | None = None
    """Largest global norm of the gradients over all replicas; null: no clipping."""
    clip_value: Positive | None = None
    """Largest value of any one gradient over all replicas; null: no clipping."""


class AdamW(_Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Rate = 1e-3
    """Peak rate, at the end of warm-up."""
    weight_decay: Decay = 0.004
    """Fraction of each kernel removed a step, times the rate; biases and scales stay."""


class Adam(_Optimizer):
    """Adaptive moments (Kingma and Ba 2015, arXiv:1412.6980)."""

    kind: Literal["adam"]
    learning_rate: Rate = 1e-3
    """Peak rate, at the end of warm-up."""


class Sgd(_Optimizer):
    """Plain gradient descent, with momentum where asked for (Polyak 1964)."""

    kind: Literal["sgd"]
    learning_rate: Rate = 1e-2
    """Peak rate, at the end of warm-up."""
    momentum: Decay = 0.0
    """Fraction of the last step that is made again."""
    nesterov: bool = False
    """Look ahead along the momentum first (Sutskever et al. 2013)."""


class RmsProp(_Optimizer):
    """Gradients over the root of their running mean square (Tieleman and Hinton 2012)."""

    kind: Literal["rmsprop"]
    learning_rate: Rate = 1e-3
    """Peak rate, at the end of warm-up."""
    rho: Decay = 0.9
    """Fraction of the mean square that is kept at a step."""
    momentum: Decay = 0.0
    """Fraction of the last step that is made again."""


class Lion(_Optimizer):
    """The sign of an interpolated momentum (Chen et al. 2023, arXiv:2302.06675)."""

    kind: Literal["lion"]
    learning_rate: Rate = 1e-4
    """Peak rate, at the end of warm-up; a third to a tenth of AdamW's."""
    weight_decay: Decay = 0.01
    """Fraction of each kernel removed a step, times the rate; biases and scales stay."""


class Muon(_Optimizer):
    """Momentum whose singular values are made equal, for matrices (Jordan et al. 2024).

    Steps have the size of AdamW's (Liu et al. 2025, arXiv:2502.16982, section 2.2), so that its
    rate and decay serve. AdamW moves the rest: kernels of convolutions, embeddings, biases, scales.
    """

    kind: Literal["muon"]
    learning_rate: Rate = 1e-3
    """Peak rate, at the end of warm-up."""
    weight_decay: Decay = 0.004
    """Fraction of each kernel removed a step, times the rate; biases and scales stay."""
    momentum: Decay = 0.95
    """Fraction of the mean of past gradients that is kept at a step."""


def _which_optimizer(value: object) -> str:
    """Return the kind of an optimizer section: adamw where none is named."""
    kind = value.get("kind", "adamw") if isinstance(value, dict) else getattr(value, "kind", "")
    return str(kind)


Optimizer = Annotated[
    Annotated[AdamW, Tag("adamw")]
    | Annotated[Adam, Tag("adam")]
    | Annotated[Sgd, Tag("sgd")]
    | Annotated[RmsProp, Tag("rmsprop")]
    | Annotated[Lion, Tag("lion")]
    | Annotated[Muon, Tag("muon")],
    Discriminator(_which_optimizer),
]


class _Schedule(Section):
    """What every schedule but those with a rise of their own has."""

    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    """Epochs in which the rate rises from zero to its peak (Goyal et al. 2017, section 2.2)."""


class Cosine(_Schedule):
    """A half cosine to zero (Loshchilov and Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"


class Constant(_Schedule):
    """The same learning rate all along."""

    kind: Literal["constant"]


class Step(_Schedule):
    """The rate times a factor, every few epochs."""

    kind: Literal["step"]
    epochs: Count = 10
    """Epochs between two steps, counted from the end of warm-up."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the rate is multiplied by at each step."""


class Exponential(_Schedule):
    """The rate times a factor every epoch, a little at each step."""

    kind: Literal["exponential"]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """What the rate is multiplied by in each epoch."""


class OneCycle(Section):
    """Up to the peak and far down, once (Smith and Topin 2018, arXiv:1708.07120).

    Both ways by a half cosine; the momentum stays as it is.
    """

    kind: Literal["one_cycle"]
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Fraction of the steps on the way up."""
    start: Annotated[float, Field(ge=1)] = 25.0
    """The first rate is the peak over this."""
    end: Annotated[float, Field(ge=1)] = 1e4
    """The last rate is the first over this."""


class Plateau(Section):
    """The rate times a factor, whenever the validation loss has stopped falling."""

    kind: Literal["plateau"]
    patience: Count = 5
    """Epochs without a better validation loss."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by when the validation loss stops falling."""


Schedule = Annotated[
    Cosine | Constant | Step | Exponential | OneCycle | Plateau, Field(discriminator="kind")
]
