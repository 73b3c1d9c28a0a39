"""The bottleneck of a run: learning rate, epochs, data, capacity, model size, or nothing. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.report.gather import Documents
from pipeline.report.words import figure
from pipeline.samples import KINDS
from pipeline.tasks import TASKS

Finding = tuple[float, str] | None
"""Weight in [0, 1], and a sentence; None: the rule does not apply."""

GAP = 0.03  # training metric above that of validation
FULL = 0.98  # training metric above which a model has capacity enough
GAINED, FLAT = 0.01, 0.005  # validation metric from 30 % of the data to all of it
LAST, STILL = 0.1, 0.02  # last epochs, and what they still take off the validation loss
LINEAR = ("logistic regression", "linear regression", "TF-IDF and logistic regression")


def judge_size(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Tell a model that is too large from one that is too small, by the learning curve."""
    learning = d.learning
    if len(learning.rows) < 2:
        return None
    *_, before, last = learning.rows
    sign = 1 if learning.direction == "up" else -1
    gap = sign * (last.train - last.validation)
    gained = sign * (last.validation - before.validation)
    metric = learning.metric
    curve = ", ".join(
        f"{row.fraction:.0%} of the data: {figure(metric, row.train)} on training and "
        f"{figure(metric, row.validation)} on validation"
        for row in learning.rows
    )
    if gap >= GAP and gained < GAINED:
        return 0.75, (
            f"the model is too deep or too wide for this data ({curve}): more data gains little "
            "and the gap remains; halve the widths, or add dropout, weight_decay, data.augment"
        )
    if gap >= GAP:
        return 0.75, f"more data would help ({curve}): the gap closes with more samples"
    is_exhausted = d.baseline is not None and is_table(d) and _none_is_better(d)
    if gained < FLAT and sign * last.train < sign * _full(sign) and not is_exhausted:
        return 0.75, (
            f"the model is too shallow or too narrow ({curve}): more data does not help, and the "
            "training metric is low; double the widths or add a layer"
        )
    return 0.2, f"the model's size fits the data ({curve})"


def find_bottleneck(d: Documents, config: Mapping[str, Any]) -> Finding:
    """Return the bottleneck of a run: learning rate, epochs, data, capacity, or none of them."""
    (*_, row), metric = d.learning.rows, d.learning.metric
    sign = 1 if d.learning.direction == "up" else -1
    rates = [w for w in d.warnings.warnings if w.code.startswith("rate")]
    if rates:
        return 0.9, f"the bottleneck is the learning rate: {rates[0].text}"
    losses = d.histories["train"].get("val_loss", [])
    if not losses:  # it was trained elsewhere
        return None
    best = int(np.argmin(losses))
    late = max(1, round(LAST * len(losses)))
    fell = 1 - min(losses) / min(losses[:-late]) if len(losses) > late and min(losses) > 0 else 0.0
    if best >= len(losses) - late and fell > STILL:
        return 0.6, (
            f"the bottleneck is the number of epochs: the last {late} of {len(losses)} still "
            f"lowered the validation loss by {fell:.1%}; train longer"
        )
    both = f"{figure(metric, row.train)} on training, {figure(metric, row.validation)}"
    both += " on validation"
    if sign * (row.train - row.validation) >= GAP:
        return 0.5, (
            f"the bottleneck is the data: {both}; add samples, {_augment(d)}dropout, or "
            "weight_decay"
        )
    return _limits_of_model(d, config, both, is_full=sign * row.train >= sign * _full(sign))


def _limits_of_model(
    d: Documents, config: Mapping[str, Any], both: str, *, is_full: bool
) -> Finding:
    """Tell what limits a run whose training and validation metrics are close."""
    if d.baseline is not None and (better := _better_linear(d)) is not None:
        return 0.6, (
            f"the bottleneck is how it is trained: {both}, and {better} does better with "
            "fewer weights; train longer, or set train.range_test: true"
        )
    if TASKS[config["task"]].predicts_input or is_full:
        return 0.05, f"no bottleneck found: {both}"
    if d.baseline is not None and is_table(d) and _none_is_better(d):
        return 0.3, (
            f"the bottleneck is the columns' information: {both}, and none of "
            f"{len(d.baseline.models)} classical models does better; look for other columns"
        )
    return 0.5, f"the bottleneck is capacity: {both}; add layers or widen them"


def _none_is_better(d: Documents) -> bool:
    return all(row.drop >= 0 for row in (d.parity.baseline or {}).values())


def _better_linear(d: Documents) -> str | None:
    """Return the linear model that is better than the shipped file; None: none is."""
    rows = d.parity.baseline or {}
    return next((name for name in LINEAR if name in rows and rows[name].drop < 0), None)


def _full(sign: int) -> float:
    """Return the training metric of a model with capacity enough; low for relative errors."""
    return FULL if sign > 0 else 1 - FULL


def _augment(d: Documents) -> str:
    """Return the advice to augment, where random changes keep a sample's class."""
    return "" if is_table(d) else "data.augment, "


def is_table(d: Documents) -> bool:
    """Tell whether samples are rows of a table."""
    return all(KINDS[entry.kind].is_tabular for entry in d.preprocess.inputs)
