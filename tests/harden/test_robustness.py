"""Metrics of an attack: shares that count right, by class, and AUC on both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.robustness import ClassRobustness
from pipeline.harden.robustness import measure_attack

LABELS = np.array([0, 0, 1, 1])


def answers(*positive: float) -> np.ndarray:
    return np.stack([1 - np.array(positive), np.array(positive)], axis=1)


def class_row(samples: int, recall: float, robust: float, success: float) -> ClassRobustness:
    return ClassRobustness(
        samples=samples, recall=recall, robust_recall=robust, attack_success_rate=success
    )


def test_success_counts_only_what_was_right() -> None:
    found = measure_attack(
        answers(0.1, 0.6, 0.9, 0.8), answers(0.1, 0.2, 0.3, 0.7), LABELS, names=["honest", "fraud"]
    )
    assert found.clean_accuracy == 0.75
    assert found.robust_accuracy == 0.5  # the second is correct under the attack alone
    assert found.classes["fraud"] == class_row(2, 1, 0.5, 0.5)
    assert found.classes["honest"] == class_row(2, 0.5, 0.5, 0)
    assert found.auc == 1.0
    assert found.attacked_auc == 1.0
    assert measure_attack(
        answers(0.1, 0.6, 0.9, 0.8), answers(0.4, 0.5, 0.1, 0.9), LABELS, names="ab"
    ).attacked_auc == pytest.approx(0.5)


def test_a_class_that_is_never_right_has_no_success_and_three_classes_no_auc() -> None:
    found = measure_attack(
        answers(0.9, 0.9, 0.9, 0.9), answers(0, 0, 0, 0), LABELS, names=["a", "b"]
    )
    assert found.classes["a"].attack_success_rate is None
    three = np.eye(3)[[0, 1, 2]]
    found = measure_attack(three, three, np.array([0, 1, 2]), names=["a", "b", "c"])
    assert found.auc is None
    assert found.robust_accuracy == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1))
def test_nobody_is_more_robust_than_right(rows: list[tuple[float, float, bool]]) -> None:
    clean, attacked, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = measure_attack(
        answers(*clean), answers(*attacked), labels.astype(np.int64), names=["a", "b"]
    )
    assert found.robust_accuracy <= found.clean_accuracy
    assert all(row.robust_recall <= row.recall for row in found.classes.values())
    weighed = sum(row.recall * row.samples for row in found.classes.values())
    assert weighed / len(labels) == pytest.approx(found.clean_accuracy)
