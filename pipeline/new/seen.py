"""What `edgeline new` knows about data: enough to write a config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Modality = Literal["image", "audio", "recording", "series", "table", "text"]


@dataclass(frozen=True)
class Seen:
    """Data as a config's `data.source` describes it, and what a network for it depends on."""

    modality: Modality
    task: Literal["classification", "regression", "forecasting", "anomaly"]
    source: Mapping[str, Any]
    """The section `data.source`; paths are Path."""
    samples: int
    """To train on, about."""
    classes: Mapping[str, int] | None
    """Class -> samples; None for regression values, and where it is unknown."""
    said: tuple[str, ...]
    """Detected and guessed facts, a line each."""
    is_given: bool = False
    """Whether the data say which sample is for the test."""
    size: int = 0
    """Side of a picture in pixels, columns of a table, words of a text, steps of a recording."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of `data.split`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of `data`."""
    tested: Mapping[str, int] | None = None
    """Class -> samples of the given test part; None: there is none, or nothing counts them."""
