"""What sanitising learns from train: how far numbers reach, and the levels that they may take.

It stands in preprocess.json, in each input's `sanitize`. It is applied in `squeeze.py`
(TensorFlow, for training) and ondevice/sanitize.py (NumPy, on the device).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.shards import Shards
from pipeline.documents.preprocess import CategoryColumn, Entry, Sanitize
from pipeline.errors import ConfigError
from pipeline.samples import KINDS
from pipeline.samples.kind import FITTED

MARGIN = 1.0  # widths of train's range on either side; what lies further is far outside
BY_RANK = ("quantile", "piecewise")  # columns whose levels hold equal parts of train


def fit_sanitizing(
    entry: Entry, shards: Shards, train: Array, *, wish: Mapping[str, Any]
) -> Sanitize:
    """Fit the input sanitization of an input (feature squeezing and limits).

    Args:
        entry: the input in preprocess.json.
        shards: its samples.
        train: (n,), indices of the training samples.
        wish: the config's `data.sanitize`, dumped, and `is_limited`: whether numbers have limits.

    Returns:
        median, bit_depth, range: as in the config; limits: [low, high] of each column of numbers,
        None for a category; levels: rising values of each column; each None where nothing is done.

    Raises:
        ConfigError: it cannot be done to this kind of input.
    """
    _refuse_unfit(entry, wish)
    limits: list[tuple[float, float] | None] | None = None
    levels: list[list[float] | None] | None = None
    settings = {key: wish[key] for key in ("median", "bit_depth", "range")}
    if not KINDS[entry.kind].has_limits:
        return Sanitize(**settings, limits=None, levels=None)
    columns = _columns(entry, shards, train)
    if wish["is_limited"] and not getattr(entry, "per_window_standardize", False):
        limits = [None if known is None else _limits(known) for known, _ in columns]
    if wish["bit_depth"] is not None:
        most = 2 ** int(wish["bit_depth"])
        levels = [
            None if known is None else _levels(known, most, by_rank=by_rank)
            for known, by_rank in columns
        ]
    return Sanitize(**settings, limits=limits, levels=levels)


def _refuse_unfit(entry: Entry, wish: Mapping[str, Any]) -> None:
    """Refuse what only the data show to be no use: some sources hold any kind of input."""
    kind, name = entry.kind, entry.name
    problems = []
    if wish["median"] is not None and not KINDS[kind].smoothing_axes:
        problems.append(
            f"data.sanitize.median: is for images, sound and series, and this source gives {name} "
            f"({kind}), whose values have no neighbors; wanted null"
        )
    if wish["bit_depth"] is not None and KINDS[kind].levels_from is None:
        problems.append(
            f"data.sanitize.bit_depth: is for numbers, and this source gives {name} ({kind}); "
            "wanted null"
        )
    if problems:
        raise ConfigError(*problems)


def _columns(entry: Entry, shards: Shards, train: Array) -> list[tuple[Array | None, bool]]:
    """Return the known values in train of each column, and whether its levels go by rank.

    A category has no values: None. What has no columns of its own is one column.
    """
    each = int(np.prod(shards.shape[:-1], dtype=np.int64))  # values of a column in a sample
    most = max(1, FITTED // max(1, each))
    values = shards.take(train[:: max(1, len(train) // most)])
    named = entry.columns
    if named is None:
        return [(values[~np.isnan(values)], False)]
    found: list[tuple[Array | None, bool]] = []
    for place, column in enumerate(named):
        own = values[..., place]
        if isinstance(column, CategoryColumn):
            found.append((None, False))
            continue
        by_rank = not isinstance(column, str) and column.encoding in BY_RANK
        found.append((own[~np.isnan(own)], by_rank))
    return found


def _limits(known: Array) -> tuple[float, float]:
    """Return how low and high numbers may be: train's range, wider by itself on both sides."""
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    width = MARGIN * (high - low)
    first, last = np.clip([low - width, high + width], *_FLOAT32).astype(np.float32)
    return float(first), float(last)


_FLOAT32 = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))


def _levels(known: Array, most: int, *, by_rank: bool) -> list[float]:
    """Return at most `most` rising values: those there are where they are few; else spread."""
    different = np.unique(known.astype(np.float32))
    if not len(different):
        return [0.0]
    if len(different) > most:
        low, high = float(different[0]), float(different[-1])
        middles = (np.arange(most) + 0.5) / most  # of equal parts of train
        ranked = np.quantile(known.astype(np.float64), middles) if by_rank else None
        chosen = np.linspace(low, high, most) if ranked is None else ranked
        different = np.unique(chosen.astype(np.float32))
    return [float(value) for value in different]
