"""The table of runtimes, and the words of a file that cannot be run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.device import runtimes
from pipeline.device.runtimes import RUNTIMES, Runtime, why_missing
from pipeline.ondevice.interpreter import MODULES, ModelError, convert_model_errors
from pipeline.ondevice.micro import MicroInterpreter, explain_micro_error
from pipeline.ondevice.outputs import output_details
from tests.device.tiny import tflite


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "Didn't find op for builtin opcode 'GELU'\nFailed to get registration from op code "
            "GELU\n \n",
            "tflite-micro has no operation GELU",
        ),
        (
            "tensorflow/lite/micro/kernels/concatenation.cc:156 num_inputs <= kMaxInputNum was not "
            "true.\nNode CONCATENATION (number 20) failed to prepare with status 1\n",
            "CONCATENATION (operation 20): num_inputs <= kMaxInputNum was not true",
        ),
        ("Failed to resize buffer. Requested: 9, available 8\n", "Failed to resize buffer. Re"),
        ("", ""),
    ],
)
def test_the_interpreters_words_become_a_line(said: str, words: str) -> None:
    assert explain_micro_error(said).startswith(words)
    assert "\n" not in explain_micro_error(said)
    assert ".cc" not in explain_micro_error(said)


def test_the_runner_knows_every_runtime() -> None:
    in_python = {n: r.distribution for n, r in RUNTIMES.items() if r.reader is None}
    known = {name: distribution for name, (_, distribution) in MODULES.items()}
    assert in_python.items() <= known.items()


def test_a_runtime_that_is_not_there_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtimes.version.cache_clear()
    for python in (tmp_path / "python", RUNTIMES["litert"].python):
        gone = Runtime("no-such-distribution", python, "builtin", {}, "make setup")
        monkeypatch.setitem(RUNTIMES, "gone", gone)
        assert why_missing("gone") == f"gone: not installed for {python.name} (make setup)"
        runtimes.version.cache_clear()


class OldInterpreter:
    """What tflite-micro's Python interpreter tells of a file with one input and output."""

    @classmethod
    def from_bytes(cls, content: bytes, arena_size: int) -> "OldInterpreter":
        return cls()

    def get_input_details(self, index: int) -> dict[str, Any]:
        return {"quantization_parameters": {"scales": [0.5], "zero_points": [3]}}

    get_output_details = get_input_details


@pytest.mark.parametrize("holder", ["schema_fb", "flatbuffer_utils"])
def test_tflite_micro_of_any_year_reads_the_names_of_a_file(holder: str) -> None:
    from ai_edge_litert import schema_py_generated as schema

    own: Any = schema if holder == "schema_fb" else SimpleNamespace(schema_fb=schema)
    lite = SimpleNamespace(Interpreter=OldInterpreter, **{holder: own})
    interpreter = MicroInterpreter(lite, tflite("int8"))
    assert [detail["name"] for detail in interpreter.get_input_details()] == ["serving_default_x:0"]
    assert list(output_details(interpreter)) == ["answer"]


def test_a_release_of_another_form_is_an_error_of_one_line() -> None:
    with pytest.raises(ModelError, match="flatbuffer_utils"), convert_model_errors():
        MicroInterpreter(SimpleNamespace(Interpreter=OldInterpreter), tflite("int8"))
