"""Labels as the task wants them: class ids with names, or target values. Wrong ones are refused."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.label_files import read_labels
from pipeline.config.section import Classes
from pipeline.data.memmap_arrays import (
    count_ids,
    distinct,
    map_array,
    number_of,
    sort_array,
    take_rows,
    where,
)
from pipeline.data.samples import GIVEN, Source
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS

MOST_CLASSES = 1000
ANOMALY = ("normal", "anomaly")  # of `task: anomaly`, by id


def class_labels(source: Source, labels: Array, parts: Array) -> tuple[Array, tuple[str, ...]]:
    """Return class ids (N,) int64 and the name of each class.

    Args:
        source: says the kind of its labels.
        labels: as the source gave them (N,).
        parts: code of each sample's part (N,), for the message.

    Raises:
        ConfigError: labels are regression values, samples have no label (-1), ids leave gaps,
            or there are fewer than two classes.
    """
    if source.label_kind == "change":
        raise ConfigError(
            "task: classification was asked for and the source has no labels; wanted forecasting, "
            "or data.source.label or data.source.windows_path"
        )
    if source.label_kind == "number":
        raise ConfigError(
            "task: classification was asked for and this source has regression values as labels "
            f"({labels.min():g} to {labels.max():g}); wanted regression, or another "
            "data.source.label"
        )
    if source.label_kind == "integer":
        return _numbered(labels)
    ids = map_array(labels, lambda block: block, np.int64)
    if ids.min() < 0:
        sizes = count_ids(take_rows(parts, where(ids, lambda block: block < 0)), len(GIVEN))
        missing = {name or "the source": int(sizes[k]) for name, k in GIVEN.items()}
        places = ", ".join(f"{count} in {name}" for name, count in missing.items() if count)
        raise ConfigError(
            f"data.source: samples without a label: {places}; wanted a label for each: "
            "leave that part out (data.source.splits), or take another"
        )
    assert source.class_names is not None  # sources of classes have names
    return ids, source.class_names


def class_order(source: Classes, base: Path) -> tuple[str, ...] | None:
    """Return all classes in the order that the config gives; None: it gives none.

    Args:
        source: the `data.source` section.
        base: folder of the config file.

    Raises:
        ConfigError: there are two orders, or the file of labels cannot be read.
    """
    if source.labels_path is None:
        return source.class_names
    if source.class_names is not None:
        raise ConfigError("data.source: class_names and labels_path: wanted one of them")
    return read_labels(base / Path(source.labels_path).expanduser())


def in_given_order(
    labels: Array, names: tuple[str, ...], given: tuple[str, ...]
) -> tuple[Array, tuple[str, ...]]:
    """Return class ids in the order that the config gives, with its names.

    Args:
        labels: class ids (N,); -1: unknown.
        names: of the classes as the source has them.
        given: all classes in their order; where the source has numbers, they are places in it.

    Raises:
        ConfigError: the source has a class that is not given.
    """
    if names and all(name.isdecimal() for name in names) and not set(names) <= set(given):
        places = [int(name) for name in names]
    else:
        known = {name.strip().casefold(): place for place, name in enumerate(given)}
        exact = {name: place for place, name in enumerate(given)}
        places = [exact.get(name, known.get(name.strip().casefold(), -1)) for name in names]
    missing = [n for n, k in zip(names, places, strict=True) if not 0 <= k < len(given)]
    if missing:
        raise ConfigError(
            f"data.source.class_names: the data has {', '.join(missing)}, which is none of "
            f"{', '.join(given)}; wanted every class of the data, in the order of the model's "
            "outputs"
        )
    table = np.array([*places, -1], np.int64)  # the last is for -1
    return map_array(labels, lambda ids: table[ids], np.int64), given


def anomaly_labels(
    labels: Array, names: tuple[str, ...], normal: tuple[str, ...]
) -> tuple[Array, tuple[str, ...]]:
    """Return labels (N,) int64, 0 for normal and 1 for an anomaly, and the names of the two.

    Args:
        labels: class ids (N,).
        names: of the classes.
        normal: those that are normal.

    Raises:
        ConfigError: a class is not there, or none is left that is normal, or an anomaly.
    """
    unknown = [name for name in normal if name not in names]
    if unknown or not normal or len(set(normal)) == len(names):
        raise ConfigError(
            f"data.normal: wanted some of the classes, and not all: {', '.join(names)}; came "
            f"{', '.join(normal) or 'none'}"
        )
    kept = [names.index(name) for name in normal]
    return map_array(labels, lambda ids: ~np.isin(ids, kept), np.int64), ANOMALY


def refuse_one_kind(labels: Array, parts: Mapping[str, Array]) -> None:
    """Refuse splits in which a detector cannot be judged, or has nothing to learn.

    Args:
        labels: (N,), 0 for normal and 1 for an anomaly.
        parts: split -> indices (n,).

    Raises:
        ConfigError: a split has no normal sample, or test no anomaly; all problems are named.
    """
    wanted = [(name, "normal", 0) for name in parts] + [("test", "an anomaly", 1)]
    problems = [
        f"data.split: nothing in {name} is {kind}; wanted another data.split.by, larger parts, or "
        "another seed"
        for name, kind, code in wanted
        if len(parts[name]) and not count_ids(take_rows(labels, parts[name]), 2)[code]
    ]
    if problems:
        raise ConfigError(*problems)


def _numbered(labels: Array) -> tuple[Array, tuple[str, ...]]:
    """Return whole numbers as classes, in their order."""
    found = distinct(sort_array(labels))
    if not 2 <= len(found) <= MOST_CLASSES:
        raise ConfigError(
            f"data.source.label: {len(found)} different whole numbers from {found[0]:g} to "
            f"{found[-1]:g}; a classification wanted 2 to {MOST_CLASSES}"
        )
    ids = map_array(labels, lambda block: np.searchsorted(found, block), np.int64)
    return ids, tuple(f"{number:g}" for number in found)


def target_labels(task: str, source: Source, labels: Array) -> Array:
    """Return target values (N,) float32 in their own unit.

    Raises:
        ConfigError: labels are classes, or hold NaN or infinity, or are all the same; or a forecast
            is asked for and they are no changes, or the other way round.
    """
    if TASKS[task].takes_changes != (source.label_kind == "change"):
        raise ConfigError(
            "task: forecasting goes with a series_csv that has neither data.source.label nor "
            f"windows_path, and nothing else does; came {task}"
        )
    if source.label_kind == "class":
        raise ConfigError(
            f"task: {task} was asked for and the labels of this source are classes; wanted "
            "classification, "
            "or another data.source.label"
        )
    targets = map_array(labels, lambda block: block, np.float32)
    broken = number_of(targets, lambda block: ~np.isfinite(block))
    if broken:
        raise ConfigError(
            f"data.source: {broken} targets are NaN or infinity; repair or leave out such samples"
        )
    if targets.min() == targets.max():
        raise ConfigError(
            f"data.source: every target is {targets[0]:g}; wanted different ones to learn from"
        )
    return targets
