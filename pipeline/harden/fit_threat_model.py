"""Fit a threat model to a prepared dataset, by the settings of an attack.

Radius and range come from train alone: deviations, smallest and greatest values, whether all are
whole. They are used in threat_model.py; texts have word_substitution.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array, Model
from pipeline.config.shape import did_you_mean
from pipeline.data.dataset import Dataset
from pipeline.documents.preprocess import AudioEntry, Entry, SeriesEntry, TokensEntry
from pipeline.errors import ConfigError
from pipeline.harden.fit_columns import table_part
from pipeline.harden.threat_model import Part, PerturbationSet
from pipeline.harden.word_substitution import ThreatModel, fit_word_substitution
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples import KINDS

Settings = Mapping[str, Any]

MEASURED = 20_000  # training samples behind deviations and ranges, at most
VALUES = 20_000_000  # numbers in memory for it, at most
FULL_SCALE = 32768.0  # of 16-bit sound


def fit_threat_model(
    dataset: Dataset,
    settings: Settings,
    model: Model,
    *,
    where: str,
    norm: Literal["linf", "l2"] = "linf",
    changes: Sequence[Mapping[str, Any]] = (),
) -> ThreatModel:
    """Return the threat model of a `harden.attack` or `audit` section.

    Args:
        dataset: whose train part is measured.
        settings: epsilon, inputs, columns, channels, on, classes; of texts tokens, candidates.
        model: a Keras model; of texts, its vectors decide which words are near.
        where: key of the config, for messages.
        norm: of the ball.
        changes: sections of `data.augment`, dumped: done to training samples.

    Raises:
        ConfigError: an input, column, channel, category or class that is not there, or nothing that
            can be moved; every one is named.
    """
    entries = _attacked(dataset, settings, where)
    classes = _classes(dataset, settings, where)
    if isinstance(entries[0], TokensEntry):
        return fit_word_substitution(dataset, entries[0], settings, model=model, classes=classes)
    known = [name for entry in entries if KINDS[entry.kind].is_tabular for name in names_of(entry)]
    _refuse_unknown(settings["columns"] or (), known, f"{where}.columns", "column")
    if settings["channels"]:
        channels = [n for e in entries if KINDS[e.kind].has_channels for n in names_of(e)]
        _refuse_unknown(settings["channels"], channels, f"{where}.channels", "channel")
    parts = [_part(dataset, entry, settings, where) for entry in entries]
    movable = tuple(part for part in parts if part.choices or (part.radius > 0).any())
    if not movable:
        raise ConfigError(f"{where}: nothing that can be moved is left; name other columns")
    return PerturbationSet(dataset.preprocess, movable, norm, classes, tuple(changes))


def names_of(entry: Entry) -> list[str]:
    """Return the names of an input's columns or channels; of nameless numbers, name_0 and on."""
    columns = entry.columns
    if columns is None:
        count = int(np.prod(entry.shape))
        return [str(entry.name)] if count == 1 else [f"{entry.name}_{i}" for i in range(count)]
    return [str(c if isinstance(c, str) else c.name) for c in columns]


def _attacked(dataset: Dataset, settings: Settings, where: str) -> list[Entry]:
    """Return the inputs that an attack moves: those named, or all that its settings are about."""
    entries = list(dataset.preprocess.inputs)
    if settings["inputs"] is not None:
        known = [entry.name for entry in entries]
        _refuse_unknown(settings["inputs"], known, f"{where}.inputs", "input")
        entries = [entry for entry in entries if entry.name in settings["inputs"]]
    bounds = {"tokens"} if settings["tokens"] else {"range"}
    if settings["columns"] and not settings["tokens"]:
        bounds |= {"columns"}
    fitting = [entry for entry in entries if KINDS[entry.kind].attacked_by in bounds]
    if not fitting:
        words = "words are replaced only in texts" if settings["tokens"] else _why_none(entries)
        raise ConfigError(f"{where}: {words}")
    if settings["tokens"] and len(fitting) > 1:
        names = ", ".join(entry.name for entry in fitting)
        raise ConfigError(f"{where}.inputs: wanted one text; there are {names}")
    return fitting


def _why_none(entries: list[Entry]) -> str:
    """Return why none of some inputs can be attacked as asked, and what to ask for."""
    names = [n for e in entries if KINDS[e.kind].is_tabular for n in names_of(e)]
    if names:
        shown = ", ".join(names[:12])
        return f"a table is attacked by its columns; wanted `columns`, some of {shown}"
    return "a text is attacked word by word; wanted kind: substitute"


def _classes(dataset: Dataset, settings: Settings, where: str) -> tuple[int, ...] | None:
    if settings["classes"] is None:
        return None
    names = list(dataset.class_names or ())
    _refuse_unknown(settings["classes"], names, f"{where}.classes", "class")
    return tuple(sorted(names.index(name) for name in settings["classes"]))


def _refuse_unknown(asked: Any, known: list[str], key: str, what: str) -> None:
    """Refuse names that are not there.

    Raises:
        ConfigError: with the nearest name that is.
    """
    problems = [
        f"{key}: {name}: the model has no such {what}; there are {', '.join(known[:20])}"
        f"{did_you_mean(name, known)}"
        for name in asked
        if name not in known
    ]
    if problems:
        raise ConfigError(*problems)


def _part(dataset: Dataset, entry: Entry, settings: Settings, where: str) -> Part:
    if KINDS[entry.kind].is_tabular:
        return table_part(
            entry,
            names_of(entry),
            read_training_samples(dataset, entry.name),
            settings=settings["columns"] or {},
            epsilon=settings["epsilon"],
            where=f"{where}.columns",
        )
    return PARTS[entry.kind](dataset, entry, settings)


def _image(dataset: Dataset, entry: Entry, settings: Settings) -> Part:
    """Return an image in [0, 1], each value moved by epsilon."""
    radius = np.array(settings["epsilon"], np.float32)
    return _plain(entry, tuple(entry.shape), radius, (0.0, 1.0), is_raw=False, whole=False)


def _audio(dataset: Dataset, entry: AudioEntry, settings: Settings) -> Part:
    """Return a sound: its bands within the range of train, or the recording itself."""
    if settings["on"] == "waveform":
        radius = np.array(settings["epsilon"] * FULL_SCALE, np.float32)
        reach = (-FULL_SCALE, FULL_SCALE - 1)
        return _plain(entry, (entry.samples,), radius, reach, is_raw=True, whole=True)
    raw = read_training_samples(dataset, entry.name)
    blocks = [prepare_input(raw[i : i + 256], entry) for i in range(0, len(raw), 256)]
    reach = (
        np.min([block.min(axis=(0, 1)) for block in blocks], axis=0),
        np.max([block.max(axis=(0, 1)) for block in blocks], axis=0),
    )
    radius = np.array(settings["epsilon"], np.float32)
    return _plain(entry, tuple(entry.shape), radius, reach, is_raw=False, whole=False)


def _series(dataset: Dataset, entry: SeriesEntry, settings: Settings) -> Part:
    """Return windows whose channels move by epsilon deviations, within the range of train.

    Where each window is standardized by itself, it is the usual deviation within a window.
    """
    values, names = (
        read_training_samples(dataset, entry.name).astype(np.float64),
        names_of(entry),
    )
    with np.errstate(invalid="ignore"):
        known = np.where(np.isfinite(values), values, np.nan)
    deviation = np.nanstd(known, axis=(0, 1))
    if entry.per_window_standardize:
        within = np.nanmedian(np.nanstd(known, axis=1), axis=0)
        deviation = np.where(within > 0, within, deviation)
    is_open = np.array([settings["channels"] is None or n in settings["channels"] for n in names])
    radius = (settings["epsilon"] * deviation * is_open).astype(np.float32)
    reach = np.nanmin(known, axis=(0, 1)), np.nanmax(known, axis=(0, 1))
    whole = np.array([are_whole(known[..., i]) for i in range(len(names))])
    return _plain(entry, tuple(values.shape[1:]), radius, reach, is_raw=True, whole=whole)


PARTS: dict[str, Callable[[Dataset, Any, Settings], Part]] = {
    "image": _image,
    "audio": _audio,
    "series": _series,
}


def _plain(
    entry: Entry, shape: tuple[int, ...], radius: Array, reach: Any, *, is_raw: bool, whole: Any
) -> Part:
    """Return a part without choices; its arrays broadcast with `shape`."""
    low, high = (np.asarray(limit, np.float32) for limit in reach)
    if KINDS[entry.kind].is_sound and not is_raw:  # bands lie before the last axis, of one channel
        low, high = low.reshape(-1, 1), high.reshape(-1, 1)
    return Part(entry, shape, is_raw, radius, low, high, np.asarray(whole))


def read_training_samples(dataset: Dataset, name: str) -> Array:
    """Return raw training samples of one input (n, ...), few enough for the memory."""
    train, shards = dataset.split("train"), dataset.shards[name]
    most = min(MEASURED, max(1, VALUES // max(1, int(np.prod(shards.shape)))))
    return np.asarray(shards.take(train[:most]))


def are_whole(values: Array) -> bool:
    """Tell whether all known values, of any shape, are whole numbers."""
    known = values[np.isfinite(values)]
    return bool(len(known) and (known == np.round(known)).all())
