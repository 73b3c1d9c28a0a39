"""The record of a kind of sample; and reading training samples to fit its preprocessing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import (
    AudioEntry,
    Entry,
    ImageEntry,
    SeriesEntry,
    TableEntry,
    TokensEntry,
)
from pipeline.documents.spec import RawUnit

FITTED = 50_000  # training rows that columns are fitted on, at most: quantiles hardly change beyond
RECORDINGS = 256  # recordings or texts that are read at once

Fitted = tuple[Entry, list[str]]
"""An entry of preprocess.json, and the columns that are constant all over train."""


class RawSamples(Protocol):
    """The stored samples of one input, read by position."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one raw sample."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of raw values."""

    def take(self, positions: Array) -> Array:
        """Return the samples at `positions` (n, *shape), in that order."""


Numbers = Literal["auto", "standard", "robust", "quantile", "piecewise"]


class RowColumn(NamedTuple):
    """A column of rows as a source has it."""

    name: str
    categories: list[str] | None = None
    """In the order in which raw values count them; None: numbers."""


@dataclass(frozen=True)
class Input:
    """One of the arrays that make up a sample."""

    name: str
    kind: Literal["image", "table", "columns", "codes", "audio", "series", "tokens"]
    """Key of `pipeline.samples.KINDS`, whose files say what raw samples are."""
    is_ragged: bool = False
    """Whether samples have different lengths."""
    columns: tuple[str, ...] | None = None
    """Names along the last axis, for tables that have them."""
    template: AudioEntry | SeriesEntry | TokensEntry | None = None
    """What preprocess.json says of sound, series and texts, before it is fitted to train."""
    row: tuple[RowColumn, ...] = ()
    """Columns of rows, in order."""
    cells: Mapping[str, Any] = field(default_factory=dict)
    """How cells of rows, or files of images, are read: fields of preprocess.json."""
    numbers: Numbers = "auto"
    """Encoding of numbers in rows and series."""
    vocabulary: int = 0
    """Most words or characters that have an id."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of sample, as the stages know it; ondevice/kinds.py has the device's part."""

    fit: Callable[[Input, RawSamples, Array], Fitted]
    """(input, samples, positions of train) -> how raw samples become model inputs."""
    encode: Callable[[Namespace, Tensor, Any], Tensor]  # Any: the entry of its own kind
    """(tensorflow, raw samples (B, ...), entry) -> model input (B, *shape), float32 or int32."""
    form: Literal["image", "sound", "series", "text", "table"]
    """The config's name of these samples."""
    is_augmentable: bool = True
    """Whether `data.augment` can change raw samples."""
    smoothing_axes: int = 0
    """Axes along which a median filter smooths; 0: values have no neighbors."""
    levels_from: Literal["train", "dtype"] | None = "train"
    """Where the levels of a reduced bit depth come from; None: values are no numbers."""
    has_limits: bool = False
    """Whether values have a known range, learned from train."""
    is_clipped: bool = False
    """Whether raw values are clipped to their known range."""
    has_unknown: bool = False
    """Whether NaN stands for a value that is not known."""
    has_fixed_range: bool = False
    """Whether the raw type says which model inputs there can be."""
    embedding_pool: Literal["mean", "flatten"] | None = None
    """Model inputs are ids, each with a learned vector, and these become one vector so; None: model
    inputs are numbers."""
    padding_id: int | None = None
    """Id after the end of a sample; None: there is no padding."""
    has_channels: bool = False
    """Whether the last axis of a raw sample is channels over time."""
    is_tabular: bool = False
    """Whether a sample is a row: its values have no order, and each has a meaning of its own."""
    is_row_of_cells: bool = False
    """Whether several such inputs are read from one row of a table with a header."""
    attacked_by: Literal["range", "columns", "tokens"] = "range"
    """What bounds an attacker: a distance; named columns; a number of replaced words."""
    near_duplicate_distance: float | None = None
    """Distance of near duplicates, as a fraction of that of two samples drawn at random."""
    file_suffix: str = "csv"
    """Suffix of a file that holds one sample, for people."""
    raw_axes: Callable[[Any], list[Any]] = lambda entry: entry.shape
    """Sizes, or names of sizes that vary, of the axes of a raw sample."""
    raw_unit: Callable[[Any], RawUnit | None] = lambda entry: None
    """entry -> how a model input becomes raw values again; None: it does not."""
    shorten_samples: Callable[[Array, Any], Array] = lambda raw, entry: raw
    """(raw samples, entry) -> those that a report shows, small."""

    @property
    def is_embedded(self) -> bool:
        """Whether model inputs are ids, so that every implementation must give the same."""
        return self.embedding_pool is not None

    @property
    def is_text(self) -> bool:
        """Whether a sample is a text."""
        return self.form == "text"

    @property
    def is_sound(self) -> bool:
        """Whether a sample can be heard."""
        return self.form == "sound"

    @property
    def augmented_as(self) -> str | None:
        """Form of a sample that `data.augment` sees; None: it can change none."""
        return self.form if self.is_augmentable else None


def describe_input(spec: Input, shape: list[int], samples: RawSamples) -> dict[str, Any]:
    """Return the fields that all entries of preprocess.json have; `shape` is the model input's."""
    return {"name": spec.name, "shape": shape, "raw_dtype": str(samples.dtype)}


def thin_positions(positions: Array, most: int) -> Array:
    """Return about `most` of the indices (n,), evenly spaced; they are in random order already."""
    return positions[:: max(1, len(positions) // most)]


def read_parts(samples: RawSamples, positions: Array) -> Iterator[Array]:
    """Yield the samples at indices (n,), a few at a time: (RECORDINGS, …)."""
    for start in range(0, len(positions), RECORDINGS):
        yield samples.take(positions[start : start + RECORDINGS])


def invert_scaling(entry: ImageEntry | TableEntry) -> RawUnit:
    """Return what turns `scale_values` round."""
    scale, offset = np.asarray(entry.scale, np.float64), np.asarray(entry.offset, np.float64)
    return RawUnit.model_validate({"scale": (1 / scale).tolist(), "offset": offset.tolist()})


def scale_values(tf: Namespace, raw: Tensor, entry: ImageEntry | TableEntry) -> Tensor:
    """Return numbers (B, ...) less their offset, times their scale, float32."""
    centered = tf.cast(raw, tf.float32) - np.asarray(entry.offset, np.float32)
    return centered * np.asarray(entry.scale, np.float32)
