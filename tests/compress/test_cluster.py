"""Clustering: few values, the right ones, and they stay few; zeros stay zeros; kill or no kill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.compress.centroids import INITIALIZATIONS, lloyd, nearest
from pipeline.compress.cluster import cluster_weights, write_clustered
from pipeline.compress.distillation import DistillationJob
from pipeline.compress.prune import largest
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.models.kernels import compressible_kernels
from pipeline.models.save import load_keras, save_keras
from pipeline.worker import client
from tests.train.kills import assert_same_bits, with_kills

CLUSTERS = 6


@pytest.fixture
def reference(spec: Spec, tmp_path: Path) -> Path:
    """A net of which one kernel is pruned."""
    keras.utils.clear_session()
    model = MODELS["cnn"](keras, spec)
    pruned = compressible_kernels(model)[-1]
    pruned.assign(largest(pruned.value, 0.6))
    save_keras(model, tmp_path / "model.keras")
    return tmp_path / "model.keras"


@pytest.fixture(scope="module", autouse=True)
def one_worker() -> Iterator[None]:
    yield
    client.stop()


def error(values: np.ndarray, centroids: np.ndarray) -> float:
    return float(((values - nearest(values, centroids)) ** 2).sum())


NUMBERS = st.floats(-4, 4, allow_subnormal=False)  # a middle of two is no number there
VALUES = arrays.arrays(np.float64, st.integers(1, 60), elements=NUMBERS)
CENTROIDS = st.lists(NUMBERS, min_size=1, max_size=8, unique=True)


@given(VALUES, CENTROIDS)
def test_the_nearest_is_the_nearest(values: np.ndarray, centroids: list[float]) -> None:
    ascending = np.sort(centroids)
    apart = np.abs(values[:, None] - ascending)
    np.testing.assert_allclose(np.abs(values - nearest(values, ascending)), apart.min(axis=1))


@given(VALUES, CENTROIDS)
def test_settling_never_adds_error(values: np.ndarray, centroids: list[float]) -> None:
    begun = np.sort(centroids)
    settled = lloyd(values, begun)
    assert error(values, settled) <= error(values, begun) + 1e-9
    assert len(settled) == len(begun)


@pytest.mark.parametrize(
    "initialization",
    [pytest.param(n, marks=[pytest.mark.slow] * (n != "kmeans++")) for n in INITIALIZATIONS],
)
def test_kernels_take_few_values_near_their_own(
    initialization: str, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.keras"
    write_clustered(reference, out, clusters=CLUSTERS, initialization=initialization)
    model, old = load_keras(out), load_keras(reference)
    names = {weight.path for weight in compressible_kernels(model)}
    for weight, before in zip(model.weights, old.weights, strict=True):
        found, values = weight.numpy(), before.numpy()
        if weight.path not in names:
            np.testing.assert_array_equal(found, values)
            continue
        assert 2 < len(np.unique(found)) <= CLUSTERS
        np.testing.assert_array_equal(found == 0, values == 0)
        assert np.square(found - values).mean() < 0.15 * np.square(values).mean()


@pytest.fixture
def job(reference: Path, digits: Any, tmp_path: Path) -> Callable[[str], DistillationJob]:
    begun = tmp_path / "begun.keras"
    model = load_keras(reference)
    for weight in compressible_kernels(
        model
    ):  # a coarse grid stands for the centroids; the worker is not needed
        values = weight.numpy()
        step = 2 * np.abs(values).max() / (CLUSTERS - 2)
        weight.assign(np.round(values / step) * step)
    save_keras(model, begun)
    settings = SimpleNamespace(epochs=3, learning_rate=3e-3, clusters=CLUSTERS)
    learning = {"seed": 3, "strategy": "one_device", "batch_size": 64, "augment": []}

    def make(name: str) -> DistillationJob:
        work = tmp_path / name
        return DistillationJob(
            begun, reference, digits, settings, "compress.cluster", work=work, **learning
        )

    return make


def test_the_values_learn_and_stay_few(job: Callable[[str], DistillationJob]) -> None:
    given = job("work")
    model, begun = cluster_weights(given), load_keras(given.student)
    for weight, before in zip(
        compressible_kernels(model), compressible_kernels(begun), strict=True
    ):
        found, values = weight.numpy(), before.numpy()
        assert len(np.unique(found)) <= len(np.unique(values)) <= CLUSTERS
        np.testing.assert_array_equal(found == 0, values == 0)
        assert (found != values)[values != 0].all(), weight.path


@pytest.mark.slow
def test_a_killed_clustering_ends_with_the_same_bits(
    job: Callable[[str], DistillationJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cluster_weights(job("whole"))
    again, kills = with_kills(
        monkeypatch,
        lambda count, _: count in (2, 5),
        lambda: cluster_weights(job("cut")),
    )
    assert kills == 2
    assert_same_bits(whole, again)
