"""Which sample is in train, validation, test and calibration; pure functions of labels and a seed.

Train, validation and test share no sample and leave none out; calibration is a part of train. Every
part comes in random order, so that its first k samples are a fair sample of it.
"""

from typing import Literal

import numpy as np

from pipeline.data.samples import Array
from pipeline.errors import ConfigError

Parts = dict[str, Array]


def split(
    labels: Array,
    given: Array,
    *,
    by: Literal["given", "stratified", "random", "group"],
    groups: Array | None = None,
    test: float,
    validation: float,
    is_classes: bool,
    seed: int,
) -> Parts:
    """Return the positions (n,) int64 of train, validation and test.

    Args:
        labels: class ids or targets (N,).
        given: part of each sample as str (N,), empty where the source does not say.
        groups: name of each sample's group (N,), for by: group; None: there are none.
        by: given keeps what the source says and cuts what is missing from train.
        test: share of all samples; 0: no test part, unless the source gives one.
        validation: share of the samples that are not test.
        is_classes: whether labels are class ids: only they can be stratified.
        seed: decides the draw.

    Raises:
        ConfigError: train, validation or an asked test part would be empty, or nothing is given.
    """
    if by == "stratified" and not is_classes:
        raise ConfigError(
            "data.split.by: stratified needs classes and the task has none; wanted random"
        )
    if by == "given" and not (given == "train").any():
        raise ConfigError(
            "data.split.by: given was asked for and the source names no train part; "
            "wanted stratified or random, or a source with parts"
        )
    if by == "group":
        assert groups is not None  # the config asks for a source that has them
        return _by_group(groups, test=test, validation=validation, seed=seed)
    strata = labels if is_classes and by != "random" else np.zeros(len(labels), np.int64)
    generator = np.random.Generator(np.random.Philox(seed))
    everything = np.arange(len(labels))
    says = given if by == "given" else np.full(len(labels), "")
    held, checked = everything[says == "test"], everything[says == "validation"]
    rest = everything[(says != "test") & (says != "validation")]
    if not len(held):
        held = draw(rest, strata[rest], round(test * len(labels)), generator)
        rest = np.setdiff1d(rest, held)
    if not len(checked):
        total = round(validation * (len(labels) - len(held)))
        checked = draw(rest, strata[rest], total, generator)
        rest = np.setdiff1d(rest, checked)
    parts = {"train": rest, "validation": checked, "test": held}
    _refuse_empty(parts if test else {"train": rest, "validation": checked}, len(labels))
    return {name: generator.permutation(part).astype(np.int64) for name, part in parts.items()}


def _by_group(groups: Array, *, test: float, validation: float, seed: int) -> Parts:
    """Return parts of whole groups, as near to the shares as groups of their sizes allow.

    Groups come in random order; each goes to the part that lacks most of what it should have.
    """
    names, group_of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    shares = {"test": test, "validation": (1 - test) * validation}
    shares["train"] = 1 - sum(shares.values())
    wanted = {part: share * len(groups) for part, share in shares.items() if share > 0}
    if len(names) < len(wanted):
        raise ConfigError(
            f"data.split.by: group found {len(names)} groups ({', '.join(names)}); wanted one for "
            f"each of {', '.join(wanted)} at least"
        )
    generator = np.random.Generator(np.random.Philox(seed))
    taken: dict[str, list[int]] = {part: [] for part in wanted}
    for number, group in enumerate(generator.permutation(len(names))):
        empty = [part for part in wanted if not taken[part]]
        must = empty if len(names) - number <= len(empty) else list(wanted)
        lacking = {p: wanted[p] - sum(counts[k] for k in taken[p]) for p in must}
        taken[max(lacking, key=lambda part: lacking[part])].append(int(group))
    parts = {part: np.flatnonzero(np.isin(group_of, kept)) for part, kept in taken.items()}
    found = {"test": np.zeros(0, np.int64)} | parts
    return {name: generator.permutation(part).astype(np.int64) for name, part in found.items()}


def draw(positions: Array, strata: Array, total: int, generator: np.random.Generator) -> Array:
    """Draw `total` of the positions, the same share of every stratum, by largest remainders.

    A stratum gives its exact quota rounded down or up; equal remainders are ordered by the seed.

    Args:
        positions: to draw from (n,).
        strata: of each position (n,).
        total: how many; all of them where there are fewer.
        generator: decides which, and is advanced.
    """
    total = min(total, len(positions))
    _, stratum, counts = np.unique(strata, return_inverse=True, return_counts=True)
    taken, remainders = np.divmod(counts * total, max(1, len(positions)))
    by_remainder = np.lexsort((generator.random(len(counts)), -remainders))
    taken[by_remainder[: total - taken.sum()]] += 1
    shuffled = generator.permutation(len(positions))
    grouped = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    place_in_stratum = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(positions[grouped[place_in_stratum < np.repeat(taken, counts)]])


def calibration(train: Array, labels: Array, *, samples: int, is_classes: bool, seed: int) -> Array:
    """Return at most `samples` of the training positions, the same share of every class.

    Args:
        train: positions (n,).
        labels: of all samples (N,).
        samples: how many.
        is_classes: whether labels are class ids.
        seed: decides the draw.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    strata = labels[train] if is_classes else np.zeros(len(train), np.int64)
    return generator.permutation(draw(train, strata, samples, generator)).astype(np.int64)


def refuse_untrained(labels: Array, parts: Parts, names: tuple[str, ...]) -> None:
    """Refuse classes that have samples and none in train: they would be tested and never learnt.

    Raises:
        ConfigError: there are such classes; all are named.
    """
    there = np.bincount(labels, minlength=len(names))
    trained = np.bincount(labels[parts["train"]], minlength=len(names))
    missing = np.flatnonzero((there > 0) & (trained == 0))
    if len(missing):
        shown = ", ".join(f"{names[k]} ({there[k]} samples)" for k in missing)
        raise ConfigError(
            f"data.split: classes without a training sample: {shown}; "
            "bring more samples of them, leave them out, or use data.split.by: stratified"
        )


def _refuse_empty(parts: Parts, total: int) -> None:
    empty = [name for name, part in parts.items() if not len(part)]
    if empty:
        raise ConfigError(
            f"data.split: {', '.join(empty)} would be empty with {total} samples in all; "
            "change data.split.test or data.split.validation, or bring more samples"
        )
