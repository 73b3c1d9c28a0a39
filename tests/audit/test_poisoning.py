"""The scan: a planted group is found, and classes without groups hardly ever raise an alarm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from pipeline.audit import poisoning

CLASSES, EACH, WIDTH = 4, 200, 24


def clean_set(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return activations, looks and labels of classes without groups."""
    labels = np.repeat(np.arange(CLASSES), EACH)
    centres = 6 * rng.normal(size=(CLASSES, WIDTH))
    seen = centres[labels] + rng.normal(size=(len(labels), WIDTH))
    looks = centres[labels][:, :8] + 3 * rng.normal(size=(len(labels), 8))
    return seen.astype(np.float32), looks, labels


def planted(
    rng: np.random.Generator, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the same with samples of other classes, and a sign, in class 0."""
    seen, looks, labels = clean_set(rng)
    others = np.flatnonzero(labels != 0)
    bad = rng.permutation(others)[: round(share * EACH)]
    labels[bad] = 0
    seen[bad] = seen[:EACH].mean(axis=0) + 8 * np.eye(WIDTH)[3] + rng.normal(size=(len(bad), WIDTH))
    looks[bad, 0] = 30
    return seen, looks, labels, np.isin(np.arange(len(labels)), bad)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.8])
def test_a_planted_group_is_found(share: float, rng: np.random.Generator) -> None:
    seen, looks, labels, is_bad = planted(rng, share)
    found = poisoning.scan(seen, looks, labels, names=list("abcd"), seed=0)
    assert [row.is_alarm for row in found.classes] == [True, False, False, False]
    assert (found.suspects == is_bad).mean() > 0.99
    assert found.classes[0].separation == pytest.approx(1.0, abs=0.02)
    assert found.classes[0].relabel_rate < 0.5


def test_a_class_of_two_kinds_is_no_alarm(rng: np.random.Generator) -> None:
    """Two ways of being in a class look different, but not by one value that nobody else has."""
    seen, looks, labels = clean_set(rng)
    seen[:60, 3] += 9
    found = poisoning.scan(seen, looks, labels, names=list("abcd"), seed=0)
    assert found.classes[0].is_clustered
    assert found.classes[0].separation < poisoning.SIGN
    assert not any(row.is_alarm for row in found.classes)
    assert not found.suspects.any()


def test_spectral_signatures_put_the_planted_first(rng: np.random.Generator) -> None:
    seen, looks, labels, is_bad = planted(rng, 0.2)
    found = poisoning.scan(seen, looks, labels, names=list("abcd"), seed=0)
    first = np.argsort(np.where(labels == 0, -found.outlying, np.inf))[: is_bad.sum()]
    assert is_bad[first].mean() > 0.9


@pytest.mark.slow
def test_clean_classes_raise_alarms_at_the_stated_rate_at_most(rng: np.random.Generator) -> None:
    """Of p values of classes without groups, at most a tenth lies below a tenth, and so on."""
    values = []
    for number in range(60):
        variances = rng.uniform(0.2, 5, 6)
        rows = poisoning.principal(rng.normal(size=(80, 6)) * variances, 0)
        clear = poisoning.silhouette(rows, poisoning.two_means(rows))
        values.append(poisoning.p_value_of(rows, clear, number))
    told = np.array(values)
    assert (told <= 0.1).mean() <= 0.22  # 60 draws: three deviations
    assert 0.1 < (told <= 0.5).mean() < 0.7  # and it is a p value, not always one
    assert (told <= poisoning.ALPHA).sum() <= 3


def test_a_small_class_is_not_judged_and_says_so() -> None:
    labels = np.array([0] * 60 + [1] * 5)
    rows = np.random.default_rng(1).normal(size=(65, 8)).astype(np.float32)
    found = poisoning.scan(rows, rows, labels, names=["many", "few"], seed=0)
    assert found.classes[1].reason == f"fewer than {poisoning.LEAST} samples"
    assert found.classes[1].is_alarm is False
    assert not found.suspects[60:].any()


@given(st.integers(0, 200))
def test_the_silhouette_equals_the_known_one(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows, inside = draw.normal(size=(20, 3)), np.arange(20) < draw.integers(2, 18)
    assert poisoning.silhouette(rows, inside) == pytest.approx(silhouette_score(rows, inside))


@given(st.integers(0, 200))
def test_two_means_settle_at_a_split_that_no_sample_wants_to_leave(seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(30, 2)) * (3, 1)
    inside = poisoning.two_means(rows)
    assert 0 < inside.sum() <= 15
    means = [rows[~inside].mean(axis=0), rows[inside].mean(axis=0)]
    far = [((rows - mean) ** 2).sum(axis=1) for mean in means]
    assert ((far[1] < far[0]) == inside).all()


def test_principal_directions_keep_distances(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(50, 4))
    found = poisoning.principal(rows, 0)
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(np.linalg.norm(rows[0] - rows[1]))
    assert (np.diff(found.var(axis=0)) <= 1e-9).all()


@given(st.integers(0, 200))
def test_a_sign_is_the_best_threshold_of_one_value(seed: int) -> None:
    draw = np.random.default_rng(seed)
    looks, inside = draw.integers(0, 5, (30, 3)).astype(float), np.arange(30) < 8
    best = max(
        abs((column[inside] <= t).mean() - (column[~inside] <= t).mean())
        for column in looks.T
        for t in range(5)
    )
    assert poisoning.separate(looks, inside) == pytest.approx(best)


def test_suspects_are_named_before_outliers(rng: np.random.Generator) -> None:
    seen, looks, labels, _ = planted(rng, 0.05)
    found = poisoning.scan(seen, looks, labels, names=list("abcd"), seed=0)
    ids = np.array([f"s{i}" for i in range(len(labels))])
    told = poisoning.list_suspects(found, ids, list("abcd"), labels=labels)
    assert len(told) == poisoning.LISTED
    assert {row.id for row in told if row.is_in_cluster} == set(ids[found.suspects])
    assert [row.is_in_cluster for row in told] == sorted(row.is_in_cluster for row in told)[::-1]
