"""kill -9 in the middle of a stage, then the same command: the same bytes as without."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chain import ROOT, command, published, run, write_config

pytestmark = pytest.mark.slow
EPOCHS = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = run(write_config(folder, EPOCHS), folder)
    assert result.returncode == 0, result.stderr
    return published(folder)


def kill_in(config: Path, folder: Path, stage: str, mark: str) -> bool:
    """Start the chain and kill it once `mark` (a glob) lies in the stage's temporary folder."""
    process = subprocess.Popen(
        command(config, folder, "--set", "seed=0"),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    partial = folder / "runs" / "tiny" / f"{stage}.partial"
    try:
        while process.poll() is None:
            if partial.exists() and any(partial.glob(mark)):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.002)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_kills_one_after_another_change_no_byte(
    tmp_path: Path, undisturbed: dict[str, str], counted: Callable[..., None]
) -> None:
    config = write_config(tmp_path, EPOCHS)
    marks = [
        ("train", "work/checkpoint.npz"),
        ("train", "work/checkpoint.npz"),
        ("harden", "work/checkpoint.npz"),
        ("export", "model_float32.tflite"),
        ("verify", "work/*"),
    ]
    for stage, mark in marks:
        assert kill_in(config, tmp_path, stage, mark), f"{stage} was over before the kill"
    result = run(config, tmp_path)
    assert result.returncode == 0, result.stderr
    assert published(tmp_path) == undisturbed
    counted("kills", len(marks))


def test_two_folders_hold_the_same_bytes(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    result = run(write_config(tmp_path, EPOCHS), tmp_path)
    assert result.returncode == 0, result.stderr
    assert published(tmp_path) == undisturbed
