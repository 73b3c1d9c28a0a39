"""Every runtime runs the small models: kernels a few steps apart, arenas, what cannot be run."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from pipeline.arrays import only
from pipeline.device.measure import RunResult, run_file
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.verify.runtimes import run_everywhere
from tests.conftest import model_settings
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import TABLE, Made, make

LSB = 3  # kernels differ by up to this on the small models here
FINE_LSB = 16  # of 65,536 steps
GELU = TABLE | {"model": model_settings(kind="mlp", units=[8], activation="gelu")}
SERIES = {
    "inputs": [{"name": "series", "shape": [12, 3], "dtype": "float32"}],
    "output": {"task": "classification", "units": 4},
    "model": model_settings(kind="rnn", cell="lstm", units=[8]),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    spec = TABLE | {"model": model_settings(kind="mlp", units=[512, 512])}
    return make(spec, tmp_path_factory.mktemp("large") / "model", uneven=0.01)


def ask(name: str) -> None:
    """Skip the test where a runtime is not installed."""
    if (reason := why_missing(name)) is not None:
        pytest.skip(reason)


def answers(made: Made, name: str, form: str = "int8") -> RunResult:
    shown: dict[str, Any] = {"preprocess": preprocess_of([]), "raw": made.inputs, "prepared": True}
    return run_file(made.file(form), runtime=name, **shown)


@pytest.mark.parametrize("name", ["litert-builtin", "tflite-runtime", "tflite-micro"])
@pytest.mark.parametrize("model", ["cnn", "two", "words"])
def test_other_kernels_differ_by_a_few_steps(
    models: dict[str, Made], name: str, model: str
) -> None:
    ask(name)
    first, other = answers(models[model], "litert"), answers(models[model], name)
    apart = np.abs(only(other.raw_outputs).astype(int) - only(first.raw_outputs))
    assert apart.max() <= LSB
    assert (other.arena_bytes is None) == (name != "tflite-micro")


def test_kernels_of_one_class_give_the_same_bits(models: dict[str, Made]) -> None:
    ask("tflite-runtime")
    assert RUNTIMES["tflite-runtime"].kernels == RUNTIMES["litert-builtin"].kernels
    for name in ("cnn", "strided", "two"):
        found = [
            only(answers(models[name], n).raw_outputs) for n in ("litert-builtin", "tflite-runtime")
        ]
        np.testing.assert_array_equal(*found)


def test_sixteen_bits_and_floats_run_on_microcontrollers(models: dict[str, Made]) -> None:
    ask("tflite-micro")
    for form, far in (("float32", 1e-5), ("int16x8", FINE_LSB)):
        first, other = (answers(models["cnn"], n, form) for n in ("litert", "tflite-micro"))
        apart = np.abs(only(other.raw_outputs).astype(np.float64) - only(first.raw_outputs))
        assert apart.max() <= far


def test_the_arena_grows_with_the_activations_and_is_the_same_each_time(
    models: dict[str, Made],
) -> None:
    ask("tflite-micro")
    small, large = (answers(models[n], "tflite-micro").arena_bytes for n in ("table", "cnn"))
    assert small is not None
    assert large is not None
    assert large > small > 30 + 8
    assert large > 12 * 12 + 10 * 10 * 4  # input and output of the first layer live at once
    assert large == answers(models["cnn"], "tflite-micro").arena_bytes


def test_an_arena_of_that_size_is_enough_and_less_is_not(models: dict[str, Made]) -> None:
    ask("tflite-micro")
    file = models["cnn"].file("int8")
    code = (
        "import sys; from tflite_micro.python.tflite_micro import runtime as r;"
        "r.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2])).invoke()"
    )
    size = answers(models["cnn"], "tflite-micro").arena_bytes
    assert size is not None
    ended = [
        subprocess.run(
            [RUNTIMES["tflite-micro"].python, "-c", code, file, str(bytes_)],
            capture_output=True,
            check=False,
        ).returncode
        for bytes_ in (size, size - 32)
    ]
    assert ended[0] == 0
    assert ended[1] != 0


@pytest.mark.parametrize("form", ["int8", "int16x8", "dynamic"])
def test_large_weights_lie_where_a_microcontroller_finds_them(large: Made, form: str) -> None:
    """ai-edge-quantizer leaves those of large models behind the flatbuffer."""
    file = large.file(form)
    packed = flatbuffer_utils.convert_bytearray_to_object(bytearray(file.read_bytes()))
    assert not [buffer.offset for buffer in packed.buffers if buffer.offset]
    first = answers(large, "litert", form)
    assert np.abs(only(first.outputs) - large.reference).mean() < 0.05
    if form != "dynamic" and why_missing("tflite-micro") is None:
        other = answers(large, "tflite-micro", form)
        assert np.abs(only(other.outputs) - only(first.outputs)).max() < 0.05
        assert other.arena_bytes is not None
        assert other.arena_bytes < 512 * 512  # the weights are not in it


@pytest.mark.slow
def test_a_state_does_not_leak_from_sample_to_sample(tmp_path: Path) -> None:
    ask("tflite-micro")
    made = make(SERIES, tmp_path / "lstm", uneven=0.02)
    shown: dict[str, Any] = {"preprocess": preprocess_of([]), "prepared": True}
    file = made.file("int8", quantizer="converter")
    turned = {name: x[::-1] for name, x in made.inputs.items()}
    whole, again = (
        only(run_file(file, raw=raw, runtime="tflite-micro", **shown).raw_outputs)
        for raw in (made.inputs, turned)
    )
    np.testing.assert_array_equal(whole, again[::-1])


def test_what_cannot_be_run_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("tflite-micro")
    made = make(GELU, tmp_path / "gelu")
    prepared = preprocess_of([])
    monkeypatch.setattr(
        "pipeline.verify.runtimes.run_file",
        lambda *a, **k: run_file(*a, **k, prepared=True),
    )
    held: Any = SimpleNamespace(dataset=SimpleNamespace(preprocess=prepared), raw=made.inputs)
    reasons = []
    for form in ("int8", "float16", "dynamic"):
        skipped: dict[str, str] = {}
        found = run_everywhere(
            made.file("int8"), form, held, runtimes=("tflite-micro",), skipped=skipped
        )
        assert list(found) == ["litert"]
        reasons += skipped.values()
    int8, float16, dynamic = reasons
    assert int8 == "cannot be run on tflite-micro: tflite-micro has no operation GELU"
    assert "16-bit floats" in float16
    assert "floats by integer weights" in dynamic
