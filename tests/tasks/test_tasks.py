"""What tasks measure, against slow definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from pipeline.tasks import TASKS, task_of
from pipeline.tasks.metrics import area_under_roc
from pipeline.tasks.task import Target, metric_drop, pad_rows, ranking_drop
from tests.tasks.named import one

samples = st.integers(2, 60)


@given(seed=st.integers(0, 1000), n=samples, k=st.integers(2, 5))
def test_classification_metrics_equal_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = rng.integers(0, k, n), rng.random((n, k))
    found = TASKS["classification"].metrics(one(labels), one(outputs))
    decided = outputs.argmax(axis=1)
    assert found["accuracy"] == pytest.approx((labels == decided).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(labels, decided, average="macro"))


@given(seed=st.integers(0, 1000), n=st.integers(4, 60), levels=st.integers(2, 10))
def test_area_under_roc_equals_scikit_learn_with_ties(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(0, 2, n)]
    scores = rng.integers(0, levels, n + 2).astype(float)
    assert area_under_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_ranking_falls_where_scores_become_equal_and_no_decision_changes() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(2000) < 0.02).astype(np.int64)
    scores = np.clip(0.01 * rng.random(2000) + 0.03 * labels * rng.random(2000), 0, 0.4)
    exact = np.stack([1 - scores, scores], axis=1)
    coarse = np.round(exact * 50) / 50
    task, targets = TASKS["classification"], {"class": labels}
    a, b = {"probabilities": exact}, {"probabilities": coarse}
    assert (task.decisions(a) == task.decisions(b)).all()
    drop = ranking_drop(task, targets, a, other=b)
    known = roc_auc_score(labels, scores) - roc_auc_score(labels, coarse[:, 1])
    assert drop == pytest.approx(known)
    assert known > 0.01


def test_more_than_two_classes_and_values_have_no_ranking() -> None:
    three = {"probabilities": np.eye(3)}
    assert (
        ranking_drop(TASKS["classification"], {"class": np.arange(3)}, three, other=three) is None
    )
    one = {"value": np.ones((3, 1))}
    assert ranking_drop(TASKS["regression"], {"value": np.arange(3.0)}, one, other=one) is None
    same = {"probabilities": np.eye(2)}
    assert (
        ranking_drop(TASKS["classification"], {"class": np.zeros(2, int)}, same, other=same) is None
    )


@given(seed=st.integers(0, 1000), n=samples)
def test_regression_metrics_equal_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = rng.normal(5, 2, n), rng.normal(5, 2, (n, 1))
    found = TASKS["regression"].metrics(one(labels), one(outputs))
    assert found["r2"] == pytest.approx(r2_score(labels, outputs[:, 0]))
    assert found["rmse"] >= found["mae"] >= 0


def test_drop_is_positive_when_worse() -> None:
    task = TASKS["classification"]
    assert metric_drop(task, {"accuracy": 0.9}, {"accuracy": 0.8}) == pytest.approx(0.1)
    assert metric_drop(task, {"accuracy": 0.8}, {"accuracy": 0.9}) == pytest.approx(-0.1)


@pytest.mark.parametrize("name", ["regression", "forecasting"])
def test_values_agree_within_a_quarter_of_the_error_that_the_reference_has(name: str) -> None:
    labels = np.linspace(0, 100, 101)
    reference = labels + np.where(np.arange(101) % 2, 2.0, -2.0)  # RMSE 2
    for shift, is_same in ((0.49, True), (0.51, False)):
        assert (TASKS[name].agree(reference, reference + shift, one(labels)) == is_same).all()
    for shift, is_same in ((0.08, True), (0.1, False)):  # a thousandth of the 5-95 % range is 0.09
        assert (TASKS[name].agree(labels, labels + shift, one(labels)) == is_same).all()


@pytest.mark.parametrize("name", list(TASKS))
def test_constant_predictions_have_no_skill_and_perfect_ones_have_all(name: str) -> None:
    task, rng = TASKS[name], np.random.default_rng(3)
    targets = rng.integers(0, 2, 50) if task.has_classes else rng.normal(5, 2, 50)
    for row in task.constants(targets, 2).values():
        outputs = one(np.tile(np.array(row), (50, 1)))
        assert task.skill(one(targets), outputs) <= 1e-9
        perfect = one(np.eye(2)[targets] if task.has_classes else targets[:, None])
        assert task.skill(one(targets), perfect) == pytest.approx(1)
        gain = task.score(one(targets), perfect) - task.score(one(targets), outputs)
        assert gain > 0 if task.direction == "up" else gain < 0


@pytest.mark.parametrize("name", ["auto", "accuracy", *TASKS["classification"].other_scores])
def test_a_task_is_judged_by_the_metric_that_is_asked_for(name: str) -> None:
    rng = np.random.default_rng(3)
    labels, outputs = one(rng.integers(0, 2, 60)), one(rng.random((60, 2)))
    task = task_of("classification", name)
    assert task.metric == ("accuracy" if name == "auto" else name)
    assert task.score(labels, outputs) == task.metrics(labels, outputs)[task.metric]


def test_a_ragged_target_is_padded_to_the_longest_sample() -> None:
    target = Target(name="boxes", dtype="float32", shape=(4,), padding=-1.0)
    values = np.empty(3, object)
    for i, rows in enumerate((2, 0, 1)):
        values[i] = np.full((rows, 4), i, np.float32)
    padded = pad_rows(values, target, rows=5)
    assert (padded.shape, padded.dtype) == ((3, 5, 4), np.dtype("float32"))
    assert [(sample != -1).all(axis=1).sum() for sample in padded] == [2, 0, 1]
    assert (padded[2, 0] == 2).all()
