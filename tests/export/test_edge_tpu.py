"""The Edge TPU: its rules where the compiler is missing, else the compiler's report."""

from pathlib import Path

import pytest

from pipeline.documents.files import TargetFile
from pipeline.errors import ConversionError
from pipeline.export import compilers
from pipeline.export.inspect import operations
from pipeline.targets import edge_tpu
from pipeline.targets.compiler import Operation
from pipeline.targets.placement import broken_rule, place
from pipeline.targets.registry import TARGETS
from tests.export.conftest import Made

REPORT = """Edge TPU Compiler version 16.0.384591198
Model compiled successfully in 42 ms.
Number of Edge TPU subgraphs: 1
Total number of operations: 9
"""


def operation(
    name: str = "CONV_2D", kind: str = "int8", shape: tuple[int, ...] = (1, 8, 8, 4)
) -> Operation:
    return Operation(name, (kind,), (kind,), (shape,), "x")


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (operation("NEG"), "no such operation"),
        (operation(kind="float32"), "computes in float32"),
        (operation(kind="int16"), "computes in int16"),
        (operation(shape=(2, 8, 8, 4)), "three innermost"),
        (operation(shape=(1, -1, 8, 4)), "no constant size"),
    ],
)
def test_a_broken_rule_is_named(op: Operation, words: str) -> None:
    assert words in str(broken_rule(op, "coral-edgetpu"))


def test_what_comes_after_the_first_broken_rule_runs_on_the_cpu() -> None:
    ops = [operation(), operation("NEG"), operation()]
    placed = place(ops, "coral-edgetpu")
    assert [row.where for row in placed] == ["npu", "cpu", "cpu"]
    assert [row.why is None for row in placed] == [True, False, True]


def fake_compiler(folder: Path, report: str, *, writes: bool) -> None:
    """Put an edgetpu_compiler on PATH that reports so: `-s -o FOLDER FILE`."""
    made = 'printf made > "$3/$(basename "$4" .tflite)_edgetpu.tflite"' if writes else ":"
    script = folder / "edgetpu_compiler"
    script.write_text(f"#!/bin/sh\n{made}\ncat <<'END'\n{report}END\n")
    script.chmod(0o755)


def compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[TargetFile, dict[str, str]]:
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    source = folder / "model_int8.tflite"
    source.write_bytes(b"x")
    skipped: dict[str, str] = {}
    return compilers.compile_for("coral-edgetpu", source, folder, skipped=skipped), skipped


def test_the_report_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(tmp_path, REPORT, writes=True)
    row, skipped = compiled(tmp_path, monkeypatch)
    assert (row.npu_ops, row.cpu_ops) == (9, 0)
    assert row.file == "model_int8_coral-edgetpu.tflite"
    assert (tmp_path / row.file).read_text() == "made"
    assert "16.0" in row.compiler_version
    assert not skipped


def test_operations_left_on_the_cpu_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partly = "Number of operations that will run on CPU: 3\n"
    fake_compiler(tmp_path, REPORT + partly, writes=True)
    row, _ = compiled(tmp_path, monkeypatch)
    assert (row.npu_ops, row.cpu_ops) == (6, 3)


def test_a_refusal_is_skipped_with_what_the_compiler_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_compiler(tmp_path, "Compilation failed!\n", writes=False)
    row, skipped = compiled(tmp_path, monkeypatch)
    assert row.file is None
    assert "Compilation failed!" in skipped["model_int8_coral-edgetpu.tflite"]


def test_without_the_compiler_the_rules_answer(
    models: dict[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    skipped: dict[str, str] = {}
    row = compilers.compile_for(
        "coral-edgetpu", models["cnn"].file("int8"), tmp_path, skipped=skipped
    )
    assert row.file is None
    count = len(operations(models["cnn"].file("int8")))
    reason = skipped["model_int8_coral-edgetpu.tflite"]
    assert f"{count} operations would run on the NPU, 0 on the CPU" in reason


def test_a_missing_int8_file_is_a_reason(tmp_path: Path) -> None:
    skipped: dict[str, str] = {}
    row = compilers.compile_for("ethos-u55-128", tmp_path / "no.tflite", tmp_path, skipped=skipped)
    assert row.file is None
    assert "was not made" in skipped["model_int8_ethos-u55-128.tflite"]


def test_a_timeout_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(tmp_path, REPORT, writes=True)
    script = tmp_path / "edgetpu_compiler"
    script.write_text("#!/bin/sh\nexec sleep 5\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(edge_tpu, "TIME_LIMIT", 0.2)
    files = tmp_path / "x.tflite", tmp_path / "y.tflite"
    with pytest.raises(ConversionError, match="did not finish"):
        edge_tpu.compile_file(*files, name="coral-edgetpu", target=TARGETS["coral-edgetpu"])
