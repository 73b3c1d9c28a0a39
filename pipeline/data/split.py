"""Which sample is in train, validation or test; pure functions on labels and a seed.

Calibration is a sample of train. Every part is sorted by position, so that equal membership gives
equal bytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.errors import ConfigError

Array = np.ndarray[Any, np.dtype[Any]]
Parts = dict[str, Array]


def split(
    labels: Array,
    given: Array,
    *,
    by: str,
    test: float,
    validation: float,
    is_classes: bool,
    seed: int,
) -> Parts:
    """Return the positions (n,) int64 of train, validation and test.

    Args:
        labels: class ids or targets (N,).
        given: part of each sample as bytes (N,), empty where the source does not say.
        by: given, stratified or random.
        test: share of all samples; unused where `by` is given.
        validation: share of what is not test; unused where the source gives a validation part.
        is_classes: whether labels are class ids, which stratifying needs.
        seed: decides the draw.

    Raises:
        ConfigError: a part would be empty, or nothing is given.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    strata = labels if by != "random" and is_classes else np.zeros(len(labels), np.int64)
    everything = np.arange(len(labels))
    if by == "given":
        held = everything[given == b"test"]
        rest = everything[given == b"train"]
        checked = everything[given == b"validation"]
        if not len(held) or not len(rest):
            raise ConfigError(
                "data.split.by: given was asked for, but the source names no train or no test part; "
                "use stratified or random"
            )
    else:
        held = draw(everything, strata, test, generator)
        rest = np.setdiff1d(everything, held)
        checked = everything[:0]
    if not len(checked):
        checked = draw(rest, strata[rest], validation, generator)
        rest = np.setdiff1d(rest, checked)
    parts = {"train": rest, "validation": checked, "test": held}
    _refuse_empty(parts, len(labels))
    return {name: np.sort(part).astype(np.int64) for name, part in parts.items()}


def draw(positions: Array, strata: Array, share: float, generator: np.random.Generator) -> Array:
    """Draw round(share * n) positions, the same share of every stratum.

    Fractions left over go to the strata with the largest remainders, so that the total is exact.
    """
    total = round(share * len(positions))
    kinds, counts = np.unique(strata, return_counts=True)
    quotas = counts * (total / max(1, len(positions)))
    taken = np.floor(quotas).astype(int)
    left = total - taken.sum()
    taken[np.argsort(-(quotas - taken), kind="stable")[:left]] += 1
    drawn = [
        generator.permutation(positions[strata == kind])[:count]
        for kind, count in zip(kinds, taken, strict=True)
    ]
    return np.concatenate(drawn) if drawn else positions[:0]


def calibration(train: Array, labels: Array, *, samples: int, is_classes: bool, seed: int) -> Array:
    """Draw at most `samples` training positions, the same share of every class."""
    generator = np.random.Generator(np.random.Philox(seed))
    strata = labels[train] if is_classes else np.zeros(len(train), np.int64)
    share = min(1.0, samples / len(train))
    return np.sort(draw(train, strata, share, generator)).astype(np.int64)


def _refuse_empty(parts: Mapping[str, Array], total: int) -> None:
    empty = [name for name, part in parts.items() if not len(part)]
    if empty:
        raise ConfigError(
            f"data.split: {', '.join(empty)} would be empty with {total} samples; "
            "raise data.split.test or data.split.validation, or bring more samples"
        )
