"""What a source hands over: what its samples look like, and the samples, a few at a time.

Every source gives this form, and `stage.py` writes it down; nothing here reads or writes a file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.arrays import Array
from pipeline.samples.kind import Input

GIVEN = {"": 0, "train": 1, "validation": 2, "test": 3}  # a sample's part, as a code of one byte


@dataclass(frozen=True)
class Finding:
    """Something noticed about the data, in plain words."""

    level: Literal["info", "warning"]
    """warning: the model or its metrics may be worse than they look."""
    code: str
    text: str
    count: int
    """How many samples, files, columns or classes it is about."""


@dataclass(frozen=True)
class Chunk:
    """A few samples, in the order in which the source gives them."""

    inputs: Mapping[str, Any]
    """Name -> (n, *shape) array; a list of n arrays where the input is ragged."""
    labels: Array
    """Class ids or numbers (n,)."""
    ids: Sequence[str]
    """A name of each sample that is unique in the set and the same every time."""
    part: str | None = None
    """train, validation or test where the source says one for all; None where it does not."""
    groups: Sequence[str] | None = None
    """What must stay together: a speaker, a machine. None: nothing."""
    times: Array | None = None
    """First and last moment of each sample (n, 2) float64, in seconds; None: not known."""
    report: Sequence[str] | None = None
    """Value of the column for metrics per group; None: there is none."""
    findings: tuple[Finding, ...] = ()
    """What was noticed while these samples were read."""
    parts: Sequence[str] | None = None
    """train, validation or test of each sample; None: `part` is that of all."""


@dataclass(frozen=True)
class Source:
    """An open source: cheap to make, read only when `chunks` is called."""

    inputs: tuple[Input, ...]
    label_kind: Literal["class", "integer", "number", "change"]
    """class: ids of classes; number: regression values; integer: either; change: how much the
    first channel of a series changes, the target of a forecast."""
    class_names: tuple[str, ...] | None
    """Names of the classes by id; None where the source has no names."""
    chunks: Callable[[], Iterator[Chunk]]
    """Yields every sample, in the same order each time."""
