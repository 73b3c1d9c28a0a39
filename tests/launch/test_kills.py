"""Workers that are killed in training: all go on from the last checkpoint, to the same bytes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import sha256_file
from pipeline.launch import workers
from pipeline.launch.workers import launch
from tests.conftest import MINIMAL

# Dropout, augmentation, a running mean: everything that a resumed run can get wrong.
TRAINING = """
  epochs: 6
  ema: 0.9
  optimizer: {kind: adamw, learning_rate: 1e-3, clip_norm: 1.0}
"""
CONFIG = (
    MINIMAL.replace("dense: [8]}", "dense: [8], dropout: 0.3}").replace(
        "name: digits}}", "name: digits}, augment: [{kind: translate, fraction: 0.1}]}"
    )
    + f"train: {TRAINING}"
    + "harden: {epochs: 3, attack: {kind: pgd, epsilon: 0.1, steps: 3}}\nbaseline: null\n"
)


def command(folder: Path, until: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(CONFIG)
    places = ["--runs", str(folder / "runs"), "--exported", str(folder / "exported")]
    run = [sys.executable, "-m", "pipeline", "run", str(folder / "small.yaml"), "--until", until]
    return [*run, *places]


def killed_when(
    monkeypatch: pytest.MonkeyPatch, logs: Path, index: int, said: list[str]
) -> list[str]:
    """Kill a worker of each attempt when the chief says a word; return what it was killed at."""
    begin, done, left = workers._started, list[str](), list(said)

    def started(cmd: Any, place: str, path: Path, gpus: Any) -> Any:
        made = begin(cmd, place, path, gpus)
        if path.name == f"worker_{index}.log" and left:
            threading.Thread(target=kill, args=(made[0], left.pop(0)), daemon=True).start()
        return made

    def kill(process: Any, word: str) -> None:
        log = logs / "worker_0.log"
        while process.poll() is None:
            if log.exists() and word in log.read_text():
                done.append(word)
                os.kill(process.pid, signal.SIGKILL)
                return
            time.sleep(0.02)

    monkeypatch.setattr(workers, "_started", started)
    return done


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_killed_worker_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: int, counted: Callable[..., None]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    logs = [folder / "runs" / "small" / "logs" for folder in (whole, broken)]
    assert launch(command(whole, "harden"), workers=2, logs=logs[0], restarts=0) == 0
    words = ["epoch 2/6", "epoch 1/3"]
    killed = killed_when(monkeypatch, logs[1], index, words)
    assert launch(command(broken, "harden"), workers=2, logs=logs[1], restarts=3) == 0
    assert killed == words
    assert "resumed at epoch" in (logs[1] / "worker_0.log").read_text()
    for stage in ("train", "harden"):
        for name in ("model.keras", "history.csv"):
            files = [folder / "runs" / "small" / stage / name for folder in (whole, broken)]
            assert sha256_file(files[0]) == sha256_file(files[1]), (stage, name)
    counted("kills", len(killed))


@pytest.mark.slow
def test_two_workers_publish_a_bundle(tmp_path: Path) -> None:
    """What they publish loads, has the same files as one process publishes, and decides alike."""
    many = ["--set", "audit=null", "--set", "harden=null"]
    run = [*command(tmp_path / "two", "bundle"), *many]
    logs = tmp_path / "two" / "runs" / "small" / "logs"
    code = launch(run, workers=2, logs=logs, restarts=0)
    run = [*command(tmp_path / "one", "bundle"), *many]
    alone = subprocess.run(run, capture_output=True, text=True, check=False)
    assert code == alone.returncode, alone.stderr
    assert code in (0, 3)  # six epochs do not make a good network; then nothing is published
    one, two = (tmp_path / name / "runs" / "small" for name in ("one", "two"))
    stages = [path.name for path in one.iterdir() if path.is_dir()]
    for stage in stages:
        assert {p.name for p in (one / stage).iterdir()} == {
            p.name for p in (two / stage).iterdir()
        }


@pytest.mark.slow
def test_a_worker_without_its_peers_ends_in_time() -> None:
    """TensorFlow's constructor would wait for ever, deaf to SIGTERM."""
    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'tensorflow'; "
        "from pipeline.train import workers; cluster.JOIN_SECONDS = 3.0; cluster.members()"
    )
    place = workers.places(2)[1]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TF_CONFIG": place},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert "worker 1 of 2: the others did not join within 3 s (127.0.0.1:" in done.stderr
    assert time.monotonic() - started < 60


@pytest.mark.slow
def test_a_tpu_that_cannot_be_reached_is_refused_in_a_minute(tmp_path: Path) -> None:
    run = [*command(tmp_path, "train"), "--set", "train.strategy=tpu", "--set", "harden=null"]
    started = time.monotonic()
    done = subprocess.run(
        run,
        env=os.environ | {"TPU_NAME": "grpc://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "train.strategy: tpu: the TPU 'grpc://127.0.0.1:9' cannot be reached" in done.stderr
    assert time.monotonic() - started < 120  # a minute from when the stage begins
