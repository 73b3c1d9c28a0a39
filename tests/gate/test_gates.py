"""Gates: which side of a limit passes, and that a failure names its cure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Gate
from pipeline.gate.gates import (
    ALWAYS,
    CURES,
    FINER,
    LEAST,
    ROUNDING,
    failed_checks,
    judge,
    no_arena,
    robust_drop,
    robust_drop_upper,
    worst_group_drop,
    worst_runtime,
)
from pipeline.tasks import TASKS, allowed_changes

FILE = {
    "format": "int8",
    "metric_drop": 0.0, "agreement": 1.0, "worst_class_drop": 0.0, "worst_class": "7",
    "worst_layer": {"name": "conv_2", "sqnr_db": 12.0}, "robust_drop": None, "float_ops": 0,
    "bytes": 10, "metric_drop_upper": 0.0, "worst_group_drop": 0.0, "worst_group": "anna",
    "arena_bytes": 5000, "runtime_changes": 0, "samples": 300, "unmeasured": {},
    "worst_runtime": {"name": "a", "kernels": "reference", "changed": 7, "max_abs_lsb": None},
    "metric_least": 0.9, "metric_most": None, "robust_least": None, "recording_least": None,
    "robust_drop_upper": None, "audit_checks": 0, "failed_checks": [],
    "output_sqnr_db": 40.0, "calibration_error": 0.02, "latency_ms": 0.1,
}  # fmt: skip
LIMITS = Gate().model_dump()


def failed(**measured: object) -> dict[str, str]:
    rows = judge(LIMITS, FILE | measured, metric="accuracy")
    return {row["name"]: row["try"] for row in rows if not row["passed"]}


def test_a_perfect_file_passes_and_tries_nothing() -> None:
    assert failed() == {}


def test_every_gate_of_the_schema_has_a_cure() -> None:
    assert set(CURES) == set(Gate.model_fields)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_drop_passes_at_the_limit_and_below(value: float, limit: float) -> None:
    (row,) = judge({"metric_drop": limit}, FILE | {"metric_drop": value}, metric="accuracy")
    assert row["passed"] == (value - limit <= ROUNDING)


@given(st.floats(0, 1), st.floats(0, 1))
def test_agreement_passes_at_the_limit_and_above(value: float, limit: float) -> None:
    (row,) = judge({"agreement": limit}, FILE | {"agreement": value}, metric="accuracy")
    assert row["passed"] == (limit - value <= ROUNDING)


def test_what_to_try_is_always_something_else() -> None:
    for form, words in FINER.items():
        assert f"ships: {form}" not in words
        assert words.split(",")[0] in failed(format=form, agreement=0.1)["agreement"]


def test_the_cure_names_the_worst_layer_and_class() -> None:
    cures = failed(metric_drop=0.5, worst_class_drop=0.5, float_ops=1)
    assert "conv_2" in cures["metric_drop"]
    assert "7" in cures["worst_class_drop"]
    assert "float_ops_left" in cures["float_ops"]


@pytest.mark.parametrize("name", list(LIMITS))
def test_a_gate_that_is_not_asked_or_not_measured_says_nothing(name: str) -> None:
    assert judge({name: None}, FILE, metric="accuracy") == []
    assert judge({"robust_drop": 0.0}, FILE, metric="accuracy") == []


def test_robust_drop_is_float_less_file() -> None:
    audit = {"files": {"a.tflite": {"float_robust": 0.7, "robust": 0.6}}}
    assert robust_drop(audit, "a.tflite") == pytest.approx(0.1)
    assert robust_drop(audit, "b.tflite") is None
    assert robust_drop(None, "a.tflite") is None


def test_one_sample_in_twenty_is_at_a_limit_of_a_twentieth() -> None:
    drop = 1.0 - 19 / 20
    assert drop > 0.05
    assert failed(worst_class_drop=drop) == {}
    assert set(failed(worst_class_drop=0.0501)) == {"worst_class_drop"}


@pytest.mark.parametrize(
    ("name", "limit", "passes", "fails"),
    [
        ("metric_drop_upper", 0.02, 0.02, 0.03),
        ("worst_group_drop", 0.02, 0.0, 0.03),
        ("output_sqnr_db", 30.0, 30.0, 29.0),
        ("recording_least", 0.85, 0.85, 0.84),
        ("calibration_error", 0.05, 0.04, 0.06),
        ("latency_ms", 2.0, 1.0, 2.1),
        ("arena_bytes", 5000, 5000, 5001),
        ("runtime_changes", 2, 2, 3),
    ],
)
def test_gates_that_are_asked_for_hold_on_one_side(
    name: str, limit: float, passes: float, fails: float
) -> None:
    good, bad = (
        judge({name: limit}, FILE | {name: value}, metric="accuracy")[0]
        for value in (passes, fails)
    )
    assert (good["passed"], bad["passed"]) == (True, False)
    assert bad["try"]
    assert bad["side"] == ("at least" if name in LEAST else "at most")


@pytest.mark.parametrize(
    ("name", "drop", "worst"),
    [("classification", 0.2, "anna"), ("forecasting", 0.1 / 0.8, "bert")],  # an error: relative
)
def test_the_group_that_loses_most_is_found(name: str, drop: float, worst: str) -> None:
    task = TASKS[name]
    values = {
        "anna": {"metrics": {"reference": {task.metric: 0.9}, "int8": {task.metric: 0.7}}},
        "bert": {"metrics": {"reference": {task.metric: 0.8}, "int8": {task.metric: 0.9}}},
    }
    found = worst_group_drop({"column": "who", "values": values}, "int8", task)
    assert found == (pytest.approx(drop), worst)
    assert worst_group_drop(None, "int8", task) is None


@given(st.floats(0, 1), st.integers(1, 100_000))
def test_one_decision_may_always_change_and_no_more_than_the_share(
    share: float, samples: int
) -> None:
    allowed = allowed_changes(share, samples)
    assert allowed == 1 or allowed <= share * samples < allowed + 1


def test_the_runtime_that_decides_otherwise_is_named() -> None:
    rows = {
        "litert": {"kernels": "xnnpack", "changed": 0, "max_abs_lsb": 0},
        "litert-builtin": {"kernels": "builtin", "changed": 2, "max_abs_lsb": 4},
        "tflite-micro": {"kernels": "reference", "changed": 7, "max_abs_lsb": 9},
    }
    worst = worst_runtime(rows)
    (row,) = judge(
        {"runtime_changes": 1}, FILE | {"runtime_changes": 7, "worst_runtime": worst}, metric="auc"
    )
    assert not row["passed"]
    assert "tflite-micro (reference kernels) decides 7 of 300 samples otherwise" in row["try"]
    assert "9 LSB" in row["try"]


def test_an_arena_that_was_asked_for_and_not_measured_fails_with_the_reason() -> None:
    skipped = [{"item": "model_int8.tflite on tflite-micro", "reason": "no operation GELU"}]
    reason = no_arena({"litert": {}}, "model_int8.tflite", skipped)
    (row,) = judge(
        {"arena_bytes": 9000}, FILE | {"arena_bytes": None, "unmeasured": reason}, metric="auc"
    )
    assert (row["passed"], row["value"]) == (False, None)
    assert "no operation GELU" in row["try"]
    assert no_arena({"tflite-micro": {}}, "model_int8.tflite", skipped) == {}
    assert "not asked" in no_arena({}, "model_int16x8.tflite", skipped)["arena_bytes"]
    unasked = FILE | {"arena_bytes": None, "unmeasured": reason}
    assert judge({"arena_bytes": None}, unasked, metric="auc") == []


def check(on: str, passed: bool) -> dict[str, object]:
    row = {"name": "an unbounded attack always succeeds", "on": on, "passed": passed}
    return row | {"value": 0.4, "limit": 0.02, "means": "accuracy where any input may be made"}


def test_a_check_that_fails_is_a_gate_that_fails_and_is_named() -> None:
    full = {"is_full": True, "robust_drop_ci95": [-0.01, 0.03]}
    audit = {
        "files": {"a.tflite": full, "b.tflite": {"is_full": False}},
        "checks": [check("reference", True), check("file", False)],
    }
    bad = failed_checks(audit, "a.tflite")
    assert bad is not None
    assert len(bad) == 1
    assert failed_checks(audit, "b.tflite") == []
    assert failed_checks(None, "a.tflite") is None
    limits = dict.fromkeys(ALWAYS, 0)
    measured = FILE | {"audit_checks": len(bad), "failed_checks": bad}
    (row,) = judge(limits, measured, metric="accuracy")
    assert not row["passed"]
    assert "an unbounded attack always succeeds" in row["try"]
    assert "accuracy where any input may be made" in row["try"]
    assert judge(limits, FILE | {"audit_checks": None}, metric="accuracy") == []


def test_the_interval_of_the_robust_drop_can_be_asked() -> None:
    audit = {"files": {"a.tflite": {"is_full": True, "robust_drop_ci95": [-0.01, 0.03]}}}
    upper = robust_drop_upper(audit, "a.tflite")
    assert upper == 0.03
    measured = FILE | {"robust_drop_upper": upper}
    (row,) = judge({"robust_drop_upper": 0.01}, measured, metric="accuracy")
    assert not row["passed"]
    assert "audit.samples" in row["try"]
