"""Samples without a label: set apart as a part of their own, for pre-training; pure functions."""

import numpy as np

from pipeline.arrays import Array
from pipeline.data.quota import draw
from pipeline.data.samples import GIVEN
from pipeline.data.scratch import (
    blocks,
    changed,
    counted,
    is_among,
    joined,
    kept,
    shuffled,
    taken,
    where,
)
from pipeline.data.split import Parts, Wish, split
from pipeline.errors import ConfigError

UNLABELLED = "unlabelled"  # name of the part
NONE = -1  # label of a sample that has none


def without_label(
    labels: Array, names: tuple[str, ...], name: str
) -> tuple[Array, tuple[str, ...]]:
    """Return the labels with -1 where the class is the one that stands for none, and the others.

    Args:
        labels: class ids (N,).
        names: of the classes.
        name: the class, folder or word that means that no label is known.

    Raises:
        ConfigError: there is no such class, or fewer than two others.
    """
    if name not in names or len(names) < 3:
        raise ConfigError(
            f"data.unlabelled: wanted one of the classes, and two or more beside it; came {name} "
            f"of {', '.join(names)}"
        )
    gone = names.index(name)

    def renumbered(ids: Array) -> Array:
        return np.where(ids == gone, NONE, ids - (ids > gone))

    return changed(labels, renumbered, labels.dtype), tuple(n for n in names if n != name)


def split_known(
    labels: Array,
    given: Array,
    wish: Wish,
    *,
    is_classes: bool,
    groups: Array | None,
    times: Array | None,
) -> Parts:
    """Return what `split` returns, of the samples with a label; the others are a part of their own.

    Left out are those that the source gives to validation or test, and those that belong together
    with a sample there: pre-training would have seen what is judged.
    """
    known = where(labels, lambda ids: ids != NONE) if is_classes else labels
    if len(known) == len(labels):
        return split(labels, given, wish, is_classes=is_classes, groups=groups, times=times)
    parts = split(
        taken(labels, known),
        taken(given, known),
        wish,
        is_classes=is_classes,
        groups=None if groups is None else taken(groups, known),
        times=None if times is None else taken(times, known),
    )
    parts = {name: taken(known, part) for name, part in parts.items()}
    unknown = where(labels, lambda ids: ids == NONE)
    free = kept(unknown, lambda positions: given[positions] < GIVEN["validation"])
    if groups is not None:
        judged = _names(groups, [parts["validation"], parts["test"]])
        free = kept(free, lambda positions: ~np.isin(groups[positions], judged))
    generator = np.random.Generator(np.random.Philox(wish.seed))
    return {**parts, UNLABELLED: shuffled(free, generator)}


def _names(groups: Array, parts: list[Array]) -> Array:
    """Return the different groups of some positions."""
    found: set[str] = set()
    for part in parts:
        for block in blocks(part):
            found.update(groups[part[block]])
    return np.array(sorted(found), groups.dtype)


def hide(parts: Parts, labels: Array, count: int, *, is_classes: bool, seed: int) -> Parts:
    """Return the parts with `count` training samples that keep their label, of every class.

    Raises:
        ConfigError: a class would keep none.
    """
    train, generator = parts["train"], np.random.Generator(np.random.Philox(seed))
    strata = taken(labels, train) if is_classes else np.broadcast_to(np.int8(0), len(train))
    classes = np.count_nonzero(counted(strata))
    if count < classes:
        raise ConfigError(
            f"data.labelled: wanted at least one sample of each of {classes} classes; came {count}"
        )
    drawn = draw(train, strata, count, generator)
    hidden = kept(train, lambda positions: ~is_among(positions, drawn))
    others = joined([parts.get(UNLABELLED, train[:0]), hidden])
    shown = kept(train, lambda positions: is_among(positions, drawn))
    return {**parts, "train": shown, UNLABELLED: others}
