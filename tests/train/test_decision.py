"""The threshold of a detector, against trying every threshold there is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.train.decision import SHARE, calibrate_threshold

samples = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.floats(0.0, 100, width=16), unique=True),
        arrays(np.int64, n, elements=st.integers(0, 1)),
    )
)


def f1(flagged: np.ndarray, labels: np.ndarray) -> float:
    return 2 * float((flagged & (labels == 1)).sum()) / max(1, flagged.sum() + labels.sum())


@given(samples)
def test_no_threshold_has_a_greater_f1(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = drawn
    threshold, calibration = calibrate_threshold(scores, labels)
    if not labels.any():
        return
    assert calibration == "f1"
    tried = [f1(scores > edge, labels) for edge in [-1.0, *scores]]
    reached = f1(scores > threshold, labels)
    # A score of zero is never flagged: the threshold is above zero.
    assert reached >= max(tried) or (scores == 0).any()


def test_without_anomalies_a_hundredth_of_what_is_normal_is_flagged() -> None:
    scores = np.arange(1000.0)
    threshold, calibration = calibrate_threshold(scores, np.zeros(1000, np.int64))
    assert calibration == "quantile"
    assert (scores > threshold).mean() <= 1 - SHARE + 1e-9
    assert calibrate_threshold(np.zeros(5), np.zeros(5, np.int64))[0] > 0
