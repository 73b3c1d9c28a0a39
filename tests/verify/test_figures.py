"""Metrics per group, on a stream, and of preprocessing: right ones, and wrong ones refused."""

from typing import Any

import numpy as np
import pytest

from pipeline.documents.parity import Streaming
from pipeline.errors import PipelineError
from pipeline.tasks import TASKS
from pipeline.verify import preprocessing, streaming
from pipeline.verify.groups import measure_groups
from tests.documents.preprocess import preprocess_of
from tests.tasks.named import one

NAMES = ("go", "stop", "unknown", "silence")
SECONDS = 1.0


def test_every_group_has_its_own_figures() -> None:
    labels, groups = np.array([0, 1, 0, 1]), np.array(["a", "a", "a", "b"])
    outputs = {
        "reference": one(np.eye(2)[[0, 1, 0, 0]]),
        "int8": one(np.eye(2)[[0, 1, 1, 1]]),
    }
    found = measure_groups(TASKS["classification"], one(labels), groups, outputs=outputs)
    assert list(found) == ["a", "b"]
    assert found["a"].samples == 3
    assert found["a"].metrics["int8"]["accuracy"] == pytest.approx(2 / 3)
    assert found["b"].metrics["reference"]["accuracy"] == 0


def heard(labels: Any, said: Any) -> Streaming:
    """Return the figures of a model that says `said[n]` whenever recording n is whole in sight."""
    windows = streaming.stream(np.zeros((len(labels), 8), np.int16))
    outputs = np.zeros((len(windows), len(NAMES)))
    outputs[:, 3] = 1
    for n, k in enumerate(said):
        around = slice(max(0, 2 * streaming.HOP * n - 1), 2 * streaming.HOP * n + 2)
        outputs[around] = np.eye(len(NAMES))[k]
    return streaming.measure_stream(
        "a.tflite", outputs, np.asarray(labels), names=NAMES, seconds=SECONDS
    )


def test_a_perfect_spotter_misses_nothing() -> None:
    found = heard([0, 1, 2, 0, 3, 1], [0, 1, 2, 0, 3, 1])
    assert found.false_accepts_per_hour == 0
    assert found.miss_rate == 0
    assert found.keywords == 4
    assert found.hours == pytest.approx(12 / 3600)


def test_misses_and_false_accepts_are_counted() -> None:
    found = heard([0, 1, 2, 0, 3, 1], [0, 3, 1, 1, 3, 1])  # one missed, one from unknown, one wrong
    assert found.miss_rate == 0.5
    assert found.false_accepts_per_hour * found.hours == pytest.approx(2)


def test_windows_of_a_stream_are_the_recordings_and_what_lies_between() -> None:
    recordings = np.arange(1, 17, dtype=np.int16).reshape(2, 8)
    windows = streaming.stream(recordings)
    assert (windows[0] == recordings[0]).all()
    assert (windows[2 * streaming.HOP] == recordings[1]).all()
    assert (windows[streaming.HOP] == 0).all()


def test_another_preprocessing_on_the_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {
        "name": "x",
        "kind": "table",
        "raw_dtype": "float32",
        "shape": [2],
        "offset": [0.0, 1.0],
        "scale": [1.0, 2.0],
    }
    raw = {"x": np.ones((5, 2), np.float32)}
    found = preprocessing.compare_preprocessing(raw, preprocess_of([entry]))
    assert found["x"].max_abs_difference == 0
    ours = preprocessing.prepare_input
    monkeypatch.setattr(preprocessing, "prepare_input", lambda x, e: ours(x, e) + 1e-4)
    with pytest.raises(PipelineError, match=r"differs from that of training by 0\.0001"):
        preprocessing.compare_preprocessing(raw, preprocess_of([entry]))
