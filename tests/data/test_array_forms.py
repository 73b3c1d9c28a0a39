"""Arrays as PyTorch and Keras examples write them: channels first, (N, 1) and one-hot labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import NpzSource
from pipeline.data.array_forms import flat_labels
from pipeline.data.npz_source import open_npz
from pipeline.errors import ConfigError
from pipeline.new.prepared import npz_seen

LABELS = np.arange(60) % 3


def read(path: Path) -> tuple[Any, Any, set[str]]:
    source = NpzSource(kind="npz", path=str(path))
    chunks = list(open_npz(source, path.parent, None).chunks())
    full = [chunk for chunk in chunks if len(chunk.ids)]
    codes = {finding.code for chunk in chunks for finding in chunk.findings}
    images = np.concatenate([chunk.inputs["x"] for chunk in full])
    return images, np.concatenate([chunk.labels for chunk in full]), codes


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first_are_put_last_and_said(
    rng: np.random.Generator, tmp_path: Path, channels: int
) -> None:
    images = rng.integers(0, 256, (60, 12, 10, channels)).astype(np.uint8)
    np.savez(tmp_path / "last.npz", x=images, y=LABELS)
    np.savez(tmp_path / "first.npz", x=images.transpose(0, 3, 1, 2).copy(), y=LABELS)
    last, first = read(tmp_path / "last.npz"), read(tmp_path / "first.npz")
    np.testing.assert_array_equal(first[0], last[0])
    assert (first[2], last[2]) == ({"channels_first"}, set())
    assert npz_seen(tmp_path / "first.npz", None).size == npz_seen(tmp_path / "last.npz", None).size


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, bool])
def test_one_hot_labels_are_classes_and_said(tmp_path: Path, dtype: type) -> None:
    images = np.zeros((60, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x=images, y=np.eye(3)[LABELS].astype(dtype))
    _, labels, codes = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(labels, LABELS)
    assert codes == {"one_hot_labels"}
    seen = npz_seen(tmp_path / "a.npz", None)
    assert (seen.task, dict(seen.classes or {})) == ("classification", {"0": 20, "1": 20, "2": 20})


@pytest.mark.parametrize("labels", [LABELS, LABELS / 2, np.array(["a", "b", "c"])[LABELS]])
def test_labels_of_one_column_are_those_of_none(tmp_path: Path, labels: Any) -> None:
    images = np.zeros((60, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x=images, y=labels[:, None])
    np.savez(tmp_path / "b.npz", x=images, y=labels)
    for one, other in zip(read(tmp_path / "a.npz"), read(tmp_path / "b.npz"), strict=True):
        np.testing.assert_array_equal(one, other) if not isinstance(one, set) else one == other
    np.testing.assert_array_equal(read(tmp_path / "a.npz")[1], read(tmp_path / "b.npz")[1])


def test_rows_of_several_ones_are_no_labels(tmp_path: Path) -> None:
    many = np.eye(3)[LABELS]
    many[7] = (1, 1, 0)
    assert flat_labels(many) is None
    np.savez(tmp_path / "a.npz", x=np.zeros((60, 8, 8), np.uint8), y=many)
    with pytest.raises(ConfigError, match="wanted one number or word a sample, or one-hot rows"):
        read(tmp_path / "a.npz")
    with pytest.raises(ConfigError, match=r"y \(60, 3\) is no target"):
        npz_seen(tmp_path / "a.npz", None)


def test_large_samples_come_with_their_own_labels(tmp_path: Path) -> None:
    """Blocks of samples and of labels have one length, however large a sample is."""
    images = np.zeros((1200, 150, 150, 3), np.uint8)
    images[:, 0, 0, 0] = labels = np.arange(1200) % 251
    np.savez(tmp_path / "a.npz", x=images, y=labels)
    source = NpzSource(kind="npz", path="a.npz")
    count = 0
    for chunk in open_npz(source, tmp_path, None).chunks():
        if len(chunk.ids):
            assert len(chunk.ids) == len(chunk.labels) == len(chunk.inputs["x"])
            np.testing.assert_array_equal(chunk.inputs["x"][:, 0, 0, 0], chunk.labels)
            count += len(chunk.ids)
    assert count == 1200
