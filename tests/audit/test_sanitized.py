"""Figures of attacks through the squeezing, against a slow count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.sanitized import measure_sanitization

NAMES = ("clean", "unaware", "bpda", "both", "undetected")


def answered(rng: np.random.Generator, samples: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: tuple(rng.dirichlet(np.ones(3) / 2, (2, samples))) for name in NAMES}


@given(seed=st.integers(0, 9999), limit=st.floats(0, 2))
def test_every_sample_is_counted_by_its_worst_attack(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, 3, 40), answered(rng, 40)
    found = measure_sanitization(labels, answers, file="a", threshold=limit)
    robust = without = held = 0
    for i, label in enumerate(labels):
        right = {n: both[0][i].argmax() == label for n, both in answers.items()}
        plain = all(both[1][i].argmax() == label for both in answers.values())
        flagged = {n: np.abs(b[0][i] - b[1][i]).sum() > limit for n, b in answers.items()}
        robust += all(right.values())
        without += plain
        held += right["clean"] and all(right[n] or flagged[n] for n in NAMES[1:])
    assert found.adaptive_robust_accuracy * 40 == robust
    assert found.unsanitized_robust_accuracy * 40 == without
    detector = found.detector
    assert detector is not None
    assert round(detector.robust_accuracy * 40) == held
    assert found.adaptive_robust_accuracy <= detector.robust_accuracy <= found.clean_accuracy
    assert found.adaptive_robust_accuracy <= min(found.attacks.values())
    assert np.isclose(detector.robust_accuracy + detector.evasion_rate, found.clean_accuracy)


def test_a_detector_that_suspects_nobody_adds_nothing() -> None:
    rng = np.random.default_rng(1)
    labels, answers = rng.integers(0, 3, 60), answered(rng, 60)
    found = measure_sanitization(labels, answers, file="a", threshold=2.0)
    assert found.detector is not None
    assert found.detector.robust_accuracy == found.adaptive_robust_accuracy
    assert found.detector.detection_rate == 0
    assert measure_sanitization(labels, answers, file="a", threshold=None).detector is None


def test_a_defence_that_only_hides_its_gradients_fails_the_check() -> None:
    labels = np.zeros(10, int)
    right, wrong = np.tile([1.0, 0.0], (10, 1)), np.tile([0.0, 1.0], (10, 1))
    answers = dict.fromkeys(NAMES, (right, right)) | {"unaware": (wrong, wrong)}
    (check,) = measure_sanitization(labels, answers, file="a", threshold=None).checks
    assert not check.passed
    answers |= {"bpda": (wrong, wrong)}
    (check,) = measure_sanitization(labels, answers, file="a", threshold=None).checks
    assert check.passed
