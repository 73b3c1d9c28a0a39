"""The record that describes a task: targets, loss, metrics, decisions. NumPy only, no TensorFlow.

Targets and outputs are mappings: name -> (N, ...). Outputs are what decisions are made from, on the
device as of the trained model: what is decoded from the model's raw outputs, where that differs.

Legend: N samples, K classes or outputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from pipeline.arrays import Array, Arrays, only

Result = TypeVar("Result")
Score = Callable[[Arrays, Arrays], float]

# Two values are one decision where they are nearer than this fraction of the reference's own RMSE.
# Where all differ by as much, the error grows by 3 %: sqrt(1 + 0.25^2).
ERROR_FRACTION = 0.25
# And this fraction of the target's 5-95 % range: what float16 rounds away is no other decision.
RANGE_FRACTION = 0.001


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part of what a sample should be predicted as; all its parts are its record of targets."""

    name: str
    dtype: Literal["int64", "float32"]
    """On disk; class ids are integers, values are in their own unit."""
    shape: tuple[int, ...] = ()
    """Of one sample, or of one of its rows; () is a single number."""
    padding: float | None = None
    """None: every sample has this shape, and a batch is a stack. Else a sample has any number of
    rows of this shape (ragged), and in a batch rows of this value fill up to the longest sample."""

    @property
    def batch_dtype(self) -> str:
        """NumPy's name of the type that the loss is given."""
        return {"int64": "int32", "float32": "float32"}[self.dtype]


@dataclass(frozen=True, kw_only=True)
class Output:
    """An output of a model that was trained for the task, by its name in spec and .tflite file."""

    name: str
    meaning: str
    """What its numbers are, in words."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is learned, with which loss, how predictions are judged, and what applies to them."""

    metric: str
    """Name of the metric that gates look at; a key of what `metrics` returns."""
    direction: Literal["up", "down"]
    """Whether more is better."""
    is_relative: bool = False
    """Whether a drop is counted relative to the reference's value, as for errors."""
    score: Score
    """(targets, outputs) -> value of `metric` only, for callers that need it often."""
    metrics: Callable[[Arrays, Arrays], dict[str, float]]
    """(targets, outputs) -> name -> value."""
    metric_names: tuple[str, ...]
    """All that `metrics` may return, the task's own metric first."""
    other_scores: Mapping[str, Score]
    """What `task_metric` may name beside `metric`: name -> score."""
    decisions: Callable[[Arrays], Array]
    """outputs -> the decision for each sample (N,)."""
    agree: Callable[[Array, Array, Arrays], Array]
    """(decisions, decisions, targets) -> whether two decisions count as the same (N,): bool, or the
    fraction of a decision's parts that are equal."""
    skill: Score
    """(targets, outputs) -> how much better than guesses: 1 is perfect, 0 is no better."""
    ranking: Callable[[Arrays, Arrays], float | None] | None = None
    """(targets, outputs) -> area under the ROC curve of the scores, which decisions alone do not
    show; None: these samples have none. None: nothing is ranked."""
    other_skills: Mapping[str, Score] = field(default_factory=dict)
    """Skill by those of `other_scores` that have another one."""
    constants: Callable[[Array, int], dict[str, list[float]]]
    """(targets of training (N,), number of classes) -> what a constant prediction is called -> its
    output (K,)."""
    constant_score: Callable[[Array], float] | None
    """How many samples each class has (K,) -> `metric` of the best constant prediction; values have
    no classes, and need no counts. None: there is no bound."""

    targets: tuple[Target, ...]
    """What a sample should be predicted as."""
    outputs: tuple[Output, ...]
    """What its networks end with; none: a network's family says, such as the input again."""
    losses: tuple[str, ...]
    """Keys of LOSSES that it can be trained with; `auto` is the first."""
    has_softmax: bool = False
    """Whether the network ends with a softmax over classes; else with a linear layer."""

    has_classes: bool = False
    """Whether targets are class ids, which can be named, counted and stratified."""
    learns_classes: bool = False
    """Whether the loss compares with class ids: they can be weighted, smoothed and distilled."""
    takes_hidden_labels: bool = False
    """Whether it learns from labels, of which some may be missing or be hidden."""
    takes_changes: bool = False
    """Whether targets are changes from the last known value of a series, and come from the series
    itself."""
    predicts_input: bool = False
    """Whether the network predicts its own input, and learns from no target."""
    learns_normal: bool = False
    """Whether it is trained only on samples of class 0."""
    has_threshold: bool = False
    """Whether a threshold on a score decides; training calibrates it and writes decision.json."""
    has_recordings: bool = False
    """Whether samples that are windows of a recording are judged together, too."""
    can_be_attacked: bool = False
    """Whether adversarial training and audit have a decision that they can try to change."""
    can_abstain: bool = False
    """Whether outputs hold a confidence, by which predictions can be left out."""

    baselines: Literal["classifiers", "regressors", "forecasters", "detectors"]
    """Which classical models it is compared with; a key of baseline/classical.FAMILIES."""
    split: Literal["stratified", "random", "time"]
    """How `edgeline new` splits the samples."""
    agreement: float | None = None
    """Gate on agreement that `edgeline new` writes; None: the default, or by the test's size."""
    agreement_note: str = ""
    """Why that gate is wider than the default."""


def pad_rows(values: Array, target: Target, *, rows: int) -> Array:
    """Return a ragged target of some samples as one array (n, rows, *shape).

    Args:
        values: of each sample an array of any number of rows (n,).
        target: what it is; `padding` fills up.
        rows: of the longest sample, of all that are learned.
    """
    assert target.padding is not None  # else there is nothing to fill up
    padded = np.full((len(values), rows, *target.shape), target.padding, target.batch_dtype)
    for sample, own in zip(padded, values, strict=True):
        sample[: len(own)] = own
    return padded


def metric_drop(task: Task, reference: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how much worse `other` is, positive when worse; relative for errors."""
    sign = 1 if task.direction == "up" else -1
    drop = sign * (reference[task.metric] - other[task.metric])
    return drop / abs(reference[task.metric]) if task.is_relative else drop


def ranking_drop(task: Task, targets: Arrays, reference: Arrays, *, other: Arrays) -> float | None:
    """Return by how much AUC is lower than of the reference; None: the task, or data, has none.

    Args:
        task: whose scores are ranked.
        targets: name -> (N, ...).
        reference: outputs of the reference, name -> (N, ...).
        other: outputs of the other model, name -> (N, ...).
    """
    if task.ranking is None or (own := task.ranking(targets, reference)) is None:
        return None
    found = task.ranking(targets, other)
    return None if found is None else own - found


def allowed_changes(share: float, samples: int) -> int:
    """Return how many decisions may differ on another runtime: a fraction, and at least one."""
    return max(1, int(share * samples))


def of_one(metric: Callable[[Array, Array], Result]) -> Callable[[Arrays, Arrays], Result]:
    """Return a metric of named targets and outputs, where there must be one of each.

    Args:
        metric: (target (N, ...), output (N, ...)) -> its value.
    """
    return lambda targets, outputs: metric(only(targets), only(outputs))


def predicted_class(outputs: Arrays) -> Array:
    """Return the class of the largest number of the only output (N,)."""
    return np.asarray(only(outputs).argmax(axis=1))


def predicted_value(outputs: Arrays) -> Array:
    """Return the only number of the only output (N,)."""
    return only(outputs)[:, 0]


def same_class(a: Array, b: Array, targets: Arrays) -> Array:
    """Return whether two decisions are the same class (N,)."""
    return np.asarray(a == b)


def close_values(reference: Array, other: Array, targets: Arrays) -> Array:
    """Return whether values differ by little against the error that the reference has (N,).

    Args:
        reference: the reference's values (N,).
        other: values of the other model (N,).
        targets: the true values.
    """
    known = only(targets)
    rmse = float(np.sqrt(((reference.astype(np.float64) - known) ** 2).mean()))
    low, high = np.percentile(known, [5, 95])
    allowed = max(ERROR_FRACTION * rmse, RANGE_FRACTION * float(high - low))
    return np.asarray(np.abs(reference - other) <= allowed)
