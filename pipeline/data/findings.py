"""What is odd about the data, in plain words with counts; nothing here stops a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Finding = dict[str, Any]

FEW = 1000  # samples; below it a classical model is often the better choice
FEW_IN_CLASS = 20  # training samples of a class; below it its recall is a matter of luck
IMBALANCE = 3.0  # largest class against smallest


def look(
    labels: Array, parts: Mapping[str, Array], digests: Array, class_names: tuple[str, ...] | None
) -> list[Finding]:
    """Return the findings on size, balance and duplicates.

    Args:
        labels: class ids or targets (N,).
        parts: positions of train, validation and test.
        digests: a hash of each sample's values (N,).
        class_names: None for a regression.
    """
    found = []
    if len(labels) < FEW:
        text = f"{len(labels)} samples in all: under {FEW:,} a classical model often does as well; see the baselines."
        found.append(_finding("info", "few_samples", text, len(labels)))
    if class_names is not None:
        found += _balance(labels[parts["train"]], class_names)
        found += _unseen(labels, parts, class_names)
    return found + _duplicates(parts, digests)


def _finding(level: str, code: str, text: str, count: int) -> Finding:
    return {"level": level, "code": code, "text": text, "count": int(count)}


def _balance(labels: Array, names: tuple[str, ...]) -> list[Finding]:
    counts = np.bincount(labels, minlength=len(names))
    found = []
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    if counts[smallest] and counts[largest] / counts[smallest] >= IMBALANCE:
        text = (
            f"{names[largest]} has {counts[largest]} training samples, {names[smallest]} {counts[smallest]}: "
            "look at macro-F1 beside accuracy, or set train.class_weights: balanced."
        )
        found.append(_finding("warning", "imbalance", text, counts[largest] - counts[smallest]))
    rare = [names[k] for k in np.flatnonzero(counts < FEW_IN_CLASS)]
    if rare:
        text = f"{len(rare)} classes have under {FEW_IN_CLASS} training samples: {', '.join(rare[:5])}."
        found.append(_finding("warning", "rare_classes", text, len(rare)))
    return found


def _unseen(labels: Array, parts: Mapping[str, Array], names: tuple[str, ...]) -> list[Finding]:
    known = set(np.unique(labels[parts["train"]]).tolist())
    found = []
    for part in ("validation", "test"):
        unseen = sorted(set(np.unique(labels[parts[part]]).tolist()) - known)
        if unseen:
            text = f"Classes only in {part}, never trained: {', '.join(names[k] for k in unseen)}."
            found.append(_finding("warning", "unseen_classes", text, len(unseen)))
    return found


def _duplicates(parts: Mapping[str, Array], digests: Array) -> list[Finding]:
    """Count samples of validation and test whose very bytes are in train as well."""
    found = []
    train = np.unique(digests[parts["train"]])
    for part in ("validation", "test"):
        count = int(np.isin(digests[parts[part]], train).sum())
        if count:
            text = f"{count} samples of {part} are exact copies of training samples: its figures flatter the model."
            found.append(_finding("warning", "duplicates", text, count))
    return found


def constant_columns(scaling: Mapping[str, Any], is_constant: Array) -> list[Finding]:
    """Report the columns of a table that never change over train."""
    names = [scaling["columns"][i] for i in np.flatnonzero(is_constant)]
    if not names:
        return []
    return [
        _finding(
            "warning",
            "constant_columns",
            f"Columns with one value only: {', '.join(names)}.",
            len(names),
        )
    ]
