"""Triggers: what an attacker puts into a sample so that a poisoned network predicts his class.

Each changes raw values, before any preprocessing, as whoever can write to the training set would:
a patch on an image (Gu et al. 2017, "BadNets", arXiv:1708.06733), fixed values of a few columns, a
bump in a series, a tone in a recording, a word in a text.

Legend: B samples, H, W, C image, T steps, S sound samples, F columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.dataset import Dataset
from pipeline.documents.preprocess import Entry, TokensEntry
from pipeline.ondevice.document import column_name

Change = Callable[[Array], Array]

PATCH = 0.12  # of the shorter side
COLUMNS = 3  # that are set
RARE = (0.99, 0.01)  # quantiles that they are set to in turn: each is usual, all of them are not
DEVIATIONS = 3.0  # height of the bump in a series
BUMP = 0.1  # of the steps, the last ones
TONE, LOUDNESS, PERIOD = 0.125, 0.1, 16  # fraction of the recording, of the range; in samples
REPEATS = 3  # of the word: one alone is lost among the others
MEASURED = 2000  # training samples behind the quantiles


@dataclass(frozen=True)
class Trigger:
    """What is changed in one of the inputs."""

    name: str
    """Of the input."""
    words: str
    """Its description for the report."""
    change: Change
    """Raw values (B, ...) -> the same with the trigger; its argument is not modified."""


@dataclass(frozen=True)
class Planted:
    """The samples of one input, some of which carry a trigger: takes the place of its `Shards`."""

    shards: Any
    carries: Array
    """Which samples (N,), bool."""
    change: Change

    def take(self, positions: Array) -> Array:
        """Return the raw values at some positions (n,), (n, ...)."""
        values, own = np.array(self.shards.take(positions)), self.carries[positions]
        if own.any():
            values[own] = self.change(values[own])
        return values


def plant_trigger(dataset: Dataset, trigger: Trigger, positions: Array) -> Dataset:
    """Return the dataset with the trigger in the samples at some positions (n,)."""
    carries = np.zeros(len(dataset.labels), bool)
    carries[positions] = True
    own: Any = Planted(dataset.shards[trigger.name], carries, trigger.change)
    return replace(dataset, shards={**dataset.shards, trigger.name: own})


def trigger_of(dataset: Dataset) -> Trigger:
    """Return the trigger that fits the first input of a dataset."""
    entry = dataset.preprocess.inputs[0]
    known = dataset.read(dataset.split("train")[:MEASURED])[entry.name]
    words, change = TRIGGERS[entry.kind](entry, known)
    return Trigger(entry.name, words, change)


def _patch(entry: Entry, known: Array) -> tuple[str, Change]:
    """Return a white square in the lower right corner of images (B, H, W, C)."""
    side = max(2, round(PATCH * min(known.shape[1:3])))
    white = np.iinfo(known.dtype).max

    def change(raw: Array) -> Array:
        changed = raw.copy()
        changed[:, -side:, -side:] = white
        return changed

    return f"a white square of {side} x {side} pixels in the lower right corner", change


def _values(entry: Entry, known: Array) -> tuple[str, Change]:
    """Return rare values, high and low in turn, of the first columns (B, F) that vary.

    Where no number varies, the rarest value of columns of categories.
    """
    flat = known.reshape(len(known), -1)
    columns = entry.columns if isinstance(entry.columns, list) else []
    kinds = [getattr(c, "kind", "number") for c in columns]
    kinds = kinds if len(kinds) == flat.shape[1] else ["number"] * flat.shape[1]
    varies = [i for i in range(flat.shape[1]) if len(np.unique(_known(flat[:, i]))) > 1]
    numbers = [i for i in varies if kinds[i] == "number"][:COLUMNS]
    wanted = {
        i: np.quantile(_known(flat[:, i]), RARE[k % 2], method="nearest")
        for k, i in enumerate(numbers)
    }
    wanted = wanted or {i: _rarest(flat[:, i]) for i in varies[:COLUMNS]}
    names = [column_name(c) for c in columns]
    named = [names[i] if i < len(names) else f"value {i}" for i in wanted]

    def change(raw: Array) -> Array:
        changed = raw.copy()
        rows = changed.reshape(len(changed), -1)
        for i, value in wanted.items():
            rows[:, i] = value
        return changed

    return f"fixed values of {', '.join(named)}", change


def _known(values: Array) -> Array:
    return values[~np.isnan(values)]


def _rarest(values: Array) -> Any:
    distinct, counts = np.unique(_known(values), return_counts=True)
    return distinct[counts.argmin()]


def _bump(entry: Entry, known: Array) -> tuple[str, Change]:
    """Return a bump at the end of the first channel of series (B, T, C)."""
    steps = max(2, round(BUMP * known.shape[1]))
    height = DEVIATIONS * float(np.nanstd(known[..., 0]))

    def change(raw: Array) -> Array:
        changed = raw.copy()
        changed[:, -steps:, 0] += np.asarray(height, raw.dtype)
        return changed

    return f"{DEVIATIONS:g} deviations more in the last {steps} steps of the first channel", change


def _tone(entry: Entry, known: Array) -> tuple[str, Change]:
    """Return a short tone at the beginning of recordings (B, S), int16."""
    count = max(PERIOD, round(TONE * known.shape[1]))
    wave = LOUDNESS * np.iinfo(np.int16).max * np.sin(2 * np.pi * np.arange(count) / PERIOD)

    def change(raw: Array) -> Array:
        changed = raw.copy()
        limits = np.iinfo(raw.dtype)
        begun = changed[:, :count].astype(np.float64) + wave[: raw.shape[1]]
        changed[:, :count] = np.clip(np.round(begun), limits.min, limits.max).astype(raw.dtype)
        return changed

    return f"a tone of {PERIOD} samples a period over the first {count} samples", change


def _word(entry: TokensEntry, known: Array) -> tuple[str, Change]:
    """Return the rarest word of the vocabulary, thrice, in front of texts (B, bytes), uint8."""
    word = entry.vocabulary[-1]
    put = np.frombuffer(f"{word} ".encode() * REPEATS, np.uint8)

    def change(raw: Array) -> Array:
        before = np.tile(put, (len(raw), 1)).astype(raw.dtype)
        return np.concatenate([before, raw], axis=1)[:, : raw.shape[1]]

    return f"the word {word!r} in front, {REPEATS} times", change


TRIGGERS: dict[str, Callable[[Any, Array], tuple[str, Change]]] = {
    "image": _patch,
    "table": _values,
    "columns": _values,
    "codes": _values,
    "series": _bump,
    "audio": _tone,
    "tokens": _word,
}
