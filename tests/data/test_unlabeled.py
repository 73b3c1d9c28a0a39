"""Samples without a label are a part of their own, and nothing that is judged is in it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.findings import in_no_part
from pipeline.data.split import Wish
from pipeline.data.unlabeled import NONE, UNLABELED, hide, split_known, without_label
from pipeline.errors import ConfigError

WISH = Wish("stratified", 0.2, 0.2, 5)
NAMES = ("cat", "none", "dog")


def labels_of(share: float, count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < share, NONE, rng.integers(0, 3, count))


def cut(labels: Any, groups: Any = None, codes: Any = None) -> Any:
    codes = np.zeros(len(labels), np.int8) if codes is None else codes
    return split_known(labels, codes, WISH, is_classes=True, groups=groups, times=None)


@given(st.floats(0.05, 0.8), st.integers(60, 200), st.integers(0, 99))
def test_the_parts_share_nothing_and_leave_nothing_out(share: float, n: int, seed: int) -> None:
    labels = labels_of(share, n, seed)
    parts = cut(labels)
    everything = np.concatenate([parts[name] for name in parts])
    assert sorted(everything) == list(range(n))
    if (labels == NONE).any():
        assert (labels[parts[UNLABELED]] == NONE).all()
    for name in ("train", "validation", "test"):
        assert (labels[parts[name]] != NONE).all()


@given(st.integers(0, 99))
def test_what_belongs_to_a_judged_sample_is_left_out(seed: int) -> None:
    labels = labels_of(0.5, 200, seed)
    groups = np.array([f"g{i}" for i in np.random.default_rng(seed).integers(0, 20, 200)])
    parts = cut(labels, groups)
    judged = set(groups[np.concatenate([parts["validation"], parts["test"]])])
    assert not judged & set(groups[parts[UNLABELED]])


def test_what_the_source_gives_to_test_is_not_learned_from() -> None:
    labels = labels_of(0.5, 200, 1)
    codes = np.where(np.arange(200) < 60, 3, 1).astype(np.int8)  # test, then train
    parts = cut(labels, codes=codes)
    assert parts[UNLABELED].min() >= 60


def test_the_class_that_stands_for_none_is_no_class() -> None:
    labels, names = without_label(np.array([0, 1, 2, 1]), NAMES, "none")
    assert labels.tolist() == [0, NONE, 1, NONE]
    assert names == ("cat", "dog")


@pytest.mark.parametrize(("names", "name"), [(NAMES, "unknown"), (("cat", "none"), "none")])
def test_a_class_that_is_not_there_is_refused(names: tuple[str, ...], name: str) -> None:
    with pytest.raises(ConfigError, match=r"^data\.unlabeled: wanted one of the classes"):
        without_label(np.array([0, 1]), names, name)


@given(st.integers(3, 60), st.integers(0, 99))
def test_hidden_labels_are_kept_as_samples(count: int, seed: int) -> None:
    labels = labels_of(0.3, 200, 2)
    before = cut(labels)
    after = hide(before, labels, count, is_classes=True, seed=seed)
    assert len(after["train"]) == min(count, len(before["train"]))
    assert set(labels[after["train"]]) == {0, 1, 2} or count < 6
    moved = set(before["train"]) - set(after["train"])
    assert set(after[UNLABELED]) == set(before[UNLABELED]) | moved
    assert (after["validation"] == before["validation"]).all()


def test_fewer_labels_than_classes_are_refused() -> None:
    labels = labels_of(0.3, 200, 2)
    with pytest.raises(ConfigError, match="at least one sample of each of 3 classes; came 2"):
        hide(cut(labels), labels, 2, is_classes=True, seed=0)


def test_anomalies_that_train_leaves_out_are_no_windows() -> None:
    parts = {"train": np.arange(5), "validation": np.arange(5, 7), "test": np.arange(7, 9)}
    (said,) = in_no_part(12, parts, is_detector=True, has_times=False)
    assert said.text == ("3 samples are in no part: anomalies that would have been trained on.")
    (said,) = in_no_part(12, parts, is_detector=False, has_times=True)
    assert said.text.startswith("3 windows reach across")
    assert in_no_part(9, parts, is_detector=False, has_times=False) == []
    unlabeled = parts | {"unlabeled": np.arange(9, 12)}
    assert in_no_part(12, unlabeled, is_detector=False, has_times=False) == []
