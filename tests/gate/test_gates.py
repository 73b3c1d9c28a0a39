"""Gates: which side of a limit passes, and that a failure names its remediation."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Gate
from pipeline.documents.audit import Audit
from pipeline.documents.parity import DeviceCode, Parity
from pipeline.documents.verdict import GateResult
from pipeline.errors import ConfigError
from pipeline.gate.evidence import Evidence
from pipeline.gate.gates import GATES, ROUNDING
from pipeline.gate.judge import check_class_names, judge
from pipeline.tasks import TASKS
from pipeline.tasks.task import allowed_changes
from tests.documents.audit import audit_of

NAME = "model_int8.tflite"
LIMITS = Gate().model_dump() | {"missing_classes": 0}
PARITY = {
    "metric_drop": 0.0, "metric_drop_ci95": [0.0, 0.0], "agreement": 1.0, "output_sqnr_db": 40.0,
    "calibration_error": 0.02, "worst_class_drop": 0.0, "worst_class": "7",
    "worst_layer": {"name": "conv_2", "sqnr_db": 12.0},
}  # fmt: skip
SKILLED = {"skill": 0.8, "skill_ci95": [0.7, 0.9], "missing_classes": {}}
PLAIN = {
    "split": "test", "samples": 300, "metric": "accuracy", "direction": "up",
    "reference": {"metrics": {"accuracy": 0.9}}, "test_readings": 1, "layers": {},
    "preprocessing": {}, "streaming": None, "ranges": None, "baseline": None, "encoder": None,
    "trivial": {"the most frequent class": 0.2}, "abstain": None, "sanitize": None,
    "device_code": None,
}  # fmt: skip
LITERT = {
    "version": "2",
    "agreement": 1.0,
    "kernels": "xnnpack",
    "disagreements": 0,
    "max_abs_lsb": 0,
    "arena_bytes": None,
}
MICRO = {
    "version": "0",
    "agreement": 1.0,
    "kernels": "reference",
    "disagreements": 0,
    "max_abs_lsb": 0,
    "arena_bytes": 5000,
}


def evidence(
    *,
    task: str = "classification",
    form: str = "int8",
    metrics: dict[str, float] | None = None,
    runtimes: dict[str, Any] | None = None,
    groups: dict[str, Any] | None = None,
    decision: dict[str, Any] | None = None,
    skipped: tuple[dict[str, str], ...] = (),
    latencies: tuple[float, ...] = (),
    float_ops: int = 0,
    audit: Audit | None = None,
    name: str = NAME,
    allowed: tuple[str, ...] = (),
    trivial: dict[str, float] | None = None,
    **parity: object,
) -> Evidence:
    """Return what was measured of a file without a fault, but for what is given."""
    row = {
        "format": form,
        "metrics": metrics or {"accuracy": 0.9},
        "parity": PARITY | {key: value for key, value in parity.items() if key not in SKILLED},
        **SKILLED | {key: value for key, value in parity.items() if key in SKILLED},
        "runtimes": {"litert": LITERT, "tflite-micro": MICRO} if runtimes is None else runtimes,
    }
    left = {"op": "CAST", "why": "cast_1 computes in float32"}
    entry = {"format": form, "file": name, "bytes": 10, "float_ops_left": [left] * float_ops}
    plain = PLAIN if trivial is None else PLAIN | {"trivial": trivial}
    more = {"groups": groups, "decision": decision, "skipped": skipped}
    document = Parity(**plain, files={name: row}, **more)  # type: ignore[arg-type]
    targets = [{"format": form, "latency_ms_estimate": value} for value in (*latencies, None)]
    return Evidence(TASKS[task], entry, document, targets, audit, allowed)


def failed(**measured: Any) -> dict[str, str | None]:
    rows = judge(LIMITS, evidence(**measured))
    return {row.name: row.remediation for row in rows if not row.passed}


def judge_one(name: str, limit: float, file: Evidence) -> GateResult:
    (row,) = judge({name: limit}, file)
    return row


def test_a_perfect_file_passes_and_tries_nothing() -> None:
    assert failed() == {}


def test_the_table_has_every_gate_of_the_schema_in_its_order() -> None:
    asked = [name for name, gate in GATES.items() if not gate.is_always_asked]
    assert asked == list(Gate.model_fields)
    assert all(gate.meaning for gate in GATES.values())


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_drop_passes_at_the_limit_and_below(value: float, limit: float) -> None:
    row = judge_one("metric_drop", limit, evidence(metric_drop=value))
    assert row.passed == (value - limit <= ROUNDING)


@given(st.floats(0, 1), st.floats(0, 1))
def test_agreement_passes_at_the_limit_and_above(value: float, limit: float) -> None:
    row = judge_one("agreement", limit, evidence(agreement=value))
    assert row.passed == (limit - value <= ROUNDING)


def beside(other: str, **parity: object) -> dict[str, str | None]:
    """Return the remediation of each failed gate of an int8 file, beside another format's file."""
    file, second = evidence(agreement=0.97), evidence(form=other, name="other.tflite", **parity)
    both = {"files": file.parity.files | second.parity.files}
    file = replace(file, parity=file.parity.model_copy(update=both))
    return {row.name: row.remediation for row in judge(LIMITS, file) if not row.passed}


@pytest.mark.parametrize("form", ["int16x8", "float16"])
def test_the_hint_names_a_format_that_was_better_in_this_run(form: str) -> None:
    hint = str(beside(form, agreement=0.995)["agreement"])
    assert f"export.ships: {form} (agreement 0.995 in this run, here 0.970)" in hint


def test_a_file_that_ranks_worse_fails_though_all_decisions_are_the_same() -> None:
    assert set(failed(agreement=1.0, metric_drop=0.0, auc_drop=0.02)) == {"auc_drop"}
    assert "auc_drop" not in {row.name for row in judge(LIMITS, evidence(auc_drop=None))}
    assert failed(auc_drop=-0.1) == {}


def test_the_hint_names_the_format_that_ranks_best() -> None:
    file = evidence(auc_drop=0.02)
    second = evidence(form="int16x8", name="other.tflite", auc_drop=0.001)
    both = file.parity.files | second.parity.files
    file = replace(file, parity=file.parity.model_copy(update={"files": both}))
    (row,) = (row for row in judge(LIMITS, file) if row.name == "auc_drop")
    assert "export.ships: int16x8 (AUC drop 0.0010 in this run, here 0.0200)" in str(
        row.remediation
    )


def test_the_hint_names_no_format_that_was_worse() -> None:
    hint = str(beside("int16x8", agreement=0.893)["agreement"])
    assert "export.ships" not in hint
    assert "No finer format of this run is closer (int16x8)" in hint
    worse = str(beside("int16x8", agreement=0.99, metric_drop=0.05)["agreement"])
    assert "export.ships" not in worse


def test_what_to_try_is_always_something_else() -> None:
    for form in ("int8", "int16x8", "dynamic", "float16", "float32"):
        assert "export.ships" not in str(failed(form=form, agreement=0.1)["agreement"])


def test_the_remediation_names_the_worst_layer_and_class() -> None:
    cures = failed(metric_drop=0.5, worst_class_drop=0.5, float_ops=1)
    assert "conv_2" in str(cures["metric_drop"])
    assert "7" in str(cures["worst_class_drop"])
    assert "CAST (cast_1 computes in float32)" in str(cures["float_ops"])
    assert "manifest" not in str(cures["float_ops"])  # nothing was published


def test_a_file_that_is_as_good_as_a_constant_fails_and_says_which() -> None:
    cures = failed(metrics={"accuracy": 0.2}, skill_ci95=(-0.01, 0.02))
    assert "the most frequent class has accuracy 0.2000, the file 0.2000" in str(
        cures["gain_over_trivial"]
    )
    assert "0 is guessing" in str(cures["skill_lower"])
    ranked = failed(metrics={"accuracy": 0.2, "auc": 0.996})
    assert "task_metric: auc" in str(ranked["gain_over_trivial"])


@given(st.floats(0.01, 1), st.floats(0.01, 1))
def test_an_error_gains_by_being_lower(own: float, naive: float) -> None:
    file = evidence(
        task="forecasting", metrics={"relative_mae": own}, trivial={"no change": naive, "x": 9.0}
    )
    row = judge_one("gain_over_trivial", 0.0, file)
    assert row.passed == (own < naive and row.value > ROUNDING)


def test_a_class_without_predictions_fails_unless_it_is_allowed() -> None:
    missing = {"a": "it is never predicted", "b": "no sample has this class"}
    row = judge_one("missing_classes", 0, evidence(missing_classes=missing))
    assert not row.passed
    assert row.value == 2
    assert "a: it is never predicted" in str(row.remediation)
    some = judge_one("missing_classes", 0, evidence(missing_classes=missing, allowed=("a",)))
    assert some.value == 1
    assert "gate.missing_classes: [b]" in str(some.remediation)
    none = judge_one("missing_classes", 0, evidence(missing_classes=missing, allowed=("a", "b")))
    assert none.passed
    assert judge({"missing_classes": 0}, evidence(missing_classes=None)) == []


def test_names_that_are_no_class_are_refused() -> None:
    check_class_names(["a"], ["a", "b"])
    with pytest.raises(ConfigError, match="no class is called bd; the classes are a, b"):
        check_class_names(["bd"], ["a", "b"])


@pytest.mark.parametrize("name", list(LIMITS))
def test_a_gate_that_is_not_asked_or_not_measured_says_nothing(name: str) -> None:
    assert judge({name: None}, evidence()) == []
    assert judge({"robust_drop": 0.0}, evidence()) == []


def test_robust_drop_is_float_less_file() -> None:
    audit = audit_of({NAME: {"robust_accuracy": 0.6, "is_full": False}})
    read = GATES["robust_drop"].read
    assert read(evidence(audit=audit)) == pytest.approx(0.1)
    assert read(evidence(audit=audit, name="b.tflite")) is None
    assert read(evidence()) is None


def test_one_sample_in_twenty_is_at_a_limit_of_a_twentieth() -> None:
    drop = 1.0 - 19 / 20
    assert drop > 0.05
    assert failed(worst_class_drop=drop) == {}
    assert set(failed(worst_class_drop=0.0501)) == {"worst_class_drop"}


def group(loss: float) -> dict[str, Any]:
    metrics = {"reference": {"accuracy": 0.9}, "int8": {"accuracy": 0.9 - loss}}
    return {"column": "who", "values": {"anna": {"samples": 3, "metrics": metrics}}}


def placed(loss: float) -> dict[str, Any]:
    """Return what a threshold gives: F1 is by so much lower in int8."""
    of = {"precision": 0.5, "recall": 0.5}
    models = {"reference": of | {"f1": 0.5}, "int8": of | {"f1": 0.5 - loss}}
    return {"positive": "yes", "threshold": 0.1, "models": models}


@pytest.mark.parametrize(
    ("name", "limit", "passes", "fails"),
    [
        ("metric_drop_upper", 0.02, {"metric_drop_ci95": [0, 0.02]}, {"metric_drop_ci95": [0, 1]}),
        ("worst_group_drop", 0.02, {"groups": group(0.0)}, {"groups": group(0.03)}),
        ("decision_drop", 0.02, {"decision": placed(0.02)}, {"decision": placed(0.021)}),
        ("output_sqnr_db", 30.0, {"output_sqnr_db": 30.0}, {"output_sqnr_db": 29.0}),
        (
            "min_recording_auc", 0.85,
            {"metrics": {"accuracy": 0.9, "recording_auc": 0.85}},
            {"metrics": {"accuracy": 0.9, "recording_auc": 0.84}},
        ),
        ("calibration_error", 0.05, {"calibration_error": 0.04}, {"calibration_error": 0.06}),
        ("latency_ms", 2.0, {"latencies": (1.0, 2.0)}, {"latencies": (1.0, 2.1)}),
        (
            "arena_bytes", 5000,
            {}, {"runtimes": {"litert": LITERT, "tflite-micro": MICRO | {"arena_bytes": 5001}}},
        ),
        (
            "max_runtime_disagreement", 2,
            {"runtimes": {"litert": LITERT, "tflite-micro": MICRO | {"disagreements": 2}}},
            {"runtimes": {"litert": LITERT, "tflite-micro": MICRO | {"disagreements": 3}}},
        ),
        ("min_metric", 0.9, {}, {"metrics": {"accuracy": 0.89}}),
    ],
)  # fmt: skip
def test_gates_that_are_asked_for_hold_on_one_side(
    name: str, limit: float, passes: dict[str, Any], fails: dict[str, Any]
) -> None:
    good, bad = (judge_one(name, limit, evidence(**given)) for given in (passes, fails))
    assert (good.passed, bad.passed) == (True, False)
    assert good.remediation is None
    assert bad.remediation
    assert bad.direction == GATES[name].direction


@pytest.mark.parametrize(
    ("name", "drop", "worst"),
    [("classification", 0.2, "anna"), ("forecasting", 0.1 / 0.8, "bert")],  # an error: relative
)
def test_the_group_that_loses_most_is_found(name: str, drop: float, worst: str) -> None:
    task = TASKS[name]
    values = {
        "anna": {
            "samples": 3,
            "metrics": {"reference": {task.metric: 0.9}, "int8": {task.metric: 0.7}},
        },
        "bert": {
            "samples": 3,
            "metrics": {"reference": {task.metric: 0.8}, "int8": {task.metric: 0.9}},
        },
    }
    file = evidence(task=name, groups={"column": "who", "values": values})
    assert file.worst_group == (worst, pytest.approx(drop))
    assert evidence(task=name).worst_group is None


@given(st.floats(0, 1), st.integers(1, 100_000))
def test_one_decision_may_always_change_and_no_more_than_the_share(
    share: float, samples: int
) -> None:
    allowed = allowed_changes(share, samples)
    assert allowed == 1 or allowed <= share * samples < allowed + 1


def test_the_runtime_that_decides_otherwise_is_named() -> None:
    rows = {
        "litert": LITERT,
        "litert-builtin": LITERT | {"kernels": "builtin", "disagreements": 2, "max_abs_lsb": 4},
        "tflite-micro": MICRO | {"disagreements": 7, "max_abs_lsb": 9},
    }
    row = judge_one("max_runtime_disagreement", 1, evidence(runtimes=rows))
    assert not row.passed
    assert row.value == 7
    words = "tflite-micro (reference kernels) decides 7 of 300 samples differently"
    assert words in str(row.remediation)
    assert "9 LSB" in str(row.remediation)


def test_an_arena_that_was_asked_for_and_not_measured_fails_with_the_reason() -> None:
    skipped = ({"item": f"{NAME} on tflite-micro", "reason": "no operation GELU"},)
    unknown = evidence(runtimes={"litert": LITERT}, skipped=skipped)
    row = judge_one("arena_bytes", 9000, unknown)
    assert (row.passed, row.value) == (False, None)
    assert "no operation GELU" in str(row.remediation)
    assert "not asked" in evidence(runtimes={"litert": LITERT}).no_arena
    assert judge({"arena_bytes": None}, unknown) == []


def check(on: str, passed: bool) -> dict[str, object]:
    row = {"name": "an unbounded attack always succeeds", "on": on, "passed": passed}
    return row | {"value": 0.4, "limit": 0.02, "meaning": "accuracy where any input may be made"}


def test_a_check_that_fails_is_a_gate_that_fails_and_is_named() -> None:
    full = {"robust_drop_ci95": [-0.01, 0.03]}
    checks = [check("reference", True), check("file", False)]
    audit = audit_of({NAME: full, "b.tflite": {"is_full": False}}, checks)
    assert len(evidence(audit=audit).failed_checks or ()) == 1
    assert evidence(audit=audit, name="b.tflite").failed_checks == []
    assert evidence().failed_checks is None
    (row,) = judge({}, evidence(audit=audit))
    assert not row.passed
    assert "an unbounded attack always succeeds" in str(row.remediation)
    assert "accuracy where any input may be made" in str(row.remediation)
    assert judge({}, evidence()) == []


def test_the_interval_of_the_robust_drop_can_be_asked() -> None:
    file = evidence(audit=audit_of({NAME: {"robust_drop_ci95": [-0.01, 0.03]}}))
    row, checks = judge({"robust_drop_upper": 0.01}, file)
    assert checks.passed
    assert row.value == 0.03
    assert not row.passed
    assert "audit.samples" in str(row.remediation)


def test_a_c_library_that_decides_otherwise_fails_and_is_our_bug() -> None:
    row = {"file": "model.tflite", "compiler": "cc 12", "samples": 300, "inputs": {"x": 1.0}}
    for wrong in (0, 1):
        file = evidence()
        code = DeviceCode.model_validate(row | {"file": file.entry["file"], "disagreements": wrong})
        file = replace(file, parity=file.parity.model_copy(update={"device_code": code}))
        judged = judge_one("device_code", 0, file)
        assert judged.passed == (wrong == 0)
        assert ("cc 12" in str(judged.remediation)) == (wrong == 1)
    assert "device_code" not in {one.name for one in judge(LIMITS, evidence())}
