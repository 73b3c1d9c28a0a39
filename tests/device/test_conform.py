"""Golden vectors elsewhere: what conforms, what does not, and what is said about it."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cli
from pipeline.device import conform_code
from pipeline.device.compiled import compile_library, find_compiler
from pipeline.device.golden import MOST_SHARE, Finding, Golden, judge
from pipeline.device.runtimes import why_missing
from pipeline.documents.manifest import ModelFile
from pipeline.tasks.task import allowed_changes
from tests.device.tiny import document, seal, write_bundle
from tests.documents.manifests import fill_model

MODEL = {
    "format": "int8", "file": "model_int8.tflite", "float_ops_left": [],
    "output": {"dtype": "int8", "scale": 0.1, "zero_point": -5},
}  # fmt: skip
VALUE = {"labels": None, "target": {"offset": 4.0, "scale": 2.0}}
seeds = st.integers(0, 10_000)


def as_row(**changes: Any) -> ModelFile:
    return ModelFile.model_validate(fill_model(MODEL | changes))


def judged(
    found: np.ndarray, expected: np.ndarray, model: ModelFile, *, golden: Golden, runtime: str
) -> Finding:
    """Return how the only output did."""
    name = model.output.name
    return judge({name: found}, {name: expected}, model, golden=golden, runtime=runtime)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("conform") / "tiny")


def golden(samples: int, **changes: Any) -> Golden:
    return Golden({"x": np.zeros((samples, 4), np.float32)}, document(**changes))


def answers(seed: int, samples: int = 16, classes: int = 3) -> np.ndarray:
    """Return int8 answers whose first class is always ahead by 40 steps at least."""
    made = np.random.default_rng(seed).integers(-100, 40, (samples, classes)).astype(np.int8)
    made[:, 0] = 80
    return made


@given(seed=seeds, copies=st.integers(1, 4))
def test_the_same_answers_conform_on_every_kernel(seed: int, copies: int) -> None:
    wanted = answers(seed)
    for runtime in ("litert", "browser", "tflite-runtime", "something new"):
        found = judged(
            np.concatenate([wanted] * copies), wanted, as_row(), golden=golden(16), runtime=runtime
        )
        assert (found.differ, found.distance, found.problem) == (0, 0, None)


@given(seed=seeds, place=st.integers(0, 47))
def test_one_step_is_too_much_inside_a_class_and_fine_across(seed: int, place: int) -> None:
    wanted = answers(seed)
    found = wanted.copy()
    found.ravel()[place] += 1
    inside = judged(found, wanted, as_row(), golden=golden(16), runtime="litert")
    assert inside.distance == 1
    assert "1 LSB" in str(inside.problem)
    assert (
        judged(found, wanted, as_row(), golden=golden(16), runtime="tflite-runtime").problem is None
    )
    with_float = as_row(float_ops_left=[{"op": "NEG", "why": "kept"}])
    assert judged(found, wanted, with_float, golden=golden(16), runtime="litert").problem is None


@given(seed=seeds, changed=st.integers(0, 16), samples=st.sampled_from([16, 400, 1000]))
def test_across_classes_one_decision_or_half_a_percent_may_differ(
    seed: int, changed: int, samples: int
) -> None:
    wanted = answers(seed, samples)
    found = wanted.copy()
    found[:changed, 1] = 120
    row = judged(found, wanted, as_row(), golden=golden(samples), runtime="tflite-micro")
    assert row.differ == changed
    assert (row.problem is None) == (changed <= max(1, samples / 200))
    assert allowed_changes(MOST_SHARE, samples) == max(1, samples // 200)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (np.zeros((16, 2), np.int8), "wanted int8"),
        (np.zeros((16, 3), np.float32), "wanted int8"),
        (np.zeros((0, 3), np.int8), "wanted int8"),
        (np.zeros((17, 3), np.int8), "wanted int8"),
    ],
)
def test_answers_of_another_form_are_told(found: np.ndarray, words: str) -> None:
    row = judged(found, answers(0), as_row(), golden=golden(16), runtime="litert")
    assert words in str(row.problem)


def test_equal_inputs_want_equal_answers() -> None:
    wanted = answers(0)
    other = wanted.copy()
    other[3, 1] -= 1
    found = np.concatenate([wanted, other])
    row = judged(found, wanted, as_row(), golden=golden(16), runtime="tflite-runtime")
    assert row.problem == "equal inputs get different outputs"


def test_not_a_number_never_conforms() -> None:
    model = as_row(format="float32", output={"scale": None, "zero_point": None})
    wanted = answers(0).astype(np.float32)
    found = wanted.copy()
    found[5] = math.nan
    for runtime in ("litert", "tflite-runtime"):
        assert "NaN" in str(
            judged(found, wanted, model, golden=golden(16), runtime=runtime).problem
        )


@given(apart=st.integers(0, 9), scale=st.sampled_from([0.5, 0.01]))
def test_values_are_one_decision_within_a_step_or_the_agreement(apart: int, scale: float) -> None:
    model = as_row(output={"scale": scale, "zero_point": 0})
    wanted = np.zeros((16, 1), np.int8)
    found = wanted + np.int8(apart)
    row = judged(found, wanted, model, golden=golden(16, **VALUE), runtime="tflite-runtime")
    assert (row.differ == 0) == (apart <= 1 or apart * scale <= 0.01 * 3.29)


@given(seed=seeds)
def test_a_detector_decides_by_how_far_its_answer_is_from_the_input(seed: int) -> None:
    anomaly = {"score": "reconstruction", "threshold": 1.0}
    samples = golden(16, labels=["normal", "anomalous"], anomaly=anomaly)
    model = as_row(output={"scale": 0.5, "zero_point": 0})
    near = np.random.default_rng(seed).integers(-1, 2, (16, 4)).astype(np.int8)
    far = near.copy()
    far[:3] = 100
    found = judged(far, near, model, golden=samples, runtime="tflite-micro")
    assert (found.differ, found.problem is None) == (3, False)
    moved = near + (near < 1).astype(np.int8)
    assert judged(moved, near, model, golden=samples, runtime="tflite-micro").problem is None


def test_to_abstain_is_a_decision() -> None:
    rule = {"temperature": 1.0, "threshold": 0.4}
    wanted, found = np.full((16, 3), -128, np.int8), np.full((16, 3), -128, np.int8)
    wanted[:, 0], found[:, 0] = 0, 0
    found[:2, 1] = -1  # as likely as the first: nobody knows
    model = as_row(output={"scale": 1 / 256, "zero_point": -128})
    plain = judged(found, wanted, model, golden=golden(16), runtime="tflite-micro")
    careful = golden(16, abstain={"int8": rule})
    assert plain.differ == 0
    assert judged(found, wanted, model, golden=careful, runtime="tflite-micro").differ == 2


def edgeline(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["conform", *words])
    captured = capsys.readouterr()
    told = [line for line in captured.err.splitlines() if not line.endswith(".tflite ran")]
    return code, captured.out, "\n".join(told)


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_a_bundle_conforms_here(
    runtime: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if why_missing(runtime) is not None:
        pytest.skip(str(why_missing(runtime)))
    code, out, err = edgeline(capsys, str(bundle), "--runtime", runtime)
    assert (code, err) == (0, ""), (out, err)
    lines = out.splitlines()
    assert lines[0].startswith(f"tiny by {runtime} ")
    assert [line.split()[0] for line in lines[4:-1]] == ["float32", "int8", "int16x8"]
    assert [line.split()[1] for line in lines[4:-1]] == ["0"] * 3
    assert lines[-1] == "conforms"


needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")


@needs_compiler
def test_a_bundle_conforms_between_its_c_library(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = edgeline(capsys, str(bundle), "--runtime", "c")
    assert (code, err) == (0, ""), (out, err)
    lines = out.splitlines()
    assert "between C by " in lines[0]
    assert [line.split()[:2] for line in lines[4:-1]] == [["int8", "0"]]
    code, _, err = edgeline(capsys, str(bundle), "--runtime", "c", "--format", "float32")
    assert code == 2
    assert "the C library is of the shipped int8" in err


@needs_compiler
def test_another_c_library_is_not_tested_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "tiny")
    source = bundle / "device/tiny.c"
    source.write_text(source.read_text().replace("rintf", "floorf"))
    seal(bundle, json.loads((bundle / "manifest.json").read_text()))
    code, _, err = edgeline(capsys, str(bundle), "--runtime", "c")
    assert code == 4
    assert "device/tiny.c: not the C library of this version" in err


@needs_compiler
def test_a_c_library_that_decides_otherwise_leaves_with_3(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def floored(folder: Path, *arguments: Any, **named: Any) -> Path:
        program = compile_library(folder, *arguments, **named)
        source = (folder / "tiny.c").read_text()
        (folder / "tiny.c").write_text(source.replace("rintf", "floorf"))
        command = [str(find_compiler()), "-o", "check", "check.c", "tiny.c", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        return program

    monkeypatch.setattr(conform_code, "compile_library", floored)
    code, out, err = edgeline(capsys, str(bundle), "--runtime", "c")
    assert code == 3
    assert "conforms" not in out
    assert "golden samples differ in C from run_on_device.py" in err


def test_wrong_golden_answers_leave_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "tiny")
    with np.load(bundle / "golden.npz") as stored:
        arrays = dict(stored)
    arrays["int8"] = arrays["int8"] + np.eye(16, 3, dtype=np.int8)
    np.savez(bundle / "golden.npz", **arrays)
    manifest = json.loads((bundle / "manifest.json").read_text())
    seal(bundle, manifest)
    code, out, err = edgeline(capsys, str(bundle))
    assert code == 3
    assert "conforms" not in out
    first, last = err.splitlines()
    assert first.startswith("int8: outputs differ by 1 LSB")
    assert last.startswith(f"{bundle} does not conform")
    assert edgeline(capsys, str(bundle), "--format", "float32")[0] == 0


def test_a_changed_file_leaves_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "tiny")
    (bundle / "golden.npz").write_bytes(b"other")
    code, _, err = edgeline(capsys, str(bundle))
    assert code == 4
    assert "golden.npz: its sha256 is not the one" in err
    assert edgeline(capsys, str(tmp_path))[0] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "int4"], "there are float32, int8, int16x8"),
        (["--runtime", "browsr"], "did you mean 'browser'?"),
        (["--device", "pi@board"], "wanted ssh://user@host:port"),
    ],
)
def test_wrong_arguments_leave_with_2(
    words: list[str], message: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = edgeline(capsys, str(bundle), *words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_runtime_and_device_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["conform", "x", "--runtime", "litert", "--device", "ssh://pi@board"])
    assert left.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_conform_loads_neither_the_config_nor_a_compiler() -> None:
    words = "import sys, pipeline.device.conform; print(*sys.modules)"
    command = [sys.executable, "-c", words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"pipeline.config.schema", "pipeline.device.compiled"} & set(done.stdout.split())
