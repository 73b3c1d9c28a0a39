"""What is said of runtimes: decisions against the first, and what may be skipped."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.device.measure import RunResult
from pipeline.errors import ArtifactError
from pipeline.tasks import TASKS
from pipeline.verify.runtimes import compare_runtimes, run_everywhere
from tests.documents.preprocess import preprocess_of
from tests.tasks.named import one


def test_an_int8_file_must_run_where_all_operations_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *a: Any, runtime: str, **k: Any) -> RunResult:
        if runtime == "litert":
            return RunResult(one(np.zeros((1, 2))), one(np.zeros((1, 2), np.int8)), "1", 0.0, None)
        raise ArtifactError(f"{path}: cannot be run on {runtime}: why")

    monkeypatch.setattr("pipeline.verify.runtimes.run_file", refuse)
    monkeypatch.setattr("pipeline.verify.runtimes.why_missing", lambda name: None)
    held: Any = SimpleNamespace(dataset=SimpleNamespace(preprocess=preprocess_of([])), raw={})
    path = tmp_path / "model_int8.tflite"
    with pytest.raises(ArtifactError, match="why"):
        run_everywhere(path, "int8", held, runtimes=("tflite-runtime",), skipped={})
    skipped: dict[str, str] = {}
    assert list(
        run_everywhere(path, "int16x8", held, runtimes=("tflite-runtime",), skipped=skipped)
    ) == ["litert"]
    assert skipped == {
        "model_int8.tflite on tflite-runtime": "cannot be run on tflite-runtime: why"
    }


def test_decisions_are_counted_against_the_first_and_lsb_of_integers_alone() -> None:
    raw = np.array([[10, 20], [30, 5], [7, 7]], np.int8)
    moved = raw + np.array([[15, 0], [0, 0], [0, 2]], np.int8)
    results = {
        "litert": RunResult(one(raw / 4.0), one(raw), "2", 0.0, None),
        "tflite-micro": RunResult(one(moved / 4.0), one(moved), "0", 0.0, 4096),
        "litert-builtin": RunResult(one(raw / 4.0), one(raw / 4.0), "2", 0.0, None),
    }
    labels, reference = one(np.array([1, 0, 1])), one(np.eye(2)[[1, 0, 1]])
    rows = compare_runtimes(TASKS["classification"], labels, reference, results=results)
    assert [row.disagreements for row in rows.values()] == [0, 2, 0]
    assert [row.max_abs_lsb for row in rows.values()] == [0, 15, None]
    assert rows["litert"].agreement == pytest.approx(2 / 3)
    assert rows["tflite-micro"].agreement == pytest.approx(2 / 3)
    assert [row.arena_bytes for row in rows.values()] == [None, 4096, None]
    kernels = [row.kernels for row in rows.values()]
    assert kernels == ["xnnpack", "reference", "builtin"]
