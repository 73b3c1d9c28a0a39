"""Labels as the task wants them: class ids with names, or target values. Wrong ones are refused."""

import numpy as np

from pipeline.data.samples import Array, Source
from pipeline.errors import ConfigError


def class_labels(source: Source, labels: Array, parts: Array) -> tuple[Array, tuple[str, ...]]:
    """Return class ids (N,) int64 and the name of each class.

    Args:
        source: tells what its labels are.
        labels: as the source gave them (N,).
        parts: part of each sample (N,), for the message.

    Raises:
        ConfigError: labels are quantities, samples have no label (-1), ids leave gaps, or there are
            fewer than two classes.
    """
    if source.answers == "number":
        raise ConfigError(
            "task: classification was asked for and the labels of this source are quantities "
            f"({labels.min():g} to {labels.max():g}); wanted regression, or another "
            "data.source.label"
        )
    ids = labels.astype(np.int64)
    if (ids < 0).any():
        names, counts = np.unique(parts[ids < 0], return_counts=True)
        where = ", ".join(
            f"{count} in {name or 'the source'}" for name, count in zip(names, counts, strict=True)
        )
        raise ConfigError(
            f"data.source: samples without a label: {where}; wanted a label for each: "
            "leave that part out (data.source.splits), or take another"
        )
    return ids, source.class_names if source.class_names is not None else _numbered(ids)


def _numbered(ids: Array) -> tuple[str, ...]:
    """Return the ids as names, where ids 0, 1, 2 … are all there."""
    found = np.unique(ids)
    if len(found) < 2 or found[-1] != len(found) - 1:
        raise ConfigError(
            f"data.source.label: {len(found)} different whole numbers from {found[0]} to "
            f"{found[-1]}; "
            "a classification wanted 0, 1, 2 and so on without gaps, two at least"
        )
    return tuple(str(number) for number in found)


def target_labels(task: str, source: Source, labels: Array) -> Array:
    """Return target values (N,) float32 in their own unit.

    Raises:
        ConfigError: labels are classes, or hold NaN or infinity, or are all the same.
    """
    if source.answers == "class":
        raise ConfigError(
            f"task: {task} was asked for and the labels of this source are classes; wanted "
            "classification, "
            "or another data.source.label"
        )
    targets = labels.astype(np.float32)
    broken = int((~np.isfinite(targets)).sum())
    if broken:
        raise ConfigError(
            f"data.source: {broken} targets are NaN or infinity; repair or leave out such samples"
        )
    if targets.min() == targets.max():
        raise ConfigError(
            f"data.source: every target is {targets[0]:g}; wanted different ones to learn from"
        )
    return targets
