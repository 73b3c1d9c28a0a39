"""What tasks measure, against slow definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, r2_score, roc_auc_score

from pipeline.tasks import TASKS, task_of
from pipeline.tasks.metrics import area_under_roc
from pipeline.tasks.task import metric_drop
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


def test_regression_decisions_agree_within_a_hundredth_of_the_range() -> None:
    task = TASKS["regression"]
    labels = np.linspace(0, 100, 101)
    agree = task.agree(np.array([10.0, 10.0]), np.array([10.89, 10.91]), one(labels))
    assert agree.tolist() == [True, False]


@pytest.mark.parametrize("name", ["auto", "accuracy", *TASKS["classification"].other_scores])
def test_a_task_is_judged_by_the_metric_that_is_asked_for(name: str) -> None:
    rng = np.random.default_rng(3)
    labels, outputs = one(rng.integers(0, 2, 60)), one(rng.random((60, 2)))
    task = task_of("classification", name)
    assert task.metric == ("accuracy" if name == "auto" else name)
    assert task.score(labels, outputs) == task.metrics(labels, outputs)[task.metric]
