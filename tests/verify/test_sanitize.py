"""The detector's limit: its false alarms are as many as were wished, on known and new samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.selective import DetectorResult, Sanitization, SanitizedFile
from pipeline.verify.rules import detector_limits
from pipeline.verify.sanitize import FARTHEST, limit_of, measure_detector

seeds = st.integers(0, 10_000)


@given(seed=seeds, samples=st.integers(2, 400), wish=st.floats(0.01, 0.5))
def test_false_alarms_on_validation_are_as_wished_but_for_a_sample(
    seed: int, samples: int, wish: float
) -> None:
    distances = np.random.default_rng(seed).permutation(samples) / samples
    share = (distances > limit_of(wish, distances)).mean()
    assert wish - 2 / samples <= share <= wish


@given(seed=seeds, wish=st.floats(0.02, 0.3))
def test_ties_never_raise_more_alarms_than_wished(seed: int, wish: float) -> None:
    distances = np.random.default_rng(seed).integers(0, 4, 300) / 4
    assert (distances > limit_of(wish, distances)).mean() <= wish


def test_the_wish_holds_on_new_samples_on_average(rng: np.random.Generator) -> None:
    shares = [
        (rng.gamma(1, 0.1, 200) > limit_of(0.05, rng.gamma(1, 0.1, 99))).mean() for _ in range(400)
    ]
    assert 0.04 < np.mean(shares) <= 0.055  # exactly 0.05 is expected: 5 of 100 ranks


def test_too_few_samples_to_promise_anything_suspect_nobody() -> None:
    assert limit_of(0.05, np.full(5, 0.3)) == FARTHEST


@given(seed=seeds)
def test_figures_count_every_sample_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, outputs = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    is_suspect = rng.random(50) < 0.3
    validation = rng.random(20) < 0.5
    found = measure_detector(labels, outputs, is_suspect, limit=0.1, validation=validation)
    assert (found.limit, found.validation_false_positive_rate) == (0.1, validation.mean())
    wrong = outputs.argmax(axis=1) != labels
    assert found.coverage + found.false_positive_rate == 1
    answered = (wrong & ~is_suspect).sum() / max(1, (~is_suspect).sum())
    assert found.selective_error == answered
    assert found.error == wrong.mean()
    every = np.ones(50, bool)
    none = measure_detector(labels, outputs, every, limit=0.1, validation=validation)
    assert none.selective_error == 0


def test_limits_are_read_by_format() -> None:
    def sanitized(limit: float | None) -> SanitizedFile:
        detector = None if limit is None else DetectorResult.model_construct(limit=limit)
        return SanitizedFile(metric=0.9, unsqueezed=0.9, detector=detector)

    files = {"int8": sanitized(0.3), "float32": sanitized(0.2)}
    document = Sanitization.model_construct(false_positive_rate=0.05, files=files)
    assert detector_limits(document) == {"int8": 0.3, "float32": 0.2}
    off = Sanitization.model_construct(false_positive_rate=None, files={"int8": sanitized(None)})
    assert detector_limits(off) is None
    assert detector_limits(None) is None
