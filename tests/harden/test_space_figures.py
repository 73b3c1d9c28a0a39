"""Figures of an attack: shares that count right, by class, and AUC on both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.harden.space_figures import attacked_figures

LABELS = np.array([0, 0, 1, 1])


def answers(*positive: float) -> np.ndarray:
    return np.stack([1 - np.array(positive), np.array(positive)], axis=1)


def test_success_counts_only_what_was_right() -> None:
    found = attacked_figures(
        answers(0.1, 0.6, 0.9, 0.8), answers(0.1, 0.2, 0.3, 0.7), LABELS, ["honest", "fraud"]
    )
    assert found["clean"] == 0.75
    assert found["robust"] == 0.5  # the second became right under the attack, and counts as wrong
    assert found["classes"]["fraud"] == {"samples": 2, "recall": 1, "robust": 0.5, "success": 0.5}
    assert found["classes"]["honest"] == {"samples": 2, "recall": 0.5, "robust": 0.5, "success": 0}
    assert found["auc"] == 1.0
    assert found["auc_attacked"] == 1.0
    assert attacked_figures(answers(0.1, 0.6, 0.9, 0.8), answers(0.4, 0.5, 0.1, 0.9), LABELS, "ab")[
        "auc_attacked"
    ] == pytest.approx(0.5)


def test_a_class_that_is_never_right_has_no_success_and_three_classes_no_auc() -> None:
    found = attacked_figures(answers(0.9, 0.9, 0.9, 0.9), answers(0, 0, 0, 0), LABELS, ["a", "b"])
    assert found["classes"]["a"]["success"] is None
    three = np.eye(3)[[0, 1, 2]]
    found = attacked_figures(three, three, np.array([0, 1, 2]), ["a", "b", "c"])
    assert found["auc"] is None
    assert found["robust"] == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1))
def test_nobody_is_more_robust_than_right(rows: list[tuple[float, float, bool]]) -> None:
    clean, attacked, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = attacked_figures(
        answers(*clean), answers(*attacked), labels.astype(np.int64), ["a", "b"]
    )
    assert found["robust"] <= found["clean"]
    assert all(row["robust"] <= row["recall"] for row in found["classes"].values())
    weighed = sum(row["recall"] * row["samples"] for row in found["classes"].values())
    assert weighed / len(labels) == pytest.approx(found["clean"])
