"""Settings of `tune`: what to search, how, what a trial may cost, and which one is chosen."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Positive, Section, Wanted

Cost = Literal["bytes", "macs", "latency_ms"]
Objective = Literal[
    "auto",
    "accuracy",
    "macro_f1",
    "auc",
    "r2",
    "mae",
    "rmse",
    "relative_mae",
    "f1",
    "precision",
    "recall",
    "robust",
]


class _Searched(Section):
    """What every entry of the space has."""

    when: dict[str, Any] = Field(default_factory=dict)
    """Searched only where another entry, a choice, has this value, or one of a list of them:
    `when: {model.kind: ds_cnn}`. Elsewhere the config's own value stands."""


class FloatRange(_Searched):
    """A real number between two bounds."""

    float: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    log: bool = False
    """Search the exponent, for rates that span orders of magnitude."""
    points: Annotated[int, Field(ge=2, le=1000)] | None = None
    """Values that a grid tries, both ends among them; the other tuners try any value."""


class IntRange(_Searched):
    """A whole number between two bounds."""

    int: Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    step: Count = 1
    """Distance of the values that are tried."""


class Choice(_Searched):
    """One of the listed values: numbers, words, lists, mappings or null."""

    choice: Annotated[tuple[Any, ...], Field(min_length=1), Wanted("a list of values")]
    """The values to choose from."""


def _which_range(entry: object) -> str | None:
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
    """What a trial may cost, of the shipped model; null: no limit.

    All of it follows from the graph: a trial beyond it is not trained.
    """

    parameters: Count | None = None
    """Weights of the model."""
    macs: Count | None = None
    """Multiply-accumulates an inference."""
    bytes: Count | None = None
    """Size of the file: it is made of the untrained network, and again of the trained one."""
    activation_bytes: Count | None = None
    """Most bytes of activations that live at once, one byte a value."""
    arena_bytes: Count | None = None
    """Arena that tflite-micro needs on a 64-bit machine; it must be in `verify.runtimes`."""
    latency_ms: Positive | None = None
    """Inference that Vela estimates, the longest of the Ethos-U in `export.targets`."""
    sram_bytes: Count | None = None
    """Memory for activations that Vela reports, the most of the Ethos-U in `export.targets`."""


class SmallestWithin(Section):
    """The cheapest trial that is nearly as good as the best."""

    smallest_within: Annotated[float, Field(ge=0)]
    """How far behind the best it may be: absolute, such as 0.005; relative for errors."""
    by: Cost = "bytes"
    """The size that is to be small."""


def _which_pick(value: object) -> str:
    """Return the tag of the form of a rule."""
    return "best" if isinstance(value, str) else "smallest"


Pick = Annotated[
    Annotated[Literal["best"], Tag("best")] | Annotated[SmallestWithin, Tag("smallest")],
    Discriminator(_which_pick),
]


class Tune(Section):
    """Hyper-parameter search by KerasTuner; each trial is judged by the file that would ship."""

    tuner: Literal["random", "bayesian", "hyperband", "grid"] = "random"
    """How the next trial is chosen. grid: all combinations; hyperband: many trials of few epochs,
    the best of them again with more (Li et al. 2018)."""
    objective: Objective = "auto"
    """What is best, on validation, of the quantized file: auto is the task's metric. robust: of the
    float network under attack (`robust: true`)."""
    max_trials: Count | None = None
    """Trials that are trained, at most; those beyond the limits count only when there are ten times
    as many. null: 10; all that there are of grid and hyperband."""
    epochs: Count = 5
    """Epochs a trial; of hyperband the most that one gets. Where they are `train.epochs`, `train`
    takes over the weights of the trial that is picked."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """Trials at a time, in a process each, which share the processor's cores equally. bayesian
    chooses as many at once."""
    robust: bool = False
    """Attack each trained network too, as `audit` or `harden` says: by PGD, of texts by
    substitution."""
    pick: Pick = "best"
    """Which trial is chosen: best, or {smallest_within: 0.005, by: bytes}."""
    space: Annotated[dict[str, Range], Field(min_length=1)]
    """Dotted path of a field -> what to try: `model.filters.0: {int: [8, 64], step: 8}`."""
    limits: Limits = Limits()
    """What a trial may cost at most."""
