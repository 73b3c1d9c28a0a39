"""A process that is warm runs the runner as a fresh one would: each time alone, within limits."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.device import measure, warm
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import ArtifactError
from tests.device.tiny import write_bundle
from tests.documents.preprocess import preprocess_of

RUNNER = """
import os, signal, sys, time
MODULES = {"fake": ("json", "json")}
def main():
    what = sys.argv[1]
    print(os.getppid(), os.getpid(), file=sys.stderr)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(600)
    if what == "raise":
        raise RuntimeError("what went wrong")
    if what == "refuse":
        sys.exit("error: refused")
    if what == "end":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    if what == "pause":
        time.sleep(0.5)
    return int(what) if what.isdigit() else 0
"""
LIMIT_S = 30  # far more than any of this takes


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return what runs the fake runner above."""
    shutil.copy(warm.SCRIPT, tmp_path / "fork_side.py")
    (tmp_path / "run_on_device.py").write_text(RUNNER)
    monkeypatch.setattr(warm, "SCRIPT", tmp_path / "fork_side.py")
    python = Path(sys.executable)

    def ask(what: str, limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
        return warm.run_runner(python, "fake", [what], limit_s=limit_s)

    yield ask
    for waiting in warm._idle.pop((python, "fake"), []):
        warm._end(waiting)


def pids(done: subprocess.CompletedProcess[str]) -> tuple[int, int]:
    """Return who forked, and who ran."""
    parent, own = done.stderr.split()[:2]
    return int(parent), int(own)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_status_and_words_come_back_and_each_run_has_its_own_process(
    run: Callable[..., Any],
) -> None:
    wanted = {"0": 0, "3": 3, "crash": -signal.SIGSEGV, "raise": 1, "refuse": 1, "4": 4}
    done = {what: run(what) for what in wanted}
    assert {what: found.returncode for what, found in done.items()} == wanted
    assert "RuntimeError: what went wrong" in done["raise"].stderr
    assert len({pids(found)[0] for found in done.values()}) == 1  # a crash does not end it
    assert len({pids(found)[1] for found in done.values()}) == len(wanted)


def test_what_hangs_is_killed_with_who_forked_it_and_the_next_runs(
    run: Callable[..., Any],
) -> None:
    parent = pids(run("0"))[0]
    began = time.perf_counter()
    with pytest.raises(subprocess.TimeoutExpired):
        run("hang", limit_s=0.3)
    assert time.perf_counter() - began < LIMIT_S
    assert not is_there(parent)
    done = run("0")
    assert done.returncode == 0
    assert pids(done)[0] != parent


def test_the_end_of_who_forks_is_told_and_the_next_runs(run: Callable[..., Any]) -> None:
    assert run("end").returncode == -signal.SIGKILL
    assert run("0").returncode == 0


def test_two_at_a_time_have_two_processes_which_are_used_again(run: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        parents = {pids(done)[0] for done in pool.map(run, ["pause", "pause"])}
    assert len(parents) == 2
    assert pids(run("0"))[0] in parents


def test_a_python_that_does_not_start_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such interpreter >&2\nexit 5\n")
    broken.chmod(0o755)
    done = warm.run_runner(broken, "litert", [], limit_s=LIMIT_S)
    assert done.returncode == 5
    assert "no such interpreter" in done.stderr


def test_memory_is_limited_for_each_run(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("limits are set on Linux")
    monkeypatch.setattr("pipeline.process_limits.limit_bytes", lambda: 1 << 30)
    parent, _ = pids(run("0"))
    said = Path(f"/proc/{parent}/limits").read_text()
    assert str(1 << 30) in next(line for line in said.splitlines() if "Max data size" in line)


def test_a_crash_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crashed(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], -signal.SIGSEGV, "", "")

    monkeypatch.setattr(measure, "run_runner", crashed)
    with pytest.raises(ArtifactError, match=r"x.tflite: cannot be run on litert: .* status -11"):
        measure.run_file(tmp_path / "x.tflite", preprocess_of([]), {})
    assert os.listdir(tmp_path) == []


def test_a_file_is_found_from_another_folder_than_where_the_process_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    bundle = write_bundle(tmp_path / "there" / "tiny")
    preprocess = Preprocess.read(bundle / "preprocess.json")
    with np.load(bundle / "golden.npz") as golden:
        raw = {e.name: golden[f"input_{e.name}"] for e in preprocess.inputs}
    for folder in (tmp_path, bundle.parent):
        monkeypatch.chdir(folder)
        file = (bundle / "model_int8.tflite").relative_to(folder)
        assert len(only(measure.run_file(file, preprocess, raw).outputs))
