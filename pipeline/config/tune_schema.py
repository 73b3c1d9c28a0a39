"""Settings of `tune`: what to search, how, and what a trial may cost."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Section


class FloatRange(Section):
    """A real number between two bounds."""

    float: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    log: bool = False
    """Search the exponent, for rates that span orders of magnitude."""


class IntRange(Section):
    """A whole number between two bounds."""

    int: Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    step: Count = 1


class Choice(Section):
    """One of the listed values."""

    choice: Annotated[tuple[str | bool | int | float, ...], Field(min_length=2)]


def _which_range(entry: Any) -> str | None:
    """Return the tag of the range that has the keys of `entry`; None: none of them."""
    given = entry if isinstance(entry, dict) else getattr(type(entry), "model_fields", ())
    return next((tag for tag in ("int", "float", "choice") if tag in given), None)


Range = Annotated[
    Annotated[FloatRange, Tag("float")]
    | Annotated[IntRange, Tag("int")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(_which_range),
]


class Limits(Section):
    """What a trial may cost; null: no limit."""

    parameters: Count | None = None
    macs: Count | None = None
    """Multiply-accumulates an inference."""
    bytes: Count | None = None
    """Weights at one byte each."""


class Tune(Section):
    """Hyper-parameter search by KerasTuner over any field of `model` and `train`."""

    tuner: Literal["random", "bayesian", "hyperband"] = "random"
    """How the next trial is chosen."""
    max_trials: Count = 10
    epochs: Count = 5
    """Epochs a trial."""
    space: Annotated[dict[str, Range], Field(min_length=1)]
    """Dotted path of a field -> what to try: `model.filters.0: {int: [8, 64], step: 8}`."""
    limits: Limits = Limits()
