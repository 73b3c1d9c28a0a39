"""Figures of attacks through the squeezing, against a slow count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.sanitized import figures

NAMES = ("clean", "naive", "through", "both", "alike")


def answered(rng: np.random.Generator, samples: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: tuple(rng.dirichlet(np.ones(3) / 2, (2, samples))) for name in NAMES}


@given(seed=st.integers(0, 9999), limit=st.floats(0, 2))
def test_every_sample_is_counted_by_its_worst_attack(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, 3, 40), answered(rng, 40)
    found = figures(labels, answers, limit)
    robust = without = held = 0
    for i, label in enumerate(labels):
        right = {n: both[0][i].argmax() == label for n, both in answers.items()}
        plain = all(both[1][i].argmax() == label for both in answers.values())
        flagged = {n: np.abs(b[0][i] - b[1][i]).sum() > limit for n, b in answers.items()}
        robust += all(right.values())
        without += plain
        held += right["clean"] and all(right[n] or flagged[n] for n in NAMES[1:])
    assert found["robust"] * 40 == robust
    assert found["robust_without"] * 40 == without
    assert round(found["detector"]["held"] * 40) == held
    assert found["robust"] <= found["detector"]["held"] <= found["clean"]
    assert found["robust"] <= min(found["attacks"].values())
    assert np.isclose(found["detector"]["held"] + found["detector"]["evading"], found["clean"])


def test_a_detector_that_suspects_nobody_adds_nothing() -> None:
    rng = np.random.default_rng(1)
    labels, answers = rng.integers(0, 3, 60), answered(rng, 60)
    found = figures(labels, answers, 2.0)
    assert found["detector"]["held"] == found["robust"]
    assert found["detector"]["detected"] == 0
    assert figures(labels, answers, None)["detector"] is None


def test_a_defence_that_only_hides_its_gradients_fails_the_check() -> None:
    labels = np.zeros(10, int)
    right, wrong = np.tile([1.0, 0.0], (10, 1)), np.tile([0.0, 1.0], (10, 1))
    answers = dict.fromkeys(NAMES, (right, right)) | {"naive": (wrong, wrong)}
    (check,) = figures(labels, answers, None)["checks"]
    assert not check["passed"]
    answers |= {"through": (wrong, wrong)}
    (check,) = figures(labels, answers, None)["checks"]
    assert check["passed"]
