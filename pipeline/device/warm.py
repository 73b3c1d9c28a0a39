"""Run run_on_device.py in warm processes: another Python has imported all, and waits for requests.

To start Python and to import an interpreter takes longer than many a file takes to be measured. A
process is kept for each Python and runtime, more where several files are measured at a time; it
forks for each file (fork_side.py), so that a file still has a process, and limits, of its own.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.process_limits import confine, run_confined
from pipeline.time_limits import STEP_S, allow

SCRIPT = Path(__file__).with_name("fork_side.py")


@dataclass
class Warm:
    """A process that waits for requests, and what goes to and fro."""

    process: subprocess.Popen[bytes]
    replies: IO[str]
    log: IO[bytes]
    """What it says itself; that of its forks goes to files of their own."""


_idle: dict[tuple[Path, str], list[Warm]] = {}
_changing = threading.Lock()


def run_runner(
    python: Path, runtime: str, arguments: Sequence[Any], *, limit_s: float
) -> subprocess.CompletedProcess[str]:
    """Run run_on_device.py within limits of memory and time; its stdout and stderr are one.

    Args:
        python: the Python that has the interpreter.
        runtime: key of MODULES in pipeline/ondevice/interpreter.py.
        arguments: for the program.
        limit_s: how much processor time it may take.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was killed.
    """
    words = list(map(str, arguments))
    if not hasattr(os, "fork"):
        return run_confined([python, PROGRAM_FILE, *words], limit_s=limit_s)
    warm = _taken(python, runtime)
    try:
        with tempfile.NamedTemporaryFile(prefix="edgeline_said_") as said:
            code = _ask(warm, words, said.name, limit_s)
            if code is None:  # not the fork died, but its parent
                return _dead(warm, words)
            text = Path(said.name).read_text(errors="replace")
    except BaseException:
        _end(warm)
        raise
    with _changing:
        _idle.setdefault((python, runtime), []).append(warm)
    return subprocess.CompletedProcess(words, code, "", text)


def _taken(python: Path, runtime: str) -> Warm:
    """Return an idle process, a new one where there is none."""
    with _changing:
        waiting = _idle.get((python, runtime))
        if waiting:
            return waiting.pop()
    reading, writing = os.pipe()
    log = tempfile.TemporaryFile(prefix="edgeline_warm_")  # noqa: SIM115  lives with the process
    try:
        process = subprocess.Popen(
            [python, SCRIPT, str(writing), runtime],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            process_group=0,  # its forks are in it too: they end together
        )
    finally:
        os.close(writing)
    confine(process.pid)
    return Warm(process, os.fdopen(reading), log)


def _ask(warm: Warm, words: list[str], said: str, limit_s: float) -> int | None:
    """Return the exit status of a run; None: there was no reply.

    Raises:
        subprocess.TimeoutExpired: nor will there be one in time.
    """
    assert warm.process.stdin is not None  # opened as a pipe, above
    try:
        warm.process.stdin.write(json.dumps({"arguments": words, "said": said}).encode() + b"\n")
        warm.process.stdin.flush()
    except BrokenPipeError:
        return None
    allowance = allow(warm.process.pid, limit_s)
    while not select.select([warm.replies], [], [], min(STEP_S, limit_s))[0]:
        if allowance.is_used():
            raise subprocess.TimeoutExpired(words, limit_s)
    reply = warm.replies.readline()
    return int(reply) if reply.endswith("\n") else None


def _dead(warm: Warm, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Return how a process ended that should have waited, with its last output."""
    status = warm.process.wait()
    warm.log.seek(0)
    said = warm.log.read().decode(errors="replace")
    _end(warm)
    return subprocess.CompletedProcess(words, status, "", said)


def _end(warm: Warm) -> None:
    """Kill a process with its forks, and close what belongs to it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(warm.process.pid, signal.SIGKILL)
    warm.process.wait()
    assert warm.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        warm.process.stdin.close()
    warm.replies.close()
    warm.log.close()


def stop() -> None:
    """Let all waiting processes go; the next run starts another."""
    with _changing:
        waiting = [warm for found in _idle.values() for warm in found]
        _idle.clear()
    for warm in waiting:
        _end(warm)


atexit.register(stop)
