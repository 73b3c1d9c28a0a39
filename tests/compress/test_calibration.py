"""The calibration set: of train alone, prepared as a device does, and refused when empty."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.compress.calibration import known_ranges, write_calibration
from pipeline.data.dataset import Dataset
from pipeline.data.shards import ShardWriter, open_shards
from pipeline.errors import ArtifactError
from pipeline.samples.kind import Input
from tests.documents.preprocess import meta_of, preprocess_of

IMAGE: dict[str, Any] = {
    "name": "image",
    "kind": "image",
    "shape": [2, 2, 1],
    "raw_dtype": "uint8",
    "offset": 0.0,
    "scale": 1 / 255,
}
TABLE = IMAGE | {"name": "features", "kind": "table", "raw_dtype": "float32"}


def dataset(folder: Path, calibration: list[int]) -> Dataset:
    writer = ShardWriter(folder, Input("image", "image"))
    writer.add(np.arange(40, dtype=np.uint8).reshape(10, 2, 2, 1))
    return Dataset(
        folder,
        meta_of(),
        preprocess_of([IMAGE]),
        labels=np.zeros(10, np.int64),
        ids=np.array([f"id{i}" for i in range(10)]),
        splits={"calibration": np.array(calibration, np.int64)},
        shards={"image": open_shards(folder, writer.finish())},
    )


def test_it_holds_the_splits_samples_prepared_and_the_hash_of_their_ids(tmp_path: Path) -> None:
    found = write_calibration(dataset(tmp_path, [4, 1]), tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz") as arrays:
        values = arrays["image"]
    assert values.dtype == np.float32
    assert values[:, 0, 0, 0] * 255 == pytest.approx([16, 4])
    assert found == {"samples": 2, "ids_sha256": hashlib.sha256(b"id4\nid1").hexdigest()}


def test_an_empty_split_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"data\.calibration_samples"):
        write_calibration(dataset(tmp_path, []), tmp_path / "c.npz")


def test_pixels_have_a_known_range_and_tables_have_none() -> None:
    assert known_ranges(preprocess_of([IMAGE, TABLE])) == {"image": (0.0, 1.0)}
    moved = IMAGE | {"offset": 127.5, "scale": 1 / 127.5}
    assert known_ranges(preprocess_of([moved])) == {"image": (-1.0, 1.0)}
    floats = preprocess_of([IMAGE | {"raw_dtype": "float32"}])
    assert known_ranges(floats) == {}
