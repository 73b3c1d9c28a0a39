"""The real data sets that lie inside scikit-learn: nothing is fetched."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import BundledSource
from pipeline.data.samples import Chunk, Source
from pipeline.samples.columns import rows_input
from pipeline.samples.kind import Input, RowColumn

DIGITS_MAX = 16  # load_digits counts 0 to 16; stored as 0 to 255, as every other image


def open_bundled(source: BundledSource, base: Path, report: str | None) -> Source:
    """Open a set; it is small enough to be one chunk."""
    from sklearn import datasets

    if source.name == "digits":
        digits = datasets.load_digits()
        images = np.round(digits.images * (255 / DIGITS_MAX)).astype(np.uint8)[..., None]
        return _source(Input("image", "image"), images, digits.target, digits.target_names)
    if source.name == "diabetes":  # scaled=False: in the units of a clinic, which a device sees
        table, names = datasets.load_diabetes(scaled=False), None
    else:
        load = {"breast_cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}
        table = load[source.name]()
        names = table.target_names
    row = [RowColumn(str(name)) for name in table.feature_names]
    cells = {"missing": ["", "nan"], "strip": " ", "delimiter": ",", "number_format": "plain"}
    return _source(
        rows_input("features", row, cells), table.data.astype(np.float32), table.target, names
    )


def _source(spec: Input, values: Array, labels: Array, names: Array | None) -> Source:
    """Return a source over arrays; without names, labels are regression values."""
    dtype = np.float32 if names is None else np.int64

    def chunks() -> Iterator[Chunk]:
        yield Chunk(
            {spec.name: values}, labels.astype(dtype), [f"{i:06d}" for i in range(len(values))]
        )

    class_names = None if names is None else tuple(str(name) for name in names)
    return Source((spec,), "number" if names is None else "class", class_names, chunks)
