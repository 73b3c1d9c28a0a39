"""Label encoder of text files, fitted by reading each label once: classes, or numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.data.columns import as_number
from pipeline.data.label_spelling import Alike, merged_labels
from pipeline.data.labels import MOST_CLASSES
from pipeline.data.samples import Finding
from pipeline.errors import ConfigError

SCALE, MISTAKES = 20, 0.05  # different values from which so few words among numbers are mistakes


@dataclass(frozen=True)
class LabelEncoding:
    """How labels become class ids or numbers."""

    kind: Literal["class", "integer", "number"]
    """As `Source.label_kind`."""
    codes: Mapping[str, int] | None
    """Label -> id of its class; None: the labels are numbers."""
    names: tuple[str, ...] | None = None
    """Names of the classes by id; None: the labels are numbers."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the spelling."""

    def of(self, labels: Sequence[str]) -> Array:
        """Return class ids int64, or numbers float64 (n,)."""
        if self.codes is None:
            return np.array([float(label) for label in labels], np.float64)
        return np.array([self.codes[label] for label in labels], np.int64)


class Labels:
    """The labels that have been seen so far; no more of them than classes may be are kept."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: Counter[str] = Counter()
        self._are_whole = True
        self._word: str | None = None
        """The first that is no number, with its place."""

    def see(self, path: Path, line: int, label: str) -> None:
        """Take in a label; the rows without one are the caller's to leave out."""
        if label in self._kept:
            self._kept[label] += 1
            return
        number = as_number(label)
        if number is None and self._word is None:
            self._word = f"{label!r} at {path}:{line}"
        self._are_whole &= number is not None and number.is_integer()
        if len(self._kept) <= MOST_CLASSES:
            self._kept[label] = 1

    def encoding(self, key: str, alike: Alike | None = None) -> LabelEncoding:
        """Return the encoding: numbers where all labels are, else classes.

        Args:
            key: of the config, for the message.
            alike: what is done with labels that differ in spelling only.

        Raises:
            ConfigError: they are no numbers, and more than classes may be.
        """
        are_few = len(self._kept) <= MOST_CLASSES
        if self._word is None:
            return LabelEncoding("integer" if are_few and self._are_whole else "number", None)
        if not are_few:
            raise ConfigError(
                f"{key}: more than {MOST_CLASSES} different labels, and not all are numbers: "
                f"{self._word}; wanted fewer classes, or only numbers: repair it, or take another "
                "column"
            )
        words = [label for label in self._kept if as_number(label) is None]
        if len(self._kept) > SCALE and len(words) < MISTAKES * len(self._kept):
            raise ConfigError(
                f"{key}: {len(self._kept)} different values, all numbers but {len(words)}: "
                f"{self._word}; repair it, or leave the row out"
            )
        merged, found = merged_labels(self._kept, alike)
        names = {name: code for code, name in enumerate(sorted(set(merged.values())))}
        codes = {label: names[name] for label, name in merged.items()}
        return LabelEncoding("class", codes, tuple(names), tuple(found))
