"""Qualcomm Hexagon: rules, and what becomes of a compiler that fails, hangs or is not there."""

import sys
from pathlib import Path

import pytest

from pipeline.documents.files import TargetFile
from pipeline.errors import ConversionError
from pipeline.export.compilers import compile_for
from pipeline.readers.environment import PYTHON
from pipeline.targets import qualcomm
from pipeline.targets.compiler import Compiler, Operation
from pipeline.targets.placement import place
from pipeline.targets.registry import COMPILERS, TARGETS
from tests.device.tiny import tflite

NAME = "qualcomm-sm8750"


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, *, python: str) -> None:
    """Let the compiler be a script of ours, in a Python of the tests."""
    path = folder / "compiler.py"
    path.write_text(script)
    monkeypatch.setattr(qualcomm, "SCRIPT", path)
    monkeypatch.setattr(qualcomm, "PYTHON", Path(python))
    fields = {**vars(qualcomm.COMPILER), "python": Path(python)}
    monkeypatch.setitem(COMPILERS, "qualcomm", Compiler(**fields))


def compiled(folder: Path) -> tuple[TargetFile, dict[str, str]]:
    int8 = folder / "model_int8.tflite"
    int8.write_bytes(tflite("int8"))
    skipped: dict[str, str] = {}
    return compile_for(NAME, int8, folder, skipped=skipped), skipped


def test_a_file_is_compiled_for_the_system_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import sys, json\nopen(sys.argv[2], 'w').write(sys.argv[3])\n"
        "print(json.dumps({'npu_ops': 4, 'cpu_ops': 1, 'compiler_version': 'x 1'}))\n"
    )
    use(monkeypatch, tmp_path, script, python=sys.executable)
    row, skipped = compiled(tmp_path)
    assert not skipped
    assert (row.npu_ops, row.cpu_ops, row.compiler_version) == (4, 1, "x 1")
    assert (tmp_path / str(row.file)).read_text() == "SM8750"


def test_a_refusal_leaves_no_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys\nopen(sys.argv[2], 'w').write('half')\nsys.exit('error: no such op')\n"
    use(monkeypatch, tmp_path, script, python=sys.executable)
    row, skipped = compiled(tmp_path)
    assert row.file is None
    assert not list(tmp_path.glob("*qualcomm*"))
    assert next(iter(skipped.values())).endswith("no such op")


def test_a_compiler_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path, "while True: pass\n", python=sys.executable)
    monkeypatch.setattr(qualcomm, "LIMIT_S", 1)
    with pytest.raises(ConversionError, match="did not end within 1 s"):
        qualcomm.compile_file(
            tmp_path / "m.tflite", tmp_path / "out", name=NAME, target=TARGETS[NAME]
        )


def test_without_the_compiler_the_rules_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path, "", python=str(tmp_path / "python"))
    _, skipped = compiled(tmp_path)
    (why,) = skipped.values()
    assert "make runtimes" in why
    assert "1 operations would run on the NPU, 0 on the CPU" in why


def test_a_file_with_state_is_refused_before_training() -> None:
    op = Operation("UNIDIRECTIONAL_SEQUENCE_LSTM", ("int8",), ("int8",), ((1, 4, 4),), "x")
    (placed,) = place([op], NAME)
    assert placed.where == "cpu"
    assert "no file with state" in str(placed.why)


@pytest.mark.slow
def test_the_compiler_itself(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("make runtimes")
    row, skipped = compiled(tmp_path)
    assert not skipped
    assert (row.npu_ops, row.cpu_ops) == (1, 0)
    assert b"DISPATCH_OP" in (tmp_path / str(row.file)).read_bytes()
