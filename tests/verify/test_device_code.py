"""The C library against Python, as `verify` measures it: nothing differs, or it is counted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import Array
from pipeline.device import code_parity
from pipeline.device.code_parity import compare_library
from pipeline.device.compiled import compile_library, find_compiler
from pipeline.documents.preprocess import Preprocess
from pipeline.verify import device_code
from pipeline.verify.device_code import measure_device_code
from tests.device_code.cases import CASES, Case
from tests.device_code.test_library import draw_outputs

COUNT = 300
GOOD = ["table_refuses", "series_squeezed", "forecast", "anomaly", "image_detector", "sound"]
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")


def draw(case: Case) -> dict[str, Array]:
    """Return name -> raw samples (N, ...) that no input refuses."""
    rng = np.random.default_rng(0)
    if "image" in case.draw:
        return {"image": rng.integers(0, 256, (COUNT, 8, 9, 3)).astype(np.uint8)}
    if "sound" in case.draw:
        return {"sound": rng.integers(-9000, 9000, (COUNT, 400)).astype(np.int16)}
    (entry,) = case.preprocess.inputs
    return {entry.name: rng.normal(0, 3, (COUNT, *entry.shape)).astype(np.float32)}


def compare(case: Case, folder: Path, built_for: Preprocess | None = None) -> Any:
    document = built_for or case.preprocess
    program = compile_library(
        folder, "m", document, file=case.file, compiler=[str(find_compiler())]
    )
    has_detector = case.preprocess.detector is not None
    return compare_library(
        program, case.preprocess, draw(case), file=case.file,
        outputs=draw_outputs(case, COUNT, 1),
        unsqueezed=draw_outputs(case, COUNT, 2) if has_detector else None,
    )  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("name", GOOD)
def test_nothing_differs_where_the_library_is_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_parity, "BLOCK", 100)  # several blocks, each in its place
    found = compare(CASES[name], tmp_path)
    assert len(found.differs) == COUNT
    assert not found.differs.any()
    assert max(found.worst.values()) <= code_parity.SOUND_TOLERANCE


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "an input": ("table", {"inputs": [{"offset": [0.1, 0.1, 0.2, 0.3], "scale": [1.6] * 4}]}),
    "a refusal": ("table_refuses", {"inputs": [{"sanitize": None}]}),
    "a value": ("forecast", {"target": {"offset": 0.6, "scale": 3.25, "channel": 1, "horizon": 2}}),
    "a rule": ("table_abstains", {"abstain": None}),
    "a threshold": ("anomaly", {"anomaly": {"threshold": 1000.0}}),
    "a detector": ("image_detector", {"detector": {"int8": 0.6}}),
}


@needs_compiler
@pytest.mark.parametrize("what", WRONG)
def test_whatever_a_library_does_otherwise_is_counted(what: str, tmp_path: Path) -> None:
    name, changes = WRONG[what]
    case = CASES[name]
    told = case.preprocess.dump()
    for key, value in changes.items():
        if key == "inputs":
            told["inputs"] = [told["inputs"][0] | value[0]]
        else:
            told[key] = told[key] | value if isinstance(told[key], dict) and value else value
    found = compare(case, tmp_path, Preprocess.model_validate(told))
    assert found.differs.sum() > 0


def measure(case: Case, folder: Path, skipped: dict[str, str]) -> Any:
    held: Any = SimpleNamespace(raw=draw(case))
    entry: Any = case.file
    return measure_device_code(
        "my-model", held, folder / "model_int8.tflite", preprocess=case.preprocess, entry=entry,
        raw_outputs=draw_outputs(case, COUNT, 1), work=folder / "work", skipped=skipped,
    )  # fmt: skip


@needs_compiler
def test_the_record_says_what_was_compared(tmp_path: Path) -> None:
    skipped: dict[str, str] = {}
    row = measure(CASES["table_refuses"], tmp_path, skipped)
    assert (row.samples, row.disagreements, row.inputs) == (COUNT, 0, {"x": 0.0})
    assert row.file == "model_int8.tflite"
    assert row.compiler
    assert skipped == {}


def test_without_a_compiler_the_reason_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_code, "find_compiler", lambda: None)
    skipped: dict[str, str] = {}
    assert measure(CASES["table"], tmp_path, skipped) is None
    assert "no C compiler here" in skipped["device/"]


def test_what_the_library_cannot_do_is_noted(tmp_path: Path) -> None:
    case = CASES["table"]
    changed = case.preprocess.model_copy(update={"labels": ["one", "two"]})
    skipped: dict[str, str] = {}
    assert measure(Case(changed, case.file, case.draw), tmp_path, skipped) is None
    assert skipped == {"device/": "3 outputs for 2 classes"}
