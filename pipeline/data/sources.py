"""SOURCES: the kind in a config -> how to read raw samples, a chunk at a time.

A source opens cheaply, tells what its samples look like, and then yields them in a fixed order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.config.schema import BundledSource
from pipeline.data.shards import Chunk

DIGITS_MAX = 16  # load_digits counts 0 to 16; stored as 0 to 255, as every other image


@dataclass(frozen=True)
class Source:
    """What a source's samples look like, and how to get them."""

    inputs: dict[str, Literal["image", "table"]]
    """Name -> what it is, which decides how it is preprocessed."""
    class_names: tuple[str, ...] | None
    """Names of the classes by id; None for a regression."""
    chunks: Callable[[], Iterator[Chunk]]
    """Yields every sample, in the same order each time."""
    columns: dict[str, list[str]] = field(default_factory=dict)
    """Input -> names of its columns, for tables."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    """What was noticed while reading; complete when `chunks` is exhausted."""


def open_source(source: Any, base: Path) -> Source:
    """Open the config's `data.source`.

    Args:
        source: the section.
        base: folder at which its relative paths start.

    Raises:
        ConfigError: it is not there, cannot be fetched, or holds nothing to learn from.
    """
    from pipeline.data.image_folder import open_image_folder
    from pipeline.data.tfds_source import open_tfds

    SOURCES = {"bundled": open_bundled, "tfds": open_tfds, "image_folder": open_image_folder}
    return SOURCES[source.kind](source, base)


def open_bundled(source: BundledSource, base: Path) -> Source:
    """Open a data set that lies inside scikit-learn."""
    from sklearn import datasets

    if source.name == "digits":
        digits = datasets.load_digits()
        images = np.round(digits.images * (255 / DIGITS_MAX)).astype(np.uint8)[..., None]
        names = tuple(str(name) for name in digits.target_names)
        return _in_memory("image", "image", images, digits.target, names, [])
    if source.name == "diabetes":
        table = datasets.load_diabetes(scaled=False)
        return _in_memory(
            "features", "table", table.data, table.target, None, list(table.feature_names)
        )
    load = {"breast_cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}[source.name]
    table = load()
    names = tuple(str(name) for name in table.target_names)
    return _in_memory(
        "features", "table", table.data, table.target, names, list(table.feature_names)
    )


def _in_memory(
    name: str,
    kind: Literal["image", "table"],
    values: Any,
    labels: Any,
    names: Any,
    columns: list[str],
) -> Source:
    """Return a source over arrays that are small enough to hold."""
    values = values if kind == "image" else values.astype(np.float32)
    labels = labels.astype(np.int64 if names is not None else np.float32)

    def chunks() -> Iterator[Chunk]:
        yield Chunk({name: values}, labels, [f"{i:06d}" for i in range(len(values))])

    found = {name: [str(column) for column in columns]} if columns else {}
    return Source({name: kind}, names, chunks, columns=found)
