"""The columns of a table that an attacker can change: how far, within which range, into what.

Legend: N samples, C columns. Values are in the columns' own units, categories are codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.shape import did_you_mean
from pipeline.documents.preprocess import CategoryColumn, Entry
from pipeline.errors import ConfigError
from pipeline.harden.category_choice import Choice
from pipeline.harden.threat_model import Part

Settings = Mapping[str, Any]

CHOICES = 32  # categories that a column can become, where the settings name none
NUMERIC = ("change", "low", "high", "whole")


def table_part(
    entry: Entry,
    names: Sequence[str],
    values_NC: Array,
    *,
    settings: Mapping[str, Settings],
    epsilon: float,
    where: str,
) -> Part:
    """Return what an attacker can change of a table's input.

    Args:
        entry: of preprocess.json.
        names: of its columns.
        values_NC: raw rows of train, NaN where one is not known.
        settings: column -> `change`, `low`, `high`, `whole`, `to`; the others stay.
        epsilon: standard deviations that a number moves by where `change` is None.
        where: key of the config, for messages.

    Raises:
        ConfigError: settings that do not fit a column; every one is named.
    """
    rows = values_NC.reshape(len(values_NC), -1).astype(np.float64)
    count, problems, choices = rows.shape[1], [], []
    radius, low, high = np.zeros(count), np.full(count, -np.inf), np.full(count, np.inf)
    whole = np.zeros(count, bool)
    for i, name in enumerate(names):
        if name not in settings:
            continue
        asked, key = settings[name], f"{where}.{name}"
        column = _category(entry, i)
        if column is not None:
            codes, wrong = _codes(column, rows[:, i], asked, key)
            choices.append(Choice(i, codes))
        else:
            own, wrong = _number(rows[:, i], asked, key, epsilon=epsilon)
            radius[i], low[i], high[i], whole[i] = own
        problems += wrong
    if problems:
        raise ConfigError(*problems)
    shape = tuple(values_NC.shape[1:])
    return Part(
        entry,
        shape,
        True,
        radius.astype(np.float32).reshape(shape),
        low.astype(np.float32).reshape(shape),
        high.astype(np.float32).reshape(shape),
        whole.reshape(shape),
        tuple(choices),
    )


def _category(entry: Entry, index: int) -> CategoryColumn | None:
    """Return a column of preprocess.json that holds categories; None for numbers."""
    column = (entry.columns or [None] * (index + 1))[index]
    return column if isinstance(column, CategoryColumn) else None


def _number(
    values_N: Array, asked: Settings, key: str, *, epsilon: float
) -> tuple[tuple[float, float, float, bool], list[str]]:
    """Return radius, low, high and whether it is whole, and what is wrong."""
    known = values_N[np.isfinite(values_N)]
    if not len(known):
        return (0.0, 0.0, 0.0, False), [f"{key}: no value of it in train is known"]
    problems = []
    if asked["to"] is not None:
        problems.append(f"{key}.to: the column holds numbers; wanted change, low, high or whole")
    low = float(known.min()) if asked["low"] is None else asked["low"]
    high = float(known.max()) if asked["high"] is None else asked["high"]
    if low > high:
        problems.append(f"{key}: wanted low below high; came {low:g} and {high:g}")
    is_whole = bool((known == np.round(known)).all())
    whole = is_whole if asked["whole"] is None else asked["whole"]
    if whole and not is_whole:
        broken = known[known != np.round(known)][0]
        problems.append(f"{key}.whole: train has {broken:g}; wanted false")
    radius = epsilon * float(known.std()) if asked["change"] is None else asked["change"]
    if radius == 0:
        problems.append(f"{key}: all of train has one value; wanted `change`, in its own unit")
    if whole and 0 < radius < 1:
        problems.append(
            f"{key}: whole numbers move by 1 at least and this one could by {radius:.3g}; "
            "wanted change: 1 or more, or whole: false"
        )
    return (radius, low, high, whole), problems


def _codes(
    column: CategoryColumn, values_N: Array, asked: Settings, key: str
) -> tuple[tuple[float, ...], list[str]]:
    """Return the codes that a category can become, in order, and what is wrong."""
    problems = [
        f"{key}.{name}: the column holds categories; wanted `to`, a list of some, or {{}}"
        for name in NUMERIC
        if asked[name] is not None
    ]
    names = list(column.values)
    frequent = [i for i, index in enumerate(column.category_index) if index < column.width - 1]
    if asked["to"] is None:
        counts = np.bincount(values_N[values_N >= 0].astype(np.int64), minlength=len(names))
        most = sorted(frequent, key=lambda code: (-counts[code], code))[:CHOICES]
        return tuple(map(float, sorted(most))), problems
    problems += [
        f"{key}.to: {name!r} is no category of it; there are {', '.join(names[:20])}"
        f"{did_you_mean(name, names)}"
        for name in asked["to"]
        if name not in names
    ]
    codes = sorted(names.index(name) for name in asked["to"] if name in names)
    return tuple(map(float, codes)), problems
