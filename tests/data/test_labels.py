"""Labels that do not fit the task are refused with what would."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.data.labels import class_labels, target_labels
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
        ("number", [0.5, 1, 2, 3], "are quantities .0.5 to 3."),
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
