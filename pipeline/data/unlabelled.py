"""Samples without a label: set apart as a part of their own, for pre-training; pure functions."""

import numpy as np

from pipeline.data.samples import GIVEN, Array
from pipeline.data.split import Parts, Wish, draw, split
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
    ids = np.where(labels > gone, labels - 1, labels)
    return np.where(labels == gone, NONE, ids), tuple(n for n in names if n != name)


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
    known = labels != NONE if is_classes else np.ones(len(labels), bool)
    if known.all():
        return split(labels, given, wish, is_classes=is_classes, groups=groups, times=times)
    where = np.flatnonzero(known).astype(np.int32)
    parts = split(
        labels[where],
        given[where],
        wish,
        is_classes=is_classes,
        groups=None if groups is None else groups[where],
        times=None if times is None else times[where],
    )
    parts = {name: where[part] for name, part in parts.items()}
    free = ~known & (given < GIVEN["validation"])
    if groups is not None:
        judged = np.concatenate([groups[parts["validation"]], groups[parts["test"]]])
        free &= ~np.isin(groups, judged)
    generator = np.random.Generator(np.random.Philox(wish.seed))
    return {**parts, UNLABELLED: generator.permutation(np.flatnonzero(free).astype(np.int32))}


def hide(parts: Parts, labels: Array, count: int, *, is_classes: bool, seed: int) -> Parts:
    """Return the parts with `count` training samples that keep their label, of every class.

    Raises:
        ConfigError: a class would keep none.
    """
    train, generator = parts["train"], np.random.Generator(np.random.Philox(seed))
    strata = labels[train] if is_classes else np.zeros(len(train), np.int64)
    classes = len(np.unique(strata))
    if count < classes:
        raise ConfigError(
            f"data.labelled: wanted at least one sample of each of {classes} classes; came {count}"
        )
    is_kept = np.isin(train, draw(train, strata, count, generator))
    others = np.concatenate([parts.get(UNLABELLED, train[:0]), train[~is_kept]])
    return {**parts, "train": train[is_kept], UNLABELLED: others}
