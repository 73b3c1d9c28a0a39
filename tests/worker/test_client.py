"""The conversion process: it is one, it may die, and it ends with its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import ConversionError, PipelineError
from pipeline.export.convert import _refusals
from pipeline.worker import client

linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")


@pytest.fixture(autouse=True)
def own_worker() -> Iterator[None]:
    client.stop()
    yield
    client.stop()


def ask() -> int:
    """Have the worker answer something, and return its process id."""
    with pytest.raises(PipelineError, match="KeyError"):
        client.request("nonsense")
    assert client._running is not None
    return client._running.process.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_bug_in_an_operation_leaves_the_worker_running() -> None:
    assert ask() == ask()


def test_a_crash_is_a_conversion_error_with_the_last_words_and_another_worker_follows() -> None:
    pid = ask()
    os.kill(pid, signal.SIGSTOP)

    def crash() -> None:
        for number in (signal.SIGSEGV, signal.SIGCONT):  # in this order
            os.kill(pid, number)

    threading.Timer(0.2, crash).start()
    with pytest.raises(ConversionError, match=r"SIGSEGV(.|\n)*KeyError: 'nonsense'"):
        client.request("nonsense")
    assert ask() != pid


def test_a_kill_is_no_verdict_on_the_model(counted: Callable[..., None]) -> None:
    pid = ask()
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(PipelineError, match="SIGKILL") as caught:
        client.request("nonsense")
    assert not isinstance(caught.value, ConversionError)
    counted("faults")


@pytest.mark.slow
def test_a_request_that_takes_too_long_is_stopped() -> None:
    pid = ask()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(
        PipelineError, match=r"did not finish within 0\.2 s of processor time during nonsense"
    ):
        client.request("nonsense", limit_s=0.2)
    assert not is_alive(pid)
    assert ask() != pid


PARENT = """
import time
from pipeline.errors import ConversionError, PipelineError
from pipeline.worker import client
try:
    client.request("nonsense")
except PipelineError:
    print(client._running.process.pid, flush=True)
if WAITS:
    time.sleep(60)
"""


def start_parent(*, waits: bool) -> tuple[subprocess.Popen[str], int]:
    source = PARENT.replace("WAITS", str(waits))
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    return parent, int(parent.stdout.readline())


@linux
def test_the_worker_dies_with_a_parent_that_is_killed_while_it_is_busy() -> None:
    parent, pid = start_parent(waits=True)
    with parent:
        os.kill(pid, signal.SIGSTOP)  # busy: it looks for no request
        parent.kill()
    assert ends_within(pid, 5)


def test_the_worker_ends_with_the_program() -> None:
    parent, pid = start_parent(waits=False)
    with parent:
        assert parent.wait(timeout=10) == 0
    assert ends_within(pid, 5)


@pytest.mark.slow
def test_a_folder_called_pipeline_in_the_working_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = tmp_path / "pipeline" / "worker"
    decoy.mkdir(parents=True)
    for name in ("../__init__.py", "__init__.py", "server.py"):
        (decoy / name).write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    ask()


def test_the_environment_has_keras_3_and_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    environment = client._environment()
    assert "TF_USE_LEGACY_KERAS" not in environment
    assert environment["KERAS_BACKEND"] == "tensorflow"
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"


def test_what_a_converter_raises_becomes_one_line_with_the_reason() -> None:
    with pytest.raises(ConversionError) as caught, _refusals("int8"):
        raise RuntimeError(
            "loc(a):\n  error: 'tf.Foo' op is neither a custom op nor a flex op\nmore"
        )
    assert "int8" in str(caught.value)
    assert "'tf.Foo' op is neither" in str(caught.value)
    assert "\n" not in str(caught.value)
