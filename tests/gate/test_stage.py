"""The gate stage on made-up documents: what the runtimes say decides, and is told by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Inputs, write_json
from pipeline.config.schema import Config
from pipeline.documents.audit import Audit
from pipeline.errors import ConfigError, GateError
from pipeline.gate.stage import run
from pipeline.run_summary import check_verdict
from tests.documents.audit import audit_of
from tests.gate.test_gates import PLAIN, SKILLED

FILE = "model_int8.tflite"
PARITY = {
    "metric_drop": 0.0, "metric_drop_ci95": [0.0, 0.0], "agreement": 1.0, "output_sqnr_db": 40.0,
    "calibration_error": 0.02, "worst_class_drop": 0.0, "worst_class": "a", "worst_layer": None,
}  # fmt: skip
METRICS = {"accuracy": 0.93}
FIRST = {
    "version": "2", "kernels": "xnnpack", "agreement": 1.0, "disagreements": 0, "max_abs_lsb": 0,
    "arena_bytes": None,
}  # fmt: skip
MICRO = FIRST | {"kernels": "reference", "max_abs_lsb": 4, "arena_bytes": 5000}
ASKED = ("verify.runtimes=[litert, tflite-micro]", "gate.arena_bytes=5000")


@pytest.fixture
def judged(tmp_path: Path, make_config: Callable[..., Config]) -> Callable[..., None]:
    """Return a function that judges a file by its rows of runtimes, as `bundle` does."""

    def judge(
        micro: dict[str, Any] | None,
        *overrides: str,
        samples: int = 400,
        audit: Audit | None = None,
    ) -> None:
        runtimes = {"litert": FIRST} | ({} if micro is None else {"tflite-micro": micro})
        entry = {"format": "int8", "file": FILE, "bytes": 9, "float_ops_left": []}
        files = {"ships": "int8", "targets": [], "files": [entry]}
        skipped = {"item": f"{FILE} on tflite-micro", "reason": "no operation GELU"}
        row = {"format": "int8", "parity": PARITY, "runtimes": runtimes, "metrics": METRICS}
        row |= SKILLED
        parity = PLAIN | {"samples": samples, "skipped": [skipped], "files": {FILE: row}}
        write_json(tmp_path / "files.json", files)
        write_json(tmp_path / "parity.json", parity | {"groups": None})
        folders = {"files": tmp_path, "parity": tmp_path}
        if audit is not None:
            audit.write(tmp_path / "audit.json")
            folders["audit"] = tmp_path
        inputs = Inputs(folders, tmp_path, tmp_path)
        run(make_config(*overrides), inputs, tmp_path)
        check_verdict(tmp_path / "verdict.json")

    return judge


def test_what_holds_ships(judged: Callable[..., None]) -> None:
    judged(None)
    judged(MICRO | {"disagreements": 2}, *ASKED)
    judged(MICRO | {"disagreements": 1}, *ASKED, samples=10)
    judged(MICRO | {"disagreements": 99}, "gate.max_runtime_disagreement=null")


def test_a_runtime_that_decides_otherwise_stops_the_export(judged: Callable[..., None]) -> None:
    words = r"int8 max_runtime_disagreement is 3, the limit is 2\. tflite-micro .* 3 of 400 samples"
    with pytest.raises(GateError, match=words):
        judged(MICRO | {"disagreements": 3})


def test_an_arena_that_is_too_large_or_unknown_stops_the_export(
    judged: Callable[..., None],
) -> None:
    with pytest.raises(GateError, match="int8 arena_bytes is 5008, the limit is 5000"):
        judged(MICRO | {"arena_bytes": 5008}, *ASKED)
    with pytest.raises(GateError, match=r"arena_bytes is not measured, .* no operation GELU"):
        judged(None, *ASKED)


def audit(*, passed: bool) -> Audit:
    check = {
        "name": "an unbounded attack always succeeds", "on": "file", "value": 0.3, "limit": 0.02,
        "passed": passed, "meaning": "accuracy where any input may be made",
    }  # fmt: skip
    return audit_of({FILE: {"robust_drop_ci95": [-0.01, 0.03]}}, [check])


def test_an_attack_that_is_not_sound_stops_the_export(judged: Callable[..., None]) -> None:
    judged(None, audit=audit(passed=True))
    words = r"audit_checks is 1, the limit is 0\. .*unbounded attack always succeeds \(file: 0\.3"
    with pytest.raises(GateError, match=words):
        judged(None, "gate.robust_drop=null", audit=audit(passed=False))
    with pytest.raises(GateError, match=r"robust_drop_upper is 0\.03"):
        judged(None, "gate.robust_drop_upper=0.01", audit=audit(passed=True))


def test_a_file_that_is_not_good_enough_does_not_ship(judged: Callable[..., None]) -> None:
    judged(None, "gate.min_metric=0.93")
    with pytest.raises(GateError, match=r"(?s)min_metric.*0\.93.*advice"):
        judged(None, "gate.min_metric=0.94")
    with pytest.raises(ConfigError, match="wanted min_metric"):
        judged(None, "gate.max_error=0.1")


def test_robust_accuracy_has_a_least(judged: Callable[..., None]) -> None:
    found = audit(passed=True)
    reached = found.files[FILE].robust_accuracy
    judged(None, f"gate.min_robust_accuracy={reached}", audit=found)
    with pytest.raises(GateError, match="min_robust_accuracy"):
        judged(None, f"gate.min_robust_accuracy={reached + 0.01}", audit=found)
    with pytest.raises(ConfigError, match="audit is null"):
        judged(None, "gate.min_robust_accuracy=0.5", "audit=null")
