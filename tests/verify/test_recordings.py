"""Scores of whole recordings: the mean over windows, held against three plain lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ondevice.predict import anomaly_predictions
from pipeline.tasks import TASKS
from pipeline.tasks.metrics import area_under_roc
from pipeline.verify.groups import measure_groups
from pipeline.verify.recordings import AUC, recording_auc
from tests.tasks.named import one

seeds = st.integers(0, 2**32 - 1)


def windows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, scores, recordings and groups of windows of 20 recordings."""
    rng = np.random.default_rng(seed)
    recordings = np.repeat(np.arange(20), rng.integers(1, 6, 20))
    strange = np.arange(20) % 4 < 2
    scores = rng.gamma(2.0, 1.0, len(recordings)) + strange[recordings]
    return strange[recordings].astype(int), scores, recordings.astype(str), recordings % 2


@given(seed=seeds, threshold=st.floats(0.1, 10))
def test_a_recordings_score_is_the_mean_over_its_windows(seed: int, threshold: float) -> None:
    labels, scores, recordings, _ = windows(seed)
    names = sorted(set(recordings))
    means = np.array([scores[recordings == name].mean() for name in names])
    wanted = area_under_roc(np.array([labels[recordings == n].max() for n in names]), means)
    found = recording_auc(labels, anomaly_predictions(scores, threshold), recordings)
    assert found == pytest.approx(wanted, abs=0.02)  # float32 ties near means


@given(seed=seeds)
def test_machines_count_alike_however_many_windows_they_have(seed: int) -> None:
    labels, scores, recordings, groups = windows(seed)
    outputs = anomaly_predictions(scores, 1.0)
    apart = [
        recording_auc(labels[own], outputs[own], recordings[own])
        for own in (groups == 0, groups == 1)
    ]
    assert recording_auc(labels, outputs, recordings, groups=groups) == pytest.approx(
        np.mean(apart)
    )
    told = measure_groups(
        TASKS["anomaly"], one(labels), groups, outputs={"int8": one(outputs)}, recordings=recordings
    )
    assert [told[name].metrics["int8"][AUC] for name in ("0", "1")] == apart


def test_one_window_a_recording_is_the_plain_area() -> None:
    labels, scores, _, _ = windows(1)
    own = np.arange(len(labels))
    outputs = anomaly_predictions(scores, 2.0)
    assert recording_auc(labels, outputs, own) == TASKS["anomaly"].score(one(labels), one(outputs))


def test_a_machine_without_anomalies_does_not_count_and_none_at_all_is_chance() -> None:
    labels, scores, recordings, groups = windows(2)
    outputs = anomaly_predictions(scores, 1.0)
    healthy = np.where(groups == 0, labels, 0)
    alone = groups == 0
    found = recording_auc(healthy, outputs, recordings, groups=groups)
    assert found == recording_auc(labels[alone], outputs[alone], recordings[alone])
    assert recording_auc(np.zeros_like(labels), outputs, recordings, groups=groups) == 0.5


def test_a_score_beyond_any_threshold_is_a_number() -> None:
    outputs = np.array([[0, 1], [1, 0]], np.float32)
    assert recording_auc(np.array([1, 0]), outputs, np.array(["a", "b"])) == 1.0
