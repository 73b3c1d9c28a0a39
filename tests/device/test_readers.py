"""Other programs that read .tflite files: outputs are checked, and what stops them is said."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.cli import main
from pipeline.device import readers
from pipeline.device.conform import conform
from pipeline.device.measure import run_file
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.errors import ArtifactError
from pipeline.readers import side
from pipeline.readers.tosa_reader import LEFT
from tests.device.tiny import document, tflite, write_bundle

BORDERS = json.dumps([[["x", [1, 2], "int8"]], [["y", [1, 2], "int8"]]])
INSTALLED = [name for name, row in RUNTIMES.items() if row.reader not in (None, "browser")]


def run_side(folder: Path, body: str) -> tuple[int, Path]:
    """Run a reader that is `body`, a line of Python, over three samples."""
    (folder / "fake_reader.py").write_text(
        f"import numpy as np\ndef load(path, inputs, outputs):\n    {body}\n"
    )
    np.savez(folder / "in.npz", **{"0": np.arange(6, dtype=np.int8).reshape(3, 2)})
    sys.modules.pop("fake_reader", None)
    made = folder / "out.npz"
    return side.main(["fake", "m.tflite", BORDERS, str(folder / "in.npz"), str(made)]), made


def test_outputs_of_all_samples_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    code, made = run_side(tmp_path, "return lambda values: [values[0] + np.int8(1)]")
    assert code == 0
    with np.load(made) as found:
        np.testing.assert_array_equal(found["0"], np.arange(1, 7, dtype=np.int8).reshape(3, 2))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "return lambda values: [values[0].astype(np.float32)]",
            "float32 (3, 2), the file says int8",
        ),
        ("return lambda values: [values[0][:, :1]]", "int8 (3, 1), the file says int8 (3, 2)"),
        ("raise ValueError('no form  of TOPK_V2')", "error: no form of TOPK_V2"),
        ("return lambda values: []", "error: "),
    ],
)
def test_a_reader_that_fails_says_why_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    body: str,
    words: str,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    code, made = run_side(tmp_path, body)
    assert code == 4
    assert not made.exists()
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_the_compiled_model_has_the_outputs_of_the_interpreter(form: str, tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(tflite(form))
    raw = {"x": np.random.default_rng(0).normal(0, 1.5, (16, 4)).astype(np.float32)}
    wanted = run_file(file, document(), raw)
    found = run_file(file, document(), raw, runtime="compiled-model")
    np.testing.assert_array_equal(only(found.raw_outputs), only(wanted.raw_outputs))
    np.testing.assert_array_equal(only(found.outputs), only(wanted.outputs))


def test_a_file_that_it_refuses_is_one_message(tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(tflite("int16x8"))
    raw = {"x": np.zeros((1, 4), np.float32)}
    with pytest.raises(ArtifactError, match=r"cannot be run on compiled-model: .*int16"):
        run_file(file, document(), raw, runtime="compiled-model")


def test_a_reader_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "side.py"
    endless.write_text("while True: pass\n")
    monkeypatch.setattr(readers, "SIDE", endless)
    file = tmp_path / "m.tflite"
    file.write_bytes(tflite("int8"))
    given = {"x": np.zeros((1, 4), np.float32)}
    with pytest.raises(ValueError, match="did not finish within 1 s of processor time"):
        readers.run(file, given, python=Path(sys.executable), reader="compiled", limit_s=1)


def test_what_the_library_logs_is_the_reason() -> None:
    said = (
        "INFO: x\nERROR: [model_load.cc:316] Variable tensors not yet supported.\nerror: Failed\n"
    )
    assert readers.OWN.findall(said) == ["Variable tensors not yet supported."]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('  %0:2 = "tfl.topk_v2"(%arg0, %1) : (tensor<1x8xf32>)', ["topk_v2"]),
        ("    %3 = tfl.gelu %2 : tensor<4xi16>", ["gelu"]),
        ('module attributes {tfl.description = "x", tfl.schema_version = 3 : i32} {', []),
        ("    %3 = tosa.add %1, %2 : tensor<4xi8>", []),
    ],
)
def test_an_operation_that_stayed_is_found_and_an_attribute_is_none(
    text: str, left: list[str]
) -> None:
    assert LEFT.findall(text) == left


def test_a_runtime_that_is_emulated_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "tiny")
    assert main(["bench", str(bundle), "--runtime", "compiled-model"]) == 2
    assert "it is not timed here" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_bundle_conforms_on_every_reader_that_is_there(runtime: str, tmp_path: Path) -> None:
    if (reason := why_missing(runtime)) is not None:
        pytest.skip(reason)
    bundle = write_bundle(tmp_path / "tiny")
    found = conform(bundle, runtime=runtime, form="int8")
    assert not found.problems
    assert found.findings["int8"].distance <= 1
