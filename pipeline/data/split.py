"""Which sample is in train, validation, test and calibration; pure functions of labels and a seed.

Train, validation and test share no sample and leave none out, save windows that reach across a cut
in time; calibration is a part of train. Every part comes in random order, so that its first k
samples are a fair sample of it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.data.samples import GIVEN, Array
from pipeline.errors import ConfigError

Parts = dict[str, Array]
BLOCK = 4096  # names that are looked at at once
FEW_STRATA = 32  # that are told apart one by one, which takes less memory than sorting
MOST_STRATA = 10_000  # that fit into 16 bits
TRAIN, VALIDATION, TEST = (GIVEN[part] for part in ("train", "validation", "test"))


@dataclass(frozen=True)
class Wish:
    """How a set is to be cut: `data.split`."""

    by: Literal["given", "stratified", "random", "group", "time"]
    test: float
    """Share of all samples; 0: no test part, unless the source gives one."""
    validation: float
    """Share of the samples that are not test."""
    seed: int


def split(
    labels: Array,
    given: Array,
    wish: Wish,
    *,
    is_classes: bool,
    groups: Array | None = None,
    times: Array | None = None,
) -> Parts:
    """Return the positions (n,) int32 of train, validation and test.

    Args:
        labels: class ids or targets (N,).
        given: code of each sample's part (N,), see GIVEN. Those that are given test are the test
            part, however the rest is cut.
        wish: how the set is to be cut.
        is_classes: whether labels are class ids: only they can be stratified.
        groups: what must stay together (N,); None: nothing must.
        times: first and last moment of each sample (N, 2), for by: time.

    Raises:
        ConfigError: train, validation or an asked test part would be empty, nothing is given, or
            what `by` goes by is not known.
    """
    _refuse_unknown(given, wish.by, is_classes=is_classes, groups=groups, times=times)
    generator = np.random.Generator(np.random.Philox(wish.seed))
    held, checked = np.flatnonzero(given == TEST), np.flatnonzero(given == VALIDATION)
    rest = np.flatnonzero(given < VALIDATION).astype(np.int32)
    is_stratified = is_classes and wish.by in ("given", "stratified")
    strata = _numbered(labels)[0] if is_stratified else np.zeros(len(labels), np.int8)
    numbers = None if groups is None else _group_numbers(groups)
    if wish.by == "time":
        assert times is not None
        parts = _by_time(times, numbers, test=wish.test, validation=wish.validation)
    else:
        cut = _Cut(strata, numbers, generator, is_even=wish.by == "group")
        if not len(held):
            held, rest = cut.take(rest, round(wish.test * len(labels)))
        if not len(checked):
            checked, rest = cut.take(rest, round(wish.validation * (len(labels) - len(held))))
        parts = {"train": rest, "validation": checked, "test": held}
        del cut, strata, rest  # what is not needed any more is as large as the set
    asked = parts if wish.test else {name: parts[name] for name in ("train", "validation")}
    _refuse_empty(asked, len(labels), groups)
    for name, part in parts.items():
        parts[name] = generator.permutation(part.astype(np.int32))
    return parts


def _refuse_unknown(
    given: Array, by: str, *, is_classes: bool, groups: Array | None, times: Array | None
) -> None:
    """Refuse a way of cutting that needs what the data does not have."""
    if by == "stratified" and not is_classes:
        raise ConfigError(
            "data.split.by: stratified needs classes and the task has none; wanted random"
        )
    if by == "given" and not (given == TRAIN).any():
        raise ConfigError(
            "data.split.by: given was asked for and the source names no train part; "
            "wanted stratified or random, or a source with parts"
        )
    if by == "group" and groups is None:
        raise ConfigError(
            "data.split.by: group was asked for and nothing says what belongs together; wanted "
            "data.split.pattern, or a source with groups"
        )
    if by == "time" and times is None:
        raise ConfigError(
            "data.split.by: time was asked for and the samples have no moment; wanted a "
            "series_csv, or data.source.time"
        )


@dataclass(frozen=True)
class _Cut:
    """Takes parts off a set: whole groups where there are some."""

    strata: Array
    groups: Array | None
    """Number of each sample's group (N,)."""
    generator: np.random.Generator
    is_even: bool
    """Whether groups of all sizes are fitted to the share, without regard to classes."""

    def take(self, rest: Array, total: int) -> tuple[Array, Array]:
        """Return about `total` of the positions, and the others."""
        if self.groups is None:
            taken = draw(rest, self.strata[rest], total, self.generator)
        else:
            numbers, first, group_of = np.unique(
                self.groups[rest], return_index=True, return_inverse=True
            )
            sizes = np.bincount(group_of)
            if self.is_even:
                chosen = self._fill(sizes, total)
            else:
                units = round(len(numbers) * total / max(1, len(rest)))
                strata = self.strata[rest[first]]
                chosen = draw(np.arange(len(numbers)), strata, units, self.generator)
            taken = rest[np.isin(group_of, chosen)]
        is_left = np.ones(len(self.strata), bool)
        is_left[taken] = False
        return taken, rest[is_left[rest]]

    def _fill(self, sizes: Array, total: int) -> Array:
        """Return groups in random order whose sizes come nearest to a total; one is always left."""
        chosen: list[int] = []
        count = 0
        for group in self.generator.permutation(len(sizes)):
            nearer = abs(count + sizes[group] - total) <= abs(count - total)
            if total and len(chosen) < len(sizes) - 1 and (nearer or not chosen):
                chosen.append(int(group))
                count += int(sizes[group])
        return np.array(chosen, np.int64)


def _is_rising(values: Array) -> bool:
    return not (values[1:] < values[:-1]).any()


def _group_numbers(groups: Array) -> Array:
    """Return the place of each sample's group among the sorted names, a block at a time."""
    numbers: dict[str, int] = {}
    found = np.empty(len(groups), np.int32)
    for start in range(0, len(groups), BLOCK):
        names, group_of = np.unique(groups[start : start + BLOCK], return_inverse=True)
        known = [numbers.setdefault(str(name), len(numbers)) for name in names]
        found[start : start + BLOCK] = np.array(known)[group_of]
    place = np.argsort(np.argsort(np.array(list(numbers))))
    return np.asarray(place.astype(np.int32)[found])


def _by_time(times: Array, groups: Array | None, *, test: float, validation: float) -> Parts:
    """Return the oldest samples as train and the newest as test, in each group for itself.

    Samples that reach into the time of a later part (windows do) are in no part.
    """
    found: dict[str, list[Array]] = {"train": [], "validation": [], "test": []}
    group_of = np.zeros(len(times), np.int8) if groups is None else groups
    for group in range(int(group_of.max()) + 1):
        rest = np.flatnonzero(group_of == group).astype(np.int32)
        if not all(_is_rising(times[rest, end]) for end in (0, 1)):
            rest = rest[np.lexsort((rest, times[rest, 0], times[rest, 1]))]
        shares = {"test": test, "validation": (1 - test) * validation}
        total = len(rest)
        for part, share in shares.items():
            count = round(share * total)
            if not count:
                continue
            rest, taken = rest[: len(rest) - count], rest[len(rest) - count :]
            found[part].append(taken)
            rest = rest[times[rest, 1] < times[taken, 0].min()]
        found["train"].append(rest)
    return {
        name: np.sort(np.concatenate([np.zeros(0, np.int32), *parts]))
        for name, parts in found.items()
    }


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
    stratum, counts = _numbered(strata)
    taken, remainders = np.divmod(counts * total, max(1, len(positions)))
    by_remainder = np.lexsort((generator.random(len(counts)), -remainders))
    taken[by_remainder[: total - taken.sum()]] += 1
    shuffled = generator.permutation(np.arange(len(positions), dtype=np.int32))
    chosen = [np.zeros(0, np.int32)]
    if len(counts) <= FEW_STRATA:
        chosen += [shuffled[stratum[shuffled] == k][:n] for k, n in enumerate(taken)]
    else:
        grouped = shuffled[np.argsort(stratum[shuffled], kind="stable")]
        starts = np.cumsum(counts) - counts
        chosen += [grouped[a : a + n] for a, n in zip(starts, taken, strict=True)]
    return np.sort(positions[np.concatenate(chosen)])


def _numbered(strata: Array) -> tuple[Array, Array]:
    """Return the strata numbered from 0, and how many are in each; as small as they can be."""
    if strata.dtype.kind == "i" and len(strata) and 0 <= strata.min() <= strata.max() < MOST_STRATA:
        counts = np.bincount(strata)
        number = np.cumsum(counts > 0) - 1
        return number.astype(np.int16)[strata], counts[counts > 0]
    _, stratum, counts = np.unique(strata, return_inverse=True, return_counts=True)
    return stratum, counts


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
    there = np.bincount(labels[labels >= 0], minlength=len(names))  # -1: no label is known
    trained = np.bincount(labels[parts["train"]], minlength=len(names))
    missing = np.flatnonzero((there > 0) & (trained == 0))
    if len(missing):
        shown = ", ".join(f"{names[k]} ({there[k]} samples)" for k in missing)
        raise ConfigError(
            f"data.split: classes without a training sample: {shown}; "
            "bring more samples of them, leave them out, or use data.split.by: stratified"
        )


def _refuse_empty(parts: Parts, total: int, groups: Array | None) -> None:
    empty = [name for name, part in parts.items() if not len(part)]
    if empty:
        units = f"{total} samples"
        if groups is not None:
            names = np.unique(groups)
            units += f" in {len(names)} groups ({', '.join(map(str, names[:5]))})"
        raise ConfigError(
            f"data.split: {', '.join(empty)} would be empty with {units} in all; "
            "change data.split.test or data.split.validation, or bring more samples"
        )
