"""What verify keeps for the page and for `edgeline compare`: all of it, small, and the same."""

import types
from typing import Any

import numpy as np
import pytest

from pipeline.tasks import TASKS
from pipeline.verify.chart_arrays import STEPS, chart_arrays, predictions
from tests.documents.preprocess import preprocess_of
from tests.tasks.named import one

SERIES = {"kind": "series", "shape": [4, 1], "columns": []}


def held(task: str, reference: Any, labels: Any, **dataset: Any) -> Any:
    """Return held-out samples of one image input."""
    count = len(labels)
    own: dict[str, Any] = {
        "class_names": ("a", "b") if reference.shape[1] > 1 else None,
        "ids": np.array([f"id {i}" for i in range(count)]),
        "preprocess": preprocess_of([SERIES]),
        "times": None,
        "groups": None,
    }
    return types.SimpleNamespace(
        dataset=types.SimpleNamespace(**own | dataset),
        positions=np.arange(count),
        targets=one(labels),
        labels=labels,
        raw={"x": np.arange(count * 4, dtype=np.float32).reshape(count, 4, 1)},
        reference=one(reference),
        task=TASKS[task],
    )


def test_a_changed_decision_is_kept_with_its_sample_and_both_predictions() -> None:
    reference = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    file = np.eye(2, dtype=np.float32)[[0, 0, 0]]
    own = held("classification", reference, np.array([0, 1, 0]))
    found = chart_arrays(own, {"int8": one(file)}, "int8")
    assert found["changed_ids"].tolist() == ["id 1"]
    assert (found["changed_reference"].item(), found["changed_file"].item()) == (1, 0)
    assert np.array_equal(found["changed_input_x"], own.raw["x"][1:2])
    assert found["confusion_int8"].sum() == 3
    assert np.array_equal(found["score_int8"], file[:, 1])


def test_of_regression_values_the_farthest_apart_come_first() -> None:
    reference, labels = np.zeros((5, 1), np.float32), np.arange(5.0)
    file = np.array([[0.1], [0.0], [-3.0], [0.2], [1.0]], np.float32)
    found = chart_arrays(held("regression", reference, labels), {"int8": one(file)}, "int8")
    assert found["changed_file"][:2].tolist() == [-3.0, 1.0]
    assert "forecast_last" not in found


def test_a_forecast_is_drawn_in_order_of_time_from_the_last_known_value() -> None:
    count = STEPS + 30
    times = np.stack([np.zeros(count), np.arange(count)[::-1]], axis=1)
    reference = np.zeros((count, 1), np.float32)
    target = {"offset": 0.0, "scale": 1.0, "channel": 0, "horizon": 1}
    preprocess = preprocess_of([SERIES], target=target)
    own = held("forecasting", reference, np.ones(count), times=times, preprocess=preprocess)
    found = chart_arrays(own, {"int8": one(reference)}, "int8")
    assert len(found["forecast_times"]) == STEPS
    assert (np.diff(found["forecast_times"]) > 0).all()
    places = found["forecast_indices"]
    assert np.array_equal(found["forecast_last"], own.raw["x"][places, -1, 0])


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_predictions_keep_decisions_and_know_their_samples(classes: int) -> None:
    outputs = np.random.default_rng(0).random((6, classes), np.float32)
    task = "classification" if classes > 1 else "regression"
    own = held(task, outputs, np.zeros(6, np.int64))
    found = predictions(own, {"int8": one(outputs)})
    kept = found["prediction_int8"]
    assert (kept.dtype == np.uint8) == (classes > 2)
    decided = kept if classes > 2 else own.task.decisions(one(kept))
    assert np.array_equal(decided, own.task.decisions(one(outputs)))
    other = held(task, outputs, np.ones(6, np.int64))
    assert not np.array_equal(found["samples"], predictions(other, {})["samples"])
    assert np.array_equal(found["samples"], predictions(own, {})["samples"])
