"""What takes no model: skill of guesses, and classes that nobody finds."""

import numpy as np
import pytest

from pipeline.tasks import TASKS
from pipeline.verify.trivial import missing_classes, skill_interval
from tests.tasks.named import one

CLASSES = TASKS["classification"]


@pytest.mark.parametrize("classes", [2, 5])
def test_the_interval_of_guesses_rarely_lies_above_zero(classes: int) -> None:
    rng, above = np.random.default_rng(classes), 0
    for seed in range(20):
        labels = rng.integers(0, classes, 200)
        guesses = rng.dirichlet(np.ones(classes), 200)
        above += skill_interval(CLASSES, one(labels), one(guesses), seed=seed)[0] > 0
    assert above <= 3  # 1 in 40 by chance
    perfect = np.eye(classes)[labels]
    assert skill_interval(CLASSES, one(labels), one(perfect), seed=0) == (1.0, 1.0)


def test_classes_without_samples_or_predictions_are_missing() -> None:
    names, labels = ("a", "b", "c"), one(np.array([0, 0, 1]))
    assert missing_classes(names, labels, np.array([0, 0, 0])) == {
        "b": "it is never predicted",
        "c": "no sample has this class",
    }
    assert missing_classes(("a", "b"), labels, np.array([1, 0, 0])) == {}
    assert missing_classes(None, labels, np.zeros(3)) is None
