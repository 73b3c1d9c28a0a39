"""The table of runtimes, and the words of a file that cannot be run."""

from pathlib import Path

import pytest

from pipeline.device import runtimes
from pipeline.device.runtimes import RUNTIMES, Runtime, why_missing
from pipeline.ondevice.interpreter import MODULES
from pipeline.ondevice.micro import explain_micro_error


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
    in_python = {n: r.distribution for n, r in RUNTIMES.items() if n != "browser"}
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
