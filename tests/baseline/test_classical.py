"""Classical models: they learn, they say when they did not converge, and images stay small."""

import numpy as np
import pytest

from pipeline.baseline import classical
from pipeline.tasks import TASKS
from tests.tasks.named import one


@pytest.fixture
def blobs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    labels = rng.integers(0, 3, 300)
    return rng.normal(labels[:, None] * 4.0, 1.0, (300, 5)), labels


@pytest.mark.parametrize("name", classical.classifiers(0, None))
def test_classes_that_lie_apart_are_learned(blobs, name: str) -> None:  # type: ignore[no-untyped-def]
    x, labels = blobs
    model = classical.classifiers(0, None)[name]
    assert classical.fit(model, x[:200], labels[:200])
    found = classical.outputs(model, x[200:], 3)
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found.argmax(axis=1) == labels[200:]).mean() > 0.9
    assert classical.size_bytes(model) > 100


def test_a_class_that_was_never_trained_has_probability_zero(blobs) -> None:  # type: ignore[no-untyped-def]
    x, labels = blobs
    model = classical.classifiers(0, None)["logistic regression"]
    known = labels != 1
    classical.fit(model, x[known], labels[known])
    found = classical.outputs(model, x, 4)
    assert found.shape == (300, 4)
    assert (found[:, [1, 3]] == 0).all()


def test_a_solver_that_stops_early_says_so(blobs) -> None:  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression

    assert not classical.fit(LogisticRegression(max_iter=1), *blobs)


@pytest.mark.parametrize("name", classical.regressors(0, None))
def test_values_are_learned(rng: np.random.Generator, name: str) -> None:
    x = rng.normal(size=(500, 3))
    y = x @ [1.0, -2.0, 0.5]
    model = classical.regressors(0, None)[name]
    classical.fit(model, x[:400], y[:400])
    found = classical.outputs(model, x[400:], None)
    assert found.shape == (100, 1)
    assert TASKS["regression"].metrics(one(y[400:]), one(found))["r2"] > 0.8


def test_the_unit_of_a_target_does_not_matter(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, -2.0, 0.5]
    for name in classical.regressors(0, None):
        one, two = (classical.regressors(0, None)[name] for _ in range(2))
        classical.fit(one, x, y)
        classical.fit(two, x, 2.0**17 * y)
        found = classical.outputs(two, x, None) / 2.0**17
        assert found == pytest.approx(classical.outputs(one, x, None), abs=0.05)


def test_large_images_are_averaged_down_and_keep_their_mean(rng: np.random.Generator) -> None:
    x = rng.random((4, 64, 48, 3))
    rows = classical.flatten(x)
    assert rows.shape[0] == 4
    assert rows.shape[1] <= classical.FEATURES
    assert rows.mean(axis=1) == pytest.approx(x.reshape(4, -1).mean(axis=1))
    assert classical.flatten(x[:, :4, :4]).shape == (4, 48)


def test_every_task_has_baselines() -> None:
    assert set(classical.FAMILIES) == {task.baselines for task in TASKS.values()}


@pytest.mark.parametrize("rare", [1, 2, 5, 30])
def test_a_rare_class_stops_no_model(rng: np.random.Generator, rare: int) -> None:
    x, labels = rng.normal(size=(60 + rare, 3)), np.array([0] * 40 + [1] * 20 + [2] * rare)
    for model in classical.classifiers(0, None).values():
        classical.fit(model, x, labels)
        assert classical.outputs(model, x, 3).shape == (len(x), 3)


def test_a_last_step_far_from_the_others_is_strange(rng: np.random.Generator) -> None:
    windows = rng.normal(size=(50, 12, 2))
    windows[::5, -1, 1] += 9
    z = classical.rolling_z(windows.reshape(50, -1), 2)
    assert set(np.argsort(z)[-10:]) == set(range(0, 50, 5))
    assert np.isfinite(classical.rolling_z(np.zeros((2, 24)), 2)).all()


@pytest.mark.parametrize("name", ["isolation forest", "rolling z-score"])
def test_a_detector_learns_what_is_normal_and_flags_little_of_it(
    rng: np.random.Generator, name: str
) -> None:
    model = classical.detectors(0, 1)[name]
    normal, strange = rng.normal(size=(400, 8)), rng.normal(9, 5, size=(40, 8))
    classical.fit(model, normal, np.zeros(400))
    shares = classical.outputs(model, np.concatenate([normal, strange]), 2)
    flagged = shares.argmax(axis=1) == 1
    assert flagged[:400].mean() <= 0.02
    if name == "isolation forest":
        assert flagged[400:].mean() > 0.8


def test_an_interval_holds_the_figure_and_narrows_with_samples(rng: np.random.Generator) -> None:
    task, widths = TASKS["classification"], []
    for count in (100, 10_000):
        labels = rng.integers(0, 2, count)
        answers = np.eye(2)[np.where(rng.random(count) < 0.8, labels, 1 - labels)]
        targets, outputs = one(labels), one(answers)
        low, high = classical.interval(task, targets, outputs, seed=0)
        assert low <= task.score(targets, outputs) <= high
        widths.append(high - low)
    assert widths[0] == pytest.approx(4 * 0.4 / 10, rel=0.3)  # 4 sqrt(p q / n)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.3)


def test_a_forecaster_that_sees_no_change_is_the_naive_one(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    naive = classical.forecasters(0, None)["naive"]
    classical.fit(naive, x, y)
    outputs = one(classical.outputs(naive, x, None))
    found = TASKS["forecasting"].metrics(one(y), outputs)
    assert found[TASKS["forecasting"].metric] == pytest.approx(1)


def test_rare_words_weigh_more_in_texts(rng: np.random.Generator) -> None:
    counts = rng.poisson(3.0, (200, 30)).astype(np.float32)
    labels = (rng.random(200) < 0.5).astype(int)
    counts[labels == 1, 7] = 1.0  # a rare word, among many frequent ones
    counts[labels == 0, 7] = 0.0
    model = classical.for_texts(classical.classifiers(0, None))["TF-IDF and logistic regression"]
    classical.fit(model, counts[:100], labels[:100])
    found = classical.outputs(model, counts[100:], 2).argmax(axis=1)
    assert (found == labels[100:]).mean() > 0.9


def test_rows_are_thinned_by_class(rng: np.random.Generator) -> None:
    labels = np.zeros(10_000, np.int64)
    labels[[7, 4000, 9001]] = 1
    kept = classical.thin_rows(labels, 500)
    assert labels[kept].sum() == 3
    assert 500 <= len(kept) <= 503
    assert len(classical.thin_rows(rng.normal(size=10_000), 500)) == 500
    assert classical.thin_rows(labels, 10_000).tolist() == list(range(10_000))
