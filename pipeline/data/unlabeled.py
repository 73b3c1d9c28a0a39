"""Samples without a label, as a split of their own, for pre-training; pure functions."""

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import (
    blocks,
    count_ids,
    filter_array,
    is_among,
    join_arrays,
    map_array,
    shuffle_array,
    take_rows,
    where,
)
from pipeline.data.samples import GIVEN
from pipeline.data.split import Parts, Wish, split_dataset
from pipeline.data.stratified_sampling import draw
from pipeline.errors import ConfigError

UNLABELED = "unlabeled"  # name of the part
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
            f"data.unlabeled: wanted one of the classes, and two or more beside it; came {name} "
            f"of {', '.join(names)}"
        )
    gone = names.index(name)

    def renumbered(ids: Array) -> Array:
        return np.where(ids == gone, NONE, ids - (ids > gone))

    return map_array(labels, renumbered, labels.dtype), tuple(n for n in names if n != name)


def split_known(
    labels: Array,
    given: Array,
    wish: Wish,
    *,
    is_classes: bool,
    groups: Array | None,
    times: Array | None,
) -> Parts:
    """Split the samples with a label as `split_dataset`; those without are a split of their own.

    Samples without a label are left out where the source gives them to validation or test, or where
    their group is there: pre-training would have seen what is judged.

    Args:
        labels: (N,), class ids, NONE for no label; or values.
        given: (N,), code of each sample's split in the source, by GIVEN.
        wish: fractions and seed of the split.
        is_classes: whether labels are class ids.
        groups: (N,), ids of the group of each sample; None: there are none.
        times: (N, 2), start and end of each sample in seconds; None: they have no time.

    Returns:
        Split -> indices (n,), with UNLABELED among the names.
    """
    known = where(labels, lambda ids: ids != NONE) if is_classes else labels
    if len(known) == len(labels):
        return split_dataset(labels, given, wish, is_classes=is_classes, groups=groups, times=times)
    parts = split_dataset(
        take_rows(labels, known),
        take_rows(given, known),
        wish,
        is_classes=is_classes,
        groups=None if groups is None else take_rows(groups, known),
        times=None if times is None else take_rows(times, known),
    )
    parts = {name: take_rows(known, part) for name, part in parts.items()}
    unknown = where(labels, lambda ids: ids == NONE)
    free = filter_array(unknown, lambda positions: given[positions] < GIVEN["validation"])
    if groups is not None:
        judged = _names(groups, [parts["validation"], parts["test"]])
        free = filter_array(free, lambda positions: ~np.isin(groups[positions], judged))
    generator = np.random.Generator(np.random.Philox(wish.seed))
    return {**parts, UNLABELED: shuffle_array(free, generator)}


def _names(groups: Array, parts: list[Array]) -> Array:
    """Return the different groups of some positions."""
    found: set[str] = set()
    for part in parts:
        for block in blocks(part):
            found.update(groups[part[block]])
    return np.array(sorted(found), groups.dtype)


def hide(parts: Parts, labels: Array, count: int, *, is_classes: bool, seed: int) -> Parts:
    """Keep the labels of `count` training samples, of every class, and hide the others'.

    Args:
        parts: split -> indices (n,).
        labels: (N,), of all samples.
        count: samples that keep their label.
        is_classes: whether labels are class ids; else the samples are drawn at random.
        seed: of the draw.

    Returns:
        The same splits; train has `count` samples, and UNLABELED those that it lost.

    Raises:
        ConfigError: a class would keep no label.
    """
    train, generator = parts["train"], np.random.Generator(np.random.Philox(seed))
    strata = take_rows(labels, train) if is_classes else np.broadcast_to(np.int8(0), len(train))
    classes = np.count_nonzero(count_ids(strata))
    if count < classes:
        raise ConfigError(
            f"data.labeled: wanted at least one sample of each of {classes} classes; came {count}"
        )
    drawn = draw(train, strata, count, generator=generator)
    hidden = filter_array(train, lambda positions: ~is_among(positions, drawn))
    others = join_arrays([parts.get(UNLABELED, train[:0]), hidden])
    shown = filter_array(train, lambda positions: is_among(positions, drawn))
    return {**parts, "train": shown, UNLABELED: others}
