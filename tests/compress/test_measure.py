"""Which samples a rung's agreement is measured on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.compress.measure import ENOUGH, agreement_samples, ranking_samples
from pipeline.data.dataset import Dataset


def dataset(validation: int, train: int, calibration: int, task: str = "classification") -> Dataset:
    """Return a dataset of a task and splits only."""
    order = np.random.default_rng(0).permutation(validation + train)
    trained = order[validation:]
    splits = {"validation": order[:validation], "train": trained}
    splits["calibration"] = trained[::-1][:calibration]
    unused, meta = cast(Any, None), cast(Any, SimpleNamespace(task=task))
    return Dataset(Path(), meta, unused, unused, unused, splits, {})


@pytest.mark.parametrize(
    ("validation", "train", "calibration", "wanted"),
    [
        (56, 5000, 256, ENOUGH),
        (56, 400, 256, 56 + 144),
        (56, 200, 200, 56),
        (ENOUGH, 5000, 256, ENOUGH),
        (3 * ENOUGH, 5000, 256, 3 * ENOUGH),
    ],
)
def test_a_small_validation_split_borrows_training_samples_outside_calibration(
    validation: int, train: int, calibration: int, wanted: int
) -> None:
    given = dataset(validation, train, calibration)
    found = agreement_samples(given)
    assert len(found) == len(set(found.tolist())) == wanted
    np.testing.assert_array_equal(found[:validation], given.split("validation"))
    assert not np.isin(found, given.split("calibration")).any()
    assert np.isin(found[validation:], given.split("train")).all()


def test_values_are_compared_on_validation_only() -> None:
    """How near they must be is a fraction of the reference's error on samples not learned from."""
    given = dataset(56, 5000, 256, task="regression")
    np.testing.assert_array_equal(agreement_samples(given), given.split("validation"))


@pytest.mark.parametrize(("rare", "wanted"), [(300, 200), (90, 90), (1500, 200)])
def test_the_ranking_of_a_rare_class_is_measured_on_training_samples_too(
    rare: int, wanted: int
) -> None:
    given = dataset(2000, 20_000, 256)
    labels = np.zeros(22_000, np.int64)
    validation = given.split("validation")
    labels[np.random.default_rng(1).choice(given.split("train")[:-256], rare - 20, False)] = 1
    labels[validation[:20]] = 1
    names = SimpleNamespace(names=("no", "yes"))
    meta = cast(Any, SimpleNamespace(task="classification", labels=names))
    given = replace(given, meta=meta, labels=labels)
    found = ranking_samples(given)
    assert len(found) == len(set(found.tolist()))
    np.testing.assert_array_equal(found[:2000], validation)
    assert (labels[found] == 1).sum() == wanted
    assert not np.isin(found[2000:], given.split("calibration")).any()
    three = replace(
        given,
        meta=cast(
            Any,
            SimpleNamespace(task="classification", labels=SimpleNamespace(names=("a", "b", "c"))),
        ),
    )
    np.testing.assert_array_equal(ranking_samples(three), agreement_samples(three))
