"""What holds a run back: rate, epochs, data, capacity, the network's size, or nothing. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.report.words import figure
from pipeline.tasks import TASKS

Documents = Mapping[str, Any]
Found = tuple[float, str] | None
"""Weight in [0, 1], and what is said; None: nothing."""

GAP = 0.03  # training metric above that of validation
FULL = 0.98  # training metric above which a net has capacity enough
GAINED, FLAT = 0.01, 0.005  # validation metric from 30 % of the data to all of it
LAST, STILL = 0.1, 0.02  # last epochs, and what they still take off the validation loss
LINEAR = ("logistic regression", "linear regression", "TF-IDF and logistic regression")


def size_of_network(d: Documents, config: Mapping[str, Any]) -> Found:
    """Tell too deep from too shallow by the learning curve."""
    learning = d["learning"]
    if len(learning["rows"]) < 2:
        return None
    *_, before, last = learning["rows"]
    sign = 1 if learning["direction"] == "up" else -1
    gap = sign * (last["train"] - last["validation"])
    gained = sign * (last["validation"] - before["validation"])
    metric = learning["metric"]
    curve = ", ".join(
        f"{row['share']:.0%}: {figure(metric, row['train'])} on training and "
        f"{figure(metric, row['validation'])} on validation samples"
        for row in learning["rows"]
    )
    if gap >= GAP and gained < GAINED:
        return 0.75, (
            f"the network is too deep or too wide for these data ({curve}): more data bring little "
            "and the gap stays; halve the widths, or add dropout, weight_decay, data.augment"
        )
    if gap >= GAP:
        return 0.75, f"more data would help ({curve}): the gap closes as they grow"
    is_told_all = d["baseline"] is not None and data_noun(d) == "table" and _none_is_better(d)
    if gained < FLAT and sign * last["train"] < sign * _full(sign) and not is_told_all:
        return 0.75, (
            f"the network is too shallow or too narrow ({curve}): neither more data nor training "
            "samples themselves are answered better; double the widths or add a layer"
        )
    return 0.2, f"the network's size fits the data ({curve})"


def what_limits(d: Documents, config: Mapping[str, Any]) -> Found:
    """Tell what holds this run back: rate, epochs, data, capacity, or none of them."""
    (*_, row), metric = d["learning"]["rows"], d["learning"]["metric"]
    sign = 1 if d["learning"]["direction"] == "up" else -1
    rates = [w for w in d["warnings"]["warnings"] if w["code"].startswith("rate")]
    if rates:
        return 0.9, f"what limits this run is the learning rate: {rates[0]['text']}"
    losses = d["histories"]["train"].get("val_loss", [])
    if not losses:  # it was trained elsewhere
        return None
    best = int(np.argmin(losses))
    late = max(1, round(LAST * len(losses)))
    fell = 1 - min(losses) / min(losses[:-late]) if len(losses) > late and min(losses) > 0 else 0.0
    if best >= len(losses) - late and fell > STILL:
        return 0.6, (
            f"what limits this run is the number of epochs: the last {late} of {len(losses)} still "
            f"took {fell:.1%} off the validation loss; train longer"
        )
    both = f"{figure(metric, row['train'])} on training, {figure(metric, row['validation'])}"
    both += " on validation samples"
    if sign * (row["train"] - row["validation"]) >= GAP:
        return 0.5, (
            f"what limits this run is the data: {both}; more of them, {_spread(d)}dropout, or more "
            "weight_decay"
        )
    if d["baseline"] is not None and (better := _better_line(d)) is not None:
        return 0.6, (
            f"what limits this run is how it is trained: {both}, and {better} does better with "
            "fewer weights; train longer, or set train.range_test: true"
        )
    if TASKS[config["task"]].predicts_input or sign * row["train"] >= sign * _full(sign):
        return 0.05, f"nothing holds this run back that its figures show: {both}"
    if d["baseline"] is not None and data_noun(d) == "table" and _none_is_better(d):
        return 0.3, (
            f"what limits this run is what the columns tell: {both}, and none of "
            f"{len(d['baseline']['models'])} classical models does better; look for other columns"
        )
    return 0.5, f"what limits this run is capacity: {both}; more layers or wider ones"


def _none_is_better(d: Documents) -> bool:
    return all(row["drop"] >= 0 for row in d["parity"]["baseline"].values())


def _better_line(d: Documents) -> str | None:
    """Return the linear model that is better than the file that ships; None where none is."""
    behind = d["parity"]["baseline"]
    return next((name for name in LINEAR if name in behind and behind[name]["drop"] < 0), None)


def _full(sign: int) -> float:
    """Return the training metric from which on a net has capacity; of relative errors it is low."""
    return FULL if sign > 0 else 1 - FULL


def _spread(d: Documents) -> str:
    """Return that samples may be changed at random, where that makes others of their class."""
    return "" if data_noun(d) == "table" else "data.augment, "


def data_noun(d: Documents) -> str:
    """Return what the data are called in a sentence: a table, or a task."""
    kinds = {entry["kind"] for entry in d["preprocess"]["inputs"]}
    return "table" if kinds <= {"columns", "codes", "table"} else "task"
