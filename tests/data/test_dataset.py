"""The prepared form: the same bytes for the same config, findings, and a look at reading."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import describe_files
from pipeline.config.schema import Config
from pipeline.data import dataset, findings
from pipeline.data.dataset import open_dataset
from pipeline.data.exact_duplicates import exact_copies
from tests.conftest import prepare_data

EVERY_PART = {"train": np.arange(8), "validation": np.arange(8, 10), "test": np.arange(10, 12)}


def looked(
    labels: np.ndarray, parts: dict[str, np.ndarray], digests: np.ndarray
) -> list[findings.Finding]:
    """Return the findings on two classes."""
    copies = exact_copies(parts, digests)
    return findings.look(labels, parts, digests, class_names=("a", "b"), copies=copies)


def test_two_preparations_give_the_same_bytes(
    tmp_path: Path, make_config: Callable[..., Config]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        prepare_data(make_config(), tmp_path / name)
    assert describe_files(tmp_path / "a") == describe_files(tmp_path / "b")


def test_the_split_index_is_disjoint_and_calibration_is_of_train(digits: Any) -> None:
    parts = {name: set(digits.split(name)) for name in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 1797
    assert set(digits.split("calibration")) < parts["train"]
    assert len(digits.split("calibration")) == 256
    assert digits.meta.splits["test"] == len(parts["test"])


def test_positions_are_mapped_where_they_are_many(
    digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = open_dataset(digits.folder).splits
    monkeypatch.setattr(dataset, "LARGE", 0)
    mapped = open_dataset(digits.folder).splits
    assert plain.keys() == mapped.keys() == digits.splits.keys()
    with np.load(digits.folder / "splits.npz") as stored:
        for name in stored.files:
            np.testing.assert_array_equal(plain[name], stored[name])
            np.testing.assert_array_equal(mapped[name], stored[name])
            assert plain[name].dtype == mapped[name].dtype == stored[name].dtype


def test_copies_and_contradictions_across_parts_are_reported() -> None:
    digests = np.arange(12, dtype=np.uint64)
    digests[10] = digests[0]  # of test, as in train
    labels = np.array([0, 1] * 6)
    labels[10] = 1
    found = {f.code: f for f in looked(labels, EVERY_PART, digests)}
    assert found["copies_in_test"].count == 1
    assert "copies_in_validation" not in found
    assert found["contradicting_labels"].count == 1


def test_clean_balanced_data_gives_no_warning() -> None:
    parts = {
        "train": np.arange(800),
        "validation": np.arange(800, 900),
        "test": np.arange(900, 1100),
    }
    digests = np.arange(1100, dtype=np.uint64)
    found = looked(np.arange(1100) % 2, parts, digests)
    assert [f for f in found if f.level == "warning"] == []


def test_imbalance_and_rare_classes_are_reported() -> None:
    labels = np.array([0] * 11 + [1])
    parts = {"train": np.arange(12), "validation": np.arange(0), "test": np.arange(0)}
    found = {f.code: f.text for f in looked(labels, parts, np.arange(12))}
    assert "balanced" in found["imbalance"]
    assert "b 1" in found["rare_classes"]
    assert "no_test_samples" in found
