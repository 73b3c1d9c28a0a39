"""Which sample is in train, validation, test and calibration; pure functions of labels and a seed.

Train, validation and test share no sample and leave none out, save windows that reach across a cut
in time; calibration is a part of train. Every part comes in random order, so that its first k
samples are a fair sample of it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import (
    blocks,
    count_ids,
    filter_array,
    map_array,
    number_of,
    scratch,
    shuffle_array,
    take_rows,
    where,
)
from pipeline.data.samples import GIVEN
from pipeline.data.split_by_time import split_by_time
from pipeline.data.stratified_sampling import draw, number_strata
from pipeline.errors import ConfigError

Parts = dict[str, Array]
TRAIN, VALIDATION, TEST = (GIVEN[part] for part in ("train", "validation", "test"))


@dataclass(frozen=True)
class Wish:
    """How a set is to be cut: `data.split`."""

    by: Literal["given", "stratified", "random", "group", "time"]
    test: float
    """Fraction of all samples; 0: no test part, unless the source gives one."""
    validation: float
    """Fraction of the samples that are not test."""
    seed: int
    cuts_by_time: bool = False
    """Whether by: given cuts missing parts by time: windows of one series overlap."""


def split_dataset(
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
    held = where(given, lambda codes: codes == TEST)
    checked = where(given, lambda codes: codes == VALIDATION)
    rest = where(given, lambda codes: codes < VALIDATION)
    is_stratified = is_classes and wish.by in ("given", "stratified")
    strata = number_strata(labels)[0] if is_stratified else _all_alike(len(labels))
    numbers = None if groups is None else _group_numbers(groups)
    if wish.by == "time" or (wish.by == "given" and wish.cuts_by_time):
        assert times is not None
        test, validation = (
            (0.0 if len(held) else wish.test),
            (0 if len(checked) else wish.validation),
        )
        parts = split_by_time(rest, times, numbers, test=test, validation=validation)
        parts |= {name: p for name, p in (("test", held), ("validation", checked)) if len(p)}
    else:
        cut = _Cut(strata, numbers, generator, is_even=wish.by == "group")
        if not len(held):
            held, rest = cut.take(rest, round(wish.test * len(labels)))
        if not len(checked):
            checked, rest = cut.take(rest, round(wish.validation * (len(labels) - len(held))))
        parts = {"train": rest, "validation": checked, "test": held}
    asked = parts if wish.test else {name: parts[name] for name in ("train", "validation")}
    _refuse_empty(asked, len(labels), groups)
    return {name: shuffle_array(part, generator) for name, part in parts.items()}


def _all_alike(count: int) -> Array:
    """Return one stratum for all samples, in a byte."""
    return np.broadcast_to(np.int8(0), count)


def _refuse_unknown(
    given: Array, by: str, *, is_classes: bool, groups: Array | None, times: Array | None
) -> None:
    """Refuse a `data.split.by` that needs groups, times or classes that the data does not have."""
    if by == "stratified" and not is_classes:
        raise ConfigError(
            "data.split.by: stratified needs classes and the task has none; wanted random"
        )
    if by == "given" and not number_of(given, lambda codes: codes == TRAIN):
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
    """Whether groups of all sizes are fitted to the fraction, without regard to classes."""

    def take(self, rest: Array, total: int) -> tuple[Array, Array]:
        """Return about `total` of the positions, and the others."""
        if self.groups is not None:
            return self._take_groups(self.groups, rest, total)
        drawn = draw(rest, take_rows(self.strata, rest), total, generator=self.generator)
        is_left = scratch(len(self.strata), bool)
        is_left[:] = True
        for part in blocks(drawn):
            is_left[drawn[part]] = False
        return drawn, filter_array(rest, lambda positions: is_left[positions])

    def _take_groups(self, groups: Array, rest: Array, total: int) -> tuple[Array, Array]:
        """Return whole groups with about `total` of the positions, and the others."""
        own = take_rows(groups, rest)
        sizes = count_ids(own)
        numbers = np.flatnonzero(sizes)
        if self.is_even:
            chosen = self._fill(sizes[numbers], total)
        else:
            units = round(len(numbers) * total / max(1, len(rest)))
            strata = self.strata[rest[_first_places(own, len(sizes))[numbers]]]
            chosen = draw(np.arange(len(numbers)), strata, units, generator=self.generator)
        is_chosen = np.zeros(len(sizes), bool)
        is_chosen[numbers[chosen]] = True
        drawn = filter_array(rest, lambda positions: is_chosen[groups[positions]])
        return drawn, filter_array(rest, lambda positions: ~is_chosen[groups[positions]])

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


def _first_places(ids: Array, count: int) -> Array:
    """Return where each whole number first is; -1 where it is not there."""
    places = np.full(count, -1)
    for part in blocks(ids):
        found, first = np.unique(ids[part], return_index=True)
        is_new = places[found] < 0
        places[found[is_new]] = part.start + first[is_new]
    return places


def _group_numbers(groups: Array) -> Array:
    """Return the index of each sample's group among the sorted names, a block at a time."""
    numbers: dict[str, int] = {}

    def numbers_of(block: Array) -> Array:
        names, group_of = np.unique(block, return_inverse=True)
        known = [numbers.setdefault(str(name), len(numbers)) for name in names]
        return np.asarray(np.array(known)[group_of])

    found = map_array(groups, numbers_of, np.int32)
    place = np.argsort(np.argsort(np.array(list(numbers)))).astype(np.int32)
    return map_array(found, lambda block: place[block], np.int32)


def calibration(train: Array, labels: Array, *, samples: int, is_classes: bool, seed: int) -> Array:
    """Return at most `samples` of the training indices (n,), the same fraction of every class.

    Args:
        train: positions (n,).
        labels: of all samples (N,).
        samples: how many.
        is_classes: whether labels are class ids.
        seed: decides the draw.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    strata = take_rows(labels, train) if is_classes else _all_alike(len(train))
    return generator.permutation(draw(train, strata, samples, generator=generator)).astype(np.int64)


def refuse_untrained(labels: Array, parts: Parts, names: tuple[str, ...]) -> None:
    """Refuse classes that have samples and none in train: they would be tested and never learned.

    Args:
        labels: (N,), class ids; -1: unknown.
        parts: split -> indices (n,).
        names: of the classes.

    Raises:
        ConfigError: there are such classes; all are named.
    """
    there = count_ids(labels, len(names))  # less than 0: no label is known
    trained = count_ids(take_rows(labels, parts["train"]), len(names))
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
            units += ", named by data.source.group or data.split.pattern"
        raise ConfigError(
            f"data.split: {', '.join(empty)} would be empty with {units} in all; "
            "change data.split.test or data.split.validation, or bring more samples"
        )
