"""Parity figures: signs, intervals, and what equal answers give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.parity import BaselineDrop, LayerNoise
from pipeline.tasks import TASKS, metrics
from pipeline.verify import parity
from tests.tasks.named import one

CLASSES = TASKS["classification"]
NOISE = (LayerNoise(name="a", sqnr_db=20.0), LayerNoise(name="b", sqnr_db=10.0))
seeds = st.integers(0, 1000)


def answers(seed: int, n: int = 60, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)


@given(seed=seeds)
def test_equal_answers_lose_nothing(seed: int) -> None:
    labels, outputs = answers(seed)
    found = parity.compare(
        CLASSES,
        one(labels),
        one(outputs),
        other=one(outputs),
        class_names=("a", "b", "c"),
        layers=NOISE,
        seed=0,
    )
    assert found.metric_drop == 0
    assert found.metric_drop_ci95 == (0, 0)
    assert found.agreement == 1
    assert found.worst_class_drop == 0
    assert found.output_sqnr_db == metrics.SILENCE_DB
    assert found.worst_layer == NOISE[1]


@given(seed=seeds)
def test_the_interval_holds_the_drop(seed: int) -> None:
    labels, reference = map(one, answers(seed))
    other = one(answers(seed + 1)[1])
    low, high = parity.drop_interval(CLASSES, labels, reference, other, seed=1)
    wanted = (
        CLASSES.metrics(labels, reference)["accuracy"] - CLASSES.metrics(labels, other)["accuracy"]
    )
    assert low - 1e-9 <= wanted <= high + 1e-9
    assert (low, high) == parity.drop_interval(CLASSES, labels, reference, other, seed=1)


def test_pairing_narrows_the_interval() -> None:
    """One changed decision in 1,000 moves the accuracy by 0.001, whatever the accuracy is."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1000)
    reference = np.eye(2)[np.where(rng.random(1000) < 0.7, labels, 1 - labels)]
    other = reference.copy()
    other[0] = other[0][::-1]
    named = map(one, (labels, reference, other))
    low, high = parity.drop_interval(CLASSES, *named, seed=0)
    assert high - low <= 0.004  # unpaired it would be 0.08


def test_other_models_are_behind_by_what_they_lose() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 400)
    shipped = np.eye(3)[labels]
    worse = np.eye(3)[np.where(rng.random(400) < 0.2, (labels + 1) % 3, labels)]
    found = parity.compare_baselines(
        CLASSES,
        one(labels),
        one(shipped),
        outputs={"as good": one(shipped), "worse": one(worse)},
        seed=1,
    )
    assert found["as good"] == BaselineDrop(drop=0.0, drop_ci95=(0.0, 0.0))
    low, high = found["worse"].drop_ci95
    assert 0.1 < low < found["worse"].drop < high < 0.3
    back = parity.compare_baselines(
        CLASSES, one(labels), one(worse), outputs={"better": one(shipped)}, seed=1
    )["better"]
    assert back.drop == -found["worse"].drop


@given(st.floats(0.001, 10), st.integers(0, 100))
def test_sqnr_falls_20_db_when_the_noise_is_ten_times_larger(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signal, noise = rng.normal(0, scale, 100), rng.normal(0, scale / 100, 100)
    near = metrics.sqnr_db(signal, signal + noise)
    far = metrics.sqnr_db(signal, signal + 10 * noise)
    assert near - far == pytest.approx(20, abs=1e-6)


def test_the_worst_class_is_the_one_that_loses() -> None:
    labels = np.array([0, 0, 1, 1])
    reference = np.eye(2)[labels]
    other = np.eye(2)[[0, 0, 0, 1]]
    assert parity.worst_class(labels, reference, other) == (1, 0.5)


@given(seed=seeds)
def test_a_confusion_matrix_counts_every_sample_once(seed: int) -> None:
    labels, outputs = answers(seed)
    counts = parity.confusion(labels, outputs)
    assert counts.sum() == len(labels)
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(labels, minlength=3))
    assert np.trace(counts) == (outputs.argmax(axis=1) == labels).sum()


def test_a_file_that_is_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1.0, 40_000)
    labels = (rng.random(40_000) > sure).astype(int)
    outputs = np.stack([sure, 1 - sure], axis=1)
    assert parity.calibration_error(labels, outputs) < 0.01
    boastful = np.stack([np.full(40_000, 0.99), np.full(40_000, 0.01)], axis=1)
    assert parity.calibration_error(labels, boastful) == pytest.approx(0.24, abs=0.01)
