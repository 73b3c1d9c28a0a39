"""Searches in processes of their own, killed by SIGKILL: the same bytes, nothing measured twice."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import WORK, read_json

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 500
CONFIG = """
name: tiny
task: classification
data: {source: {kind: bundled, name: digits}, calibration_samples: 32}
baseline: null
model: {kind: cnn, filters: [4, 8], dense: []}
train: {epochs: 9}
export: {targets: [cpu]}
tune:
  tuner: TUNER
  max_trials: 4
  epochs: 3
  limits: {bytes: 20000}
  space:
    model.filters.1: {int: [8, 32], step: 8}
    model.dense: {choice: [[], [16]]}
    train.optimizer.learning_rate: {float: [1e-3, 1e-2], log: true}
"""
RESULTS = ("trials.json", "trials.csv", "spec.json", "budget.json")


def started(folder: Path, *arguments: str, tuner: str = "random", runs: str = "runs") -> Any:
    folder.mkdir(exist_ok=True)
    config = folder / "tiny.yaml"
    config.write_text(CONFIG.replace("TUNER", tuner))
    places = ["--runs", str(folder / runs), "--exported", str(folder / "exported")]
    command = [sys.executable, "-m", "pipeline", "tune", str(config), *places, *arguments]
    with (folder / f"{runs}.log").open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def finish(process: Any) -> None:
    assert process.wait(timeout=LIMIT_S) == 0


def results(folder: Path) -> list[bytes]:
    return [(folder / "runs/tiny/tune" / name).read_bytes() for name in RESULTS]


def finished_in(work: Path) -> dict[str, int]:
    """Return the file of each finished trial, and when it was written."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in work.glob("*.json")
        if path.name != "job.json"
    }


def until(is_reached: Callable[[], object], process: Any) -> None:
    began = time.monotonic()
    while not is_reached():
        assert process.poll() is None, "it ended first"
        assert time.monotonic() - began < LIMIT_S
        time.sleep(0.005)


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_a_killed_search_ends_as_the_undisturbed_one(
    tmp_path: Path, tuner: str, counted: Callable[..., None]
) -> None:
    finish(started(tmp_path / "whole", tuner=tuner))
    killed = tmp_path / "killed"
    work = killed / "runs/tiny/tune.partial" / WORK
    moments: list[Callable[[], object]] = [
        lambda: list(work.glob("*/untrained/*.tflite")),  # making the file of untrained weights
        lambda: list(work.glob(f"*/{WORK}/checkpoint.npz")),  # in training
        lambda: finished_in(work),  # between two trials
        lambda: len(finished_in(work)) == 2 and list(work.glob("*/trained/model.keras")),
    ]
    known: dict[str, int] = {}
    for moment in moments:
        process = started(killed, tuner=tuner)
        until(moment, process)
        process.kill()
        process.wait()
        now = finished_in(work)
        assert {name: now[name] for name in known} == known  # none was written again
        known = now
    process = started(killed, tuner=tuner)
    finish(process)
    assert len(known) >= 2
    assert results(killed) == results(tmp_path / "whole")
    counted("kills", len(moments))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_chief_and_two_workers_of_which_one_is_killed(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    finish(started(tmp_path / "alone"))
    shared = tmp_path / "shared"
    address = f"127.0.0.1:{free_port()}"
    roles = {"runs": "chief", "a": "worker", "b": "worker"}
    processes = {
        runs: started(shared, "--role", role, "--chief", address, runs=runs)
        for runs, role in roles.items()
    }
    try:
        doomed = shared / "a/tiny/tune.worker"
        until(lambda: list(doomed.glob(f"*/{WORK}/checkpoint.npz")), processes["a"])
        processes["a"].kill()
        finish(processes["runs"])
        finish(processes["b"])
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    trials = read_json(shared / "runs/tiny/tune/trials.json")["trials"]
    assert len({row["trial"] for row in trials}) == len(trials) == 4
    assert results(shared) == results(tmp_path / "alone")
    counted("kills")


def children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    rows = [line.split(maxsplit=1) for line in found.stdout.splitlines()]
    return [int(pid) for pid, args in rows if "pipeline.tune.local" in args]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs: one that ended may lie there until somebody asks for it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_parallel_trials_survive_the_death_of_a_worker_and_of_all(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    both = "tune.parallel=2"
    finish(started(tmp_path / "whole", "--set", both))
    folder = tmp_path / "killed"
    work = folder / "runs/tiny/tune.partial" / WORK
    process = started(folder, "--set", both)
    until(lambda: list(work.glob(f"*/{WORK}/checkpoint.npz")), process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    until(lambda: finished_in(work), process)
    workers = children(process.pid)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline, "workers outlive their chief"
        time.sleep(0.1)
    known = finished_in(work)
    finish(started(folder, "--set", both))
    assert known
    assert results(folder) == results(tmp_path / "whole")
    counted("kills", 2)
