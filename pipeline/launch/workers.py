"""A cluster on this machine: one process a worker, ended together, started again together.

The first worker is the chief and runs the stages; what it says is shown here. Every worker's words
go to a log file of its own. Nothing of TensorFlow here: its processes may hang, this one must not.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from pipeline.errors import ArtifactError, ConfigError, GateError
from pipeline.launch.place import LAUNCHER, TF_CONFIG

log = logging.getLogger(__name__)

FINAL = (0, ConfigError.exit_code, GateError.exit_code, ArtifactError.exit_code, 130)
GRACE_SECONDS = 5.0  # between asking a process to end and ending it
LEAVE_SECONDS = 30.0  # for the workers to go when the chief is done
TAIL = 12  # lines of a log that are shown of a worker that failed
LOOK_SECONDS = 0.1
GPU_SECONDS = 30.0  # for the driver to say which GPUs there are


def launch(command: Sequence[str], *, workers: int, logs: Path, restarts: int) -> int:
    """Run a command in all workers, and return the exit code of what came of it.

    Args:
        command: what each worker runs; its place stands in its environment.
        workers: how many, the chief among them.
        logs: folder of a log file a worker.
        restarts: how often all begin again, from the last checkpoint, when one dies.

    Raises:
        ConfigError: there are too few GPUs for so many workers.
    """
    shares = gpu_shares(workers)
    logs.mkdir(parents=True, exist_ok=True)
    for path in logs.glob("worker_*.log"):
        path.unlink()
    for attempt in range(restarts + 1):
        started = [
            _started(command, place, logs / f"worker_{index}.log", shares[index])
            for index, place in enumerate(places(workers))
        ]
        try:
            index, code = _first_end(started)
        finally:
            _end([process for process, _ in started])
            _hear(started)
        is_last = code in FINAL or attempt == restarts
        if index or code not in FINAL:
            log.warning("%s", _words(index, code, logs, is_last=is_last))
        if is_last:
            break
    return code if code in FINAL else 1


def places(workers: int) -> list[str]:
    """Return TF_CONFIG of each worker, on ports of 127.0.0.1 that are free now."""
    held = [socket.socket() for _ in range(workers)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in held]
    for one in held:
        one.close()
    cluster = {"worker": addresses}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]


def gpu_shares(workers: int, environ: Mapping[str, str] | None = None) -> list[str | None]:
    """Return which GPUs each worker sees, as CUDA_VISIBLE_DEVICES; None: there are none.

    Raises:
        ConfigError: there are fewer GPUs than workers.
    """
    found = _gpus(os.environ if environ is None else environ)
    if not found:
        return [None] * workers
    if len(found) < workers:
        raise ConfigError(
            f"--workers {workers}: there are {len(found)} GPUs, and workers do not share one; "
            f"wanted at most {len(found)}, or CUDA_VISIBLE_DEVICES= (empty) to train on the CPU. "
            "On one machine train.strategy: mirrored needs no launch"
        )
    return [",".join(found[index::workers]) for index in range(workers)]


def _gpus(environ: Mapping[str, str]) -> list[str]:
    """Return the GPUs that may be used.

    Raises:
        ConfigError: the driver does not say.
    """
    if "CUDA_VISIBLE_DEVICES" in environ:
        names = (name.strip() for name in environ["CUDA_VISIBLE_DEVICES"].split(","))
        return list(takewhile(lambda name: name and not name.startswith("-"), names))  # as CUDA
    if shutil.which("nvidia-smi") is None:
        return []
    asked = ["nvidia-smi", "--list-gpus"]
    try:
        done = subprocess.run(
            asked, capture_output=True, text=True, timeout=GPU_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"--workers: nvidia-smi did not reply in {GPU_SECONDS:.0f} s, so it is unknown "
            "which GPUs there are: see to the driver, or name them: CUDA_VISIBLE_DEVICES=0,1 "
            "(empty: the CPU trains)"
        ) from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


Started = tuple[subprocess.Popen[bytes], list[threading.Thread]]


def _started(command: Sequence[str], place: str, path: Path, gpus: str | None) -> Started:
    """Start one worker in a session of its own; the chief's words are shown here, too."""
    environ = os.environ | {TF_CONFIG: place, LAUNCHER: str(os.getpid())}
    if gpus is not None:
        environ["CUDA_VISIBLE_DEVICES"] = gpus
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    is_chief = json.loads(place)["task"]["index"] == 0
    threads = []
    for stream, shown in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
        assert stream is not None  # both are pipes
        aim = (stream, path, shown if is_chief else None)
        threads.append(threading.Thread(target=_copy, args=aim, daemon=True))
        threads[-1].start()
    return process, threads


def _copy(stream: IO[bytes], path: Path, shown: IO[str] | None) -> None:
    """Append what a worker says to its log, line by line, and show it where that is asked for."""
    with stream, path.open("ab") as file:
        for line in stream:
            file.write(line)
            file.flush()
            if shown is not None:
                shown.write(line.decode(errors="replace"))
                shown.flush()


def _first_end(started: Sequence[Started]) -> tuple[int, int]:
    """Wait until the chief is done, or a worker fails; return which one, and its code."""
    while True:
        for index, (process, _) in enumerate(started):
            code = process.poll()
            if code is None or (index and code == 0):  # the chief lets the others go before it goes
                continue
            if index == 0 and code in FINAL:
                _wait([process for process, _ in started[1:]], LEAVE_SECONDS)
            return index, code
        time.sleep(LOOK_SECONDS)


def _hear(started: Sequence[Started]) -> None:
    """Wait until the last output of all processes is copied."""
    for _, threads in started:
        for thread in threads:
            thread.join(GRACE_SECONDS)


def _end(processes: Sequence[Any]) -> None:
    """End what still runs, each with all that it started: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:  # what one started outlives it, if it was killed
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        if number == signal.SIGTERM:
            with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: at once
                _wait(processes, GRACE_SECONDS)
    for process in processes:
        process.wait()


def _wait(processes: Sequence[Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(process.poll() is None for process in processes):
        time.sleep(LOOK_SECONDS)


def _words(index: int, code: int, logs: Path, *, is_last: bool) -> str:
    """Return the message about a failed worker."""
    path = logs / f"worker_{index}.log"
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    tail = path.read_text(errors="replace").splitlines()[-TAIL:] if path.exists() else []
    after = "giving up" if is_last else "all begin again from the last checkpoint"
    said = "".join(f"\n  {line}" for line in tail)
    return f"launch: worker {index} ended with {how}; {after}. The end of {path}:{said}"
