"""Labels that do not fit the task are refused with what would."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.data.labels import (
    anomaly_labels,
    class_labels,
    in_given_order,
    refuse_one_kind,
    target_labels,
)
from pipeline.data.samples import GIVEN, Chunk, Source
from pipeline.errors import ConfigError

UNSAID = np.zeros(4, np.int8)


def source(answers: str, names: tuple[str, ...] | None = None) -> Source:
    def nothing() -> Iterator[Chunk]:
        return iter(())

    return Source((), answers, names, nothing)  # type: ignore[arg-type]


def test_class_ids_come_with_names() -> None:
    labels, names = class_labels(source("class", ("a", "b")), np.array([1, 0, 1, 1]), UNSAID)
    assert (labels.tolist(), names) == ([1, 0, 1, 1], ("a", "b"))
    labels, names = class_labels(source("integer"), np.array([5, -1, 2, 5]), UNSAID)
    assert (labels.tolist(), names) == ([2, 0, 1, 2], ("-1", "2", "5"))


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        ("number", [0.5, 1, 2, 3], "regression values as labels .0.5 to 3."),
        ("class", [0, -1, 1, -1], "samples without a label: 2 in test"),
        ("integer", [0, 0, 0, 0], "1 different whole numbers"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    answers: str, labels: list[float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        class_labels(source(answers), np.array(labels), np.full(4, GIVEN["test"], np.int8))


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        ("class", [0, 1, 1, 0], "are classes; wanted classification"),
        ("number", [0, np.nan, 1, np.inf], "2 targets are NaN or infinity"),
        ("number", [3, 3, 3, 3], "every target is 3"),
    ],
)
def test_labels_that_are_no_quantities_are_refused(
    answers: str, labels: list[float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        target_labels("regression", source(answers), np.array(labels))


def test_a_detector_knows_normal_and_anomaly_alone() -> None:
    labels, names = anomaly_labels(np.array([0, 1, 2, 1]), ("a", "b", "c"), ("a", "c"))
    assert labels.tolist() == [0, 1, 0, 1]
    assert names == ("normal", "anomaly")


@pytest.mark.parametrize("normal", [("d",), (), ("a", "b", "c")])
def test_wrong_normal_classes_are_refused(normal: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"data\.normal: wanted some of the classes"):
        anomaly_labels(np.array([0, 1, 2]), ("a", "b", "c"), normal)


def test_a_test_part_without_an_anomaly_is_refused() -> None:
    parts = {"train": np.array([0]), "validation": np.array([1]), "test": np.array([2])}
    with pytest.raises(ConfigError, match="nothing in test is an anomaly"):
        refuse_one_kind(np.array([0, 0, 0]), parts)
    refuse_one_kind(np.array([0, 0, 1]), parts | {"test": np.array([1, 2])})


GIVEN_ORDER = [
    (("cat", "dog"), ("dog", "cat"), [1, 0, -1], ("dog", "cat")),
    (("cat", "dog"), ("bird", "Dog ", "CAT"), [2, 1, -1], ("bird", "Dog ", "CAT")),
    (("0", "2"), ("a", "b", "c"), [0, 2, -1], ("a", "b", "c")),
    (("3", "5"), ("5", "3"), [1, 0, -1], ("5", "3")),
]


@pytest.mark.parametrize(("names", "given", "ids", "kept"), GIVEN_ORDER)
def test_classes_come_in_the_order_that_is_given(
    names: tuple[str, ...], given: tuple[str, ...], ids: list[int], kept: tuple[str, ...]
) -> None:
    found, ordered = in_given_order(np.array([0, 1, -1]), names, given)
    assert (found.tolist(), ordered) == (ids, kept)


@pytest.mark.parametrize(("names", "given"), [(("a", "b"), ("a", "c")), (("0", "4"), ("a", "b"))])
def test_a_class_that_is_not_given_is_refused(
    names: tuple[str, ...], given: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match=f"class_names: the data has {names[1]}"):
        in_given_order(np.array([0, 1]), names, given)
