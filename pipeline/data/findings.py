"""Findings on the data, in plain words with counts; nothing here stops a run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.data.exact_duplicates import contradictions
from pipeline.data.memmap_arrays import count_ids, take_rows
from pipeline.data.samples import GIVEN, Finding
from pipeline.documents.preprocess import CategoryColumn, ColumnsEntry, Entry, ScaledColumn

SHOWN = 5  # names that a finding spells out
FEW = 1000  # samples in all; below it a classical model often does as well as a network
FEW_IN_CLASS = 20  # training samples; below it the recall of a class is a matter of luck
FEW_TESTED = 100  # test samples; below it one sample moves accuracy by more than a gate allows
FAR_APART = 100.0  # spread of the widest column against the narrowest
COMPARED = 20_000  # samples of a part whose columns are compared
IMBALANCE = 3.0  # largest class against smallest
PARTS = ("train", "validation", "test")


def look(
    labels: Array,
    parts: Mapping[str, Array],
    digests: Array,
    *,
    class_names: tuple[str, ...] | None,
    copies: Mapping[str, Array],
) -> list[Finding]:
    """Return the findings on size, balance and exact duplicates.

    Args:
        labels: class ids or targets (N,).
        parts: positions of train, validation and test.
        digests: a hash of each sample's values (N,).
        class_names: None for a regression.
        copies: which samples of other splits are in train, too, by `copied`.
    """
    found = _sizes(len(labels), len(parts["test"]))
    if class_names is not None:
        found += _balance(labels, parts, class_names)
    return found + _copies(labels, digests, copies, is_classes=class_names is not None)


def left_out(
    level: Literal["info", "warning"],
    code: str,
    what: str,
    *,
    names: Sequence[str],
    noun: str = "file",
) -> list[Finding]:
    """Return a finding on files or rows that were left out; none where there are none."""
    if not names:
        return []
    text = f"{_count(len(names), noun)} left out, {what}: {some(names)}."
    return [Finding(level, code, text, len(names))]


def constant_columns(columns: Sequence[str]) -> list[Finding]:
    """Report columns that have one value all over train."""
    if not columns:
        return []
    text = f"{_count(len(columns), 'column')} with one value all over train: {some(columns)}."
    return [Finding("warning", "constant_columns", text, len(columns))]


def constant_images(names: Sequence[str], count: int) -> list[Finding]:
    """Report images that show one color only; `names` are the first of them."""
    if not count:
        return []
    text = f"{_count(count, 'image')} of one value only: {some(names, count)}."
    return [Finding("warning", "constant_images", text, count)]


def parts_pooled(given: Array, by: str) -> list[Finding]:
    """Report that the source's own splits were pooled and split again.

    Args:
        given: (N,), code of each sample's split in the source, by GIVEN.
        by: the config's `data.split.by`.
    """
    sizes = count_ids(given, len(GIVEN))
    found = {name: int(sizes[code]) for name, code in GIVEN.items() if name}
    counts = {name: count for name, count in found.items() if count}
    if by == "given" or len(counts) < 2:
        return []
    parts = ", ".join(f"{name} {count}" for name, count in counts.items())
    text = (
        f"The source has parts of its own ({parts}); data.split.by: {by} put them together and cut "
        "anew, so metrics do not compare with published ones. Use by: given to keep them."
    )
    return [Finding("info", "pooled_parts", text, sum(counts.values()))]


def in_no_part(
    total: int, parts: Mapping[str, Array], *, is_detector: bool, has_times: bool
) -> list[Finding]:
    """Report samples in no split: windows across a cut in time, anomalies that train leaves out.

    Args:
        total: samples of the source.
        parts: split -> indices (n,).
        is_detector: whether only normal samples are trained on.
        has_times: whether samples are split by time.
    """
    count = total - sum(len(part) for name, part in parts.items() if name != "calibration")
    if not count:
        return []
    text = f"{count} windows reach across the end of a part and are in none."
    if is_detector:
        text = f"{count} samples are in no part: anomalies that would have been trained on"
        text += ", and windows that reach across the end of a part." if has_times else "."
    return [Finding("info", "windows_in_no_part", text, count)]


def far_apart(entry: Entry) -> list[Finding]:
    """Report columns of numbers that differ in spread by orders of magnitude."""
    scales = {
        column.name: column.scale
        for column in entry.columns or ()
        if isinstance(column, ScaledColumn)
    }
    if len(scales) < 2 or max(scales.values()) < FAR_APART * min(scales.values()):
        return []
    wide, narrow = min(scales, key=scales.__getitem__), max(scales, key=scales.__getitem__)
    ratio = scales[narrow] / scales[wide]
    text = (
        f"The values of {wide} spread {ratio:,.0f} times as far as those of {narrow}: they are not "
        "normalized. Preprocessing makes them even, here and on the device."
    )
    return [Finding("info", "not_normalized", text, len(scales))]


def known_values(
    entries: Sequence[Entry],
    read: Callable[[Array], Mapping[str, Array]],
    parts: Mapping[str, Array],
) -> dict[str, tuple[Array, Array]]:
    """Read the values of the named columns of numbers in train and test.

    Args:
        entries: of preprocess.json.
        read: indices (n,) -> input -> raw samples (n, columns).
        parts: split -> indices.

    Returns:
        Column -> its values in train and in test, (n,) each, without NaN.
    """
    tables = [entry for entry in entries if isinstance(entry, ColumnsEntry)]
    if not tables:
        return {}
    train, test = (read(parts[part][:COMPARED]) for part in ("train", "test"))
    found = {}
    for entry in tables:
        for i, column in enumerate(entry.columns):
            if not isinstance(column, CategoryColumn):
                pair = [values[entry.name][:, i] for values in (train, test)]
                a, b = (values[~np.isnan(values)] for values in pair)
                found[column.name] = (a, b)
    return found


def fewer_calibrated(wanted: int, came: int) -> list[Finding]:
    """Report that train is smaller than the calibration that was asked for."""
    if came == wanted:
        return []
    text = (
        f"data.calibration_samples asks for {wanted}; train has {came}, and all of them are used."
    )
    return [Finding("info", "few_calibration_samples", text, came)]


def _sizes(total: int, tested: int) -> list[Finding]:
    found = []
    if total < FEW:
        text = (
            f"{total} samples in all: below {FEW} a classical model often does as well; see "
            "baseline."
        )
        found.append(Finding("info", "few_samples", text, total))
    if not tested:
        text = (
            "There is no test part: nothing says what the model does on samples it was not chosen "
            "by."
        )
        found.append(Finding("warning", "no_test_samples", text, 0))
    elif tested < FEW_TESTED:
        text = f"{tested} test samples: one more mistake moves accuracy by {1 / tested:.3f}."
        found.append(Finding("warning", "few_test_samples", text, tested))
    return found


def _balance(labels: Array, parts: Mapping[str, Array], names: tuple[str, ...]) -> list[Finding]:
    """Report classes without samples, with few of them, and far more of one than of another."""
    counts = {part: count_ids(take_rows(labels, parts[part]), len(names)) for part in PARTS}
    train, found = counts["train"], []
    empty = [names[k] for k in np.flatnonzero(sum(counts.values()) == 0)]
    if empty:
        text = (
            f"{_count(len(empty), 'class')} without any sample: {some(empty)}. The model cannot "
            "learn them."
        )
        found.append(Finding("warning", "empty_classes", text, len(empty)))
    for part in ("validation", "test"):
        unseen = [names[k] for k in np.flatnonzero((train > 0) & (counts[part] == 0))]
        if unseen and len(parts[part]):
            text = f"{_count(len(unseen), 'class')} without a {part} sample: {some(unseen)}."
            found.append(Finding("warning", f"classes_not_in_{part}", text, len(unseen)))
    rare = [f"{names[k]} {train[k]}" for k in np.flatnonzero((train > 0) & (train < FEW_IN_CLASS))]
    if rare:
        text = (
            f"{_count(len(rare), 'class')} with under {FEW_IN_CLASS} training samples: "
            f"{some(rare)}."
        )
        found.append(Finding("warning", "rare_classes", text, len(rare)))
    return found + _imbalance(train, names)


def _imbalance(train: Array, names: tuple[str, ...]) -> list[Finding]:
    largest, smallest = (
        int(train.argmax()),
        int(np.where(train > 0, train, train.max() + 1).argmin()),
    )
    if train[largest] < IMBALANCE * train[smallest]:
        return []
    text = (
        f"{names[largest]} has {train[largest]} training samples, {names[smallest]} "
        f"{train[smallest]}: "
        "look at macro-F1 beside accuracy, or set train.class_weights: balanced."
    )
    return [Finding("warning", "imbalance", text, int(train[largest] - train[smallest]))]


def _copies(
    labels: Array, digests: Array, copies: Mapping[str, Array], *, is_classes: bool
) -> list[Finding]:
    """Report exact duplicates between train and the other splits, and contradicting labels."""
    found = []
    for part, is_copy in copies.items():
        count = int(np.count_nonzero(is_copy))
        if count:
            text = (
                f"{_count(count, 'sample')} of {part} {'is an' if count == 1 else 'are'} exact "
                f"{'copy' if count == 1 else 'copies'} of training samples: figures on {part} "
                "flatter the model."
            )
            found.append(Finding("warning", f"copies_in_{part}", text, count))
    if is_classes:
        count = contradictions(labels, digests)
        if count:
            text = f"{_count(count, 'input')} appear{'s' * (count == 1)} with different labels."
            found.append(Finding("warning", "contradicting_labels", text, count))
    return found


def _count(count: int, noun: str) -> str:
    """Return a number with its noun: 1 file, 2 files, 3 classes."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def some(names: Sequence[str], count: int | None = None) -> str:
    """Return the first names, and how many more there are."""
    count = len(names) if count is None else count
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
