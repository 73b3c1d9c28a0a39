"""trials.json: the trials of a hyper-parameter search, and what travels between its processes."""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.documents.record import Record

Costs = dict[str, int | float | None]


class Trial(Record):
    """A config with other values, to be measured."""

    trial: str
    """Number of the trial, in the order in which the tuner proposed them."""
    values: dict[str, JsonValue]
    """Dotted path of the config -> value."""
    epochs: int
    """Epochs of its training."""


class TrialResult(Trial):
    """A trial and what was measured; on validation, of the file that would ship."""

    score: float | None = None
    """Value of the search's metric; null: the trial was refused or failed."""
    reason: str | None = None
    """Why there is no score; null: there is one."""
    exceeds_limits: bool = False
    """Whether it was not trained, because it costs more than `tune.limits` allows."""
    costs: Costs = Field(default_factory=dict)
    """bytes, parameters, macs, activation_bytes, latency_ms, sram_bytes, arena_bytes -> value;
    null: the compiler refuses the file."""
    metrics: dict[str, float] | None = None
    """Metric -> value; null without a score."""
    reference: float | None = None
    """The task's metric of the float network; null without a score."""
    metric_drop: float | None = None
    """How much worse the file is than the float network: absolute, or relative for errors."""
    agreement: float | None = None
    """Fraction of samples with the float network's decision, in [0, 1]."""
    float_ops: int | None = None
    """Operations of the file that stay in float."""
    robust_accuracy: float | None = None
    """Accuracy of the float network under PGD, in [0, 1]; null: not measured (tune.robust)."""

    @property
    def known_score(self) -> float:
        """The score of a trial that was finished."""
        assert self.score is not None  # callers choose finished trials
        return self.score

    def known_cost(self, name: str) -> int | float:
        """Return a cost that was measured."""
        cost = self.costs[name]
        assert cost is not None  # callers choose trials whose cost is known
        return cost


class ReferencePoint(Record):
    """The point that a hypervolume is measured from; worse points add nothing."""

    cost: int | float
    """The limit, or the highest cost of a finished trial."""
    score: float
    """The worst score of a finished trial."""


class Front(Record):
    """The Pareto front of score and one cost."""

    trials: tuple[str, ...]
    """Trials that no other beats in both, the cheapest first."""
    reference: ReferencePoint
    """Where the hypervolume is measured from."""
    hypervolume: float
    """Area between front and reference point; larger is better."""


class Trials(Record):
    """Contents of trials.json, written by `tune`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    key: str
    """Hash of all that decides a trial's result, beside its values and epochs."""
    tuner: str
    """random, bayesian, hyperband or grid."""
    metric: str
    """What the score is."""
    direction: Literal["up", "down"]
    """up: higher is better."""
    format: str
    """Format of the file that is judged."""
    space: dict[str, dict[str, JsonValue]]
    """The section `tune.space`."""
    limits: Costs
    """The section `tune.limits`; null: no limit."""
    picked: str
    """The chosen trial."""
    fronts: dict[str, Front]
    """Cost -> Pareto front; a cost that is not known is left out."""
    trials: tuple[TrialResult, ...]
    """All trials, best first, refused ones last."""
