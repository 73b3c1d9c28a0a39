"""Spans of anomalies: counted once each, never across two series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.documents.parity import RangeMetrics
from pipeline.verify.ranges import measure_ranges

bits = arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 1))


def figures(labels: list[int], flagged: list[int], groups: list[str] | None = None) -> RangeMetrics:
    named = None if groups is None else np.array(groups)
    times = np.arange(len(labels), dtype=float)
    return measure_ranges(np.array(labels), np.array(flagged) == 1, named, times=times)


def test_a_long_anomaly_counts_once_and_one_window_finds_it() -> None:
    found = figures([0, 1, 1, 1, 1, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0])
    assert (found.ranges, found.recall, found.precision) == (2, 0.5, 1.0)
    assert found.range_f1 == pytest.approx(2 / 3)


def test_a_run_of_false_flags_is_one_false_alarm() -> None:
    found = figures([0, 0, 0, 0, 1], [1, 1, 1, 0, 1])
    assert (found.recall, found.precision) == (1.0, 0.5)


def test_a_run_ends_with_its_series() -> None:
    assert figures([1, 1], [0, 0], ["a", "b"]).ranges == 2
    mixed = measure_ranges(
        np.array([1, 0, 1, 0]),
        np.zeros(4, bool),
        np.array(["a", "b", "a", "b"]),
        times=np.arange(4.0),
    )
    assert mixed.ranges == 1


@given(bits)
def test_flagging_what_is_anomalous_is_perfect(labels: np.ndarray) -> None:
    found = measure_ranges(labels, labels == 1, None, times=np.arange(len(labels)))
    assert found.range_f1 == (1.0 if labels.any() else 0.0)
