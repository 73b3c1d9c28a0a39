"""A cluster on this machine begins, fails, begins again and ends together; no TensorFlow here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.launch import workers as cluster
from pipeline.launch.place import place_here
from pipeline.launch.workers import gpu_shares, launch, places
from tests.conftest import MINIMAL

PLACE = "import json, os, sys, time; i = json.loads(os.environ['TF_CONFIG'])['task']['index']; "


def started(code: str, tmp_path: Path, *, workers: int = 3, restarts: int = 0) -> int:
    command = [sys.executable, "-c", PLACE + code, str(tmp_path)]
    return launch(command, workers=workers, logs=tmp_path / "logs", restarts=restarts)


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def comes_true(what: Callable[[], bool], seconds: float) -> bool:
    """Wait for something, and tell whether it came in time."""
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.05)
    return what()


def test_workers_have_places_of_one_cluster() -> None:
    found = [place_here({"TF_CONFIG": text}) for text in places(5)]
    assert [place.index for place in found if place] == list(range(5))
    assert len({place.addresses for place in found if place}) == 1
    (addresses,) = {place.addresses for place in found if place}
    assert len(set(addresses)) == 5


@pytest.mark.parametrize("code", [0, 2, 3, 4])
def test_the_exit_code_is_the_chiefs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], code: int
) -> None:
    worked = (
        "print(f'worker {i}', flush=True); time.sleep(0.2 if i == 0 else 0); "
        f"sys.exit({code} * (i == 0))"
    )
    assert started(worked, tmp_path, restarts=3) == code
    said = capfd.readouterr().out
    assert said == "worker 0\n"
    for index in range(3):
        assert (tmp_path / "logs" / f"worker_{index}.log").read_text() == f"worker {index}\n"


def test_when_one_worker_dies_all_begin_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker 1 kills itself twice; the others would wait for ever, deaf to SIGTERM."""
    died = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open(f'{sys.argv[1]}/{i}', 'a').write('x'); n = len(open(f'{sys.argv[1]}/{i}').read()); "
        "print('last words', flush=True); "
        "\nwhile i == 1 and not all(os.path.exists(f) and len(open(f).read()) == n "
        "for f in (f'{sys.argv[1]}/0', f'{sys.argv[1]}/2')): time.sleep(0.02)\n"
        "i == 1 and n < 3 and os.kill(os.getpid(), 9); n < 3 and time.sleep(600)"
    )
    monkeypatch.setattr(cluster, "GRACE_SECONDS", 0.3)
    assert started(died, tmp_path, restarts=2) == 0
    assert [(tmp_path / str(index)).read_text() for index in range(3)] == ["xxx"] * 3
    assert caplog.text.count("worker 1 ended with SIGKILL; all begin again") == 2
    assert "last words" in caplog.text


def test_there_is_an_end_to_beginning_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert started("i == 2 and sys.exit(9); time.sleep(600)", tmp_path, restarts=1) == 1
    assert "worker 2 ended with exit code 9; giving up" in caplog.text


def test_a_worker_that_refuses_its_input_ends_all_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = "i == 1 and (print('data.bin: missing', flush=True), sys.exit(4)); time.sleep(600)"
    assert started(refused, tmp_path, restarts=3) == 4
    assert "data.bin: missing" in caplog.text
    assert "begin again" not in caplog.text


BEGETS = r"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(f"{sys.argv[1]}/pids", "a") as file:
    file.write(f"{os.getpid()}\n{child.pid}\n")
time.sleep(600)
"""
LAUNCHES = """
import sys
import pipeline.launch.workers as workers
from pipeline.cli import main
config, folder, code = sys.argv[1:]
own = workers.launch
workers.launch = lambda command, **rest: own([sys.executable, "-c", code, folder], **rest)
sys.exit(main(["launch", config, "--workers", "2", "--runs", folder]))
"""


def test_an_interruption_ends_every_worker_and_what_it_started(tmp_path: Path) -> None:
    config, pids = tmp_path / "c.yaml", tmp_path / "pids"
    config.write_text(MINIMAL)
    command = [sys.executable, "-c", LAUNCHES, str(config), str(tmp_path), BEGETS]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert comes_true(lambda: pids.exists() and len(pids.read_text().split()) == 4, 60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; the same command goes on from here" in said
    assert len(pids.read_text().split()) == 4
    assert all(ended(int(pid)) for pid in pids.read_text().split())


def test_workers_end_with_a_launch_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from pipeline.launch.place import LAUNCHER, end_with_launcher; end_with_launcher(); "
        "assert LAUNCHER not in os.environ; "
        "open(f'{sys.argv[1]}/pid{i}', 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    )
    launches = (
        "import sys; from pathlib import Path; from pipeline.launch.workers import launch; "
        "folder, code = sys.argv[1:]; command = [sys.executable, '-c', code, folder]; "
        "launch(command, workers=2, logs=Path(folder) / 'logs', restarts=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", launches, str(tmp_path), PLACE + code])
    pids = [tmp_path / f"pid{index}" for index in range(2)]
    assert comes_true(lambda: all(path.exists() and path.read_text() for path in pids), 60)
    process.kill()
    process.wait()
    assert comes_true(lambda: all(ended(int(path.read_text())) for path in pids), 10)


def test_what_a_killed_worker_had_started_ends_with_the_others(tmp_path: Path) -> None:
    """As a process that converts, when the chief is out of memory."""
    begets = (
        "import signal, subprocess; "
        "own = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "open(f'{sys.argv[1]}/pid{i}', 'w').write(str(own.pid)); "
        "i == 1 and os.kill(os.getpid(), 9); time.sleep(600)"
    )
    assert started(begets, tmp_path, workers=2) == 1
    pids = [int(path.read_text()) for path in tmp_path.glob("pid*") if path.read_text()]
    assert pids
    assert all(ended(pid) for pid in pids)


@pytest.mark.parametrize(
    ("named", "shares"),
    [("-1", [None, None]), ("0,1,-1,2", ["0", "1"]), ("0, 1", ["0", "1"]), (",0", [None, None])],
)
def test_gpus_are_those_that_cuda_sees(named: str, shares: list[str | None]) -> None:
    assert gpu_shares(2, {"CUDA_VISIBLE_DEVICES": named}) == shares


def test_a_driver_that_hangs_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nexec sleep 60\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(cluster, "GPU_SECONDS", 0.2)
    with pytest.raises(ConfigError, match=r"nvidia-smi did not reply.*CUDA_VISIBLE_DEVICES="):
        gpu_shares(2, {})


def test_gpus_are_shared_out_and_never_shared() -> None:
    assert gpu_shares(2, {"CUDA_VISIBLE_DEVICES": ""}) == [None, None]
    assert gpu_shares(2, {"CUDA_VISIBLE_DEVICES": "0,1,2"}) == ["0,2", "1"]
    with pytest.raises(ConfigError, match="at most 1"):
        gpu_shares(2, {"CUDA_VISIBLE_DEVICES": "3"})


def test_a_process_that_waits_too_long_for_the_others_is_ended_from_outside() -> None:
    """As TensorFlow waits: deaf to SIGTERM, and with no thread that could do it."""
    from pipeline.train.workers import WATCH

    waits = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "words = [str(os.getpid()), '0.5', 'nobody came']; "
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], *words]); time.sleep(600)"
    )
    command = [sys.executable, "-c", waits, WATCH]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == "nobody came\n"
