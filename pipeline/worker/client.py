"""One process a chain for everything that converts, and the way to ask it.

TensorFlow is imported there once, and whatever kills a converter kills the worker and no more.
Requests and replies are JSON lines over two pipes; what libraries print goes to a log whose last
lines an error quotes. The worker ends with its parent, however the parent ends.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import (
    ArtifactError,
    ConfigError,
    ConversionError,
    PipelineError,
    ShortageError,
)
from pipeline.process_limits import confine, excess
from pipeline.time_limits import STEP_S, allow
from pipeline.worker.operations import Reply, Request

TIME_LIMIT = (
    600  # seconds of processor time for one request; the slowest conversion measured takes 20
)
CONVERTER, LAST_WORDS = "export: the converter", " Its last words:"
QUOTED = 12  # lines of the log that an error shows
# How a converter dies of its model; a SIGKILL comes from a user, or from the kernel for memory.
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Worker:
    """The running process and its pipes."""

    process: subprocess.Popen[bytes]
    replies: IO[str]
    log: IO[bytes]


_running: Worker | None = None
_asking = threading.Lock()  # one request at a time, whichever thread asks


def request(operation: str, *, limit_s: float = TIME_LIMIT, **arguments: Any) -> Any:
    """Have the worker run an operation of worker/operations.py, and return what it returns.

    Call it from the thread that lives longest: on Linux the worker ends with the thread it was
    started by.

    Raises:
        ConversionError: the converter refused the model, or the worker crashed over it.
        ArtifactError, ConfigError: what the operation raised.
        PipelineError: the worker was killed or did not reply in time; the next request starts
            another.
    """
    line = json.dumps(vars(Request(operation, arguments))) + "\n"
    with _asking:
        return _answer(line, operation, limit_s)


def _answer(line: str, operation: str, limit_s: float) -> Any:
    """Send one line to the worker, and return what the reply holds."""
    worker = _start()
    try:
        assert worker.process.stdin is not None  # opened as a pipe, below
        worker.process.stdin.write(line.encode())
        worker.process.stdin.flush()
        is_ready = _wait(worker, limit_s)
        reply = worker.replies.readline() if is_ready else ""
    except BrokenPipeError:
        reply, is_ready = "", True
    if not reply.endswith("\n"):  # nothing, or the torso of a reply
        raise _death(worker, operation, limit_s if not is_ready else None)
    answer = Reply(**json.loads(reply))
    if answer.error is not None:
        kinds = (ArtifactError, ConfigError, ConversionError, ShortageError)
        raise {kind.__name__: kind for kind in kinds}.get(answer.kind, PipelineError)(answer.error)
    return answer.result


def _wait(worker: Worker, limit_s: float) -> bool:
    """Wait for a reply, or the end of the worker; tell whether there is one in time."""
    allowance = allow(worker.process.pid, limit_s)
    while not select.select([worker.replies], [], [], STEP_S)[0]:
        if allowance.is_used():
            return False
    return True


def stop() -> None:
    """Let the worker go, if one runs; the next request starts another."""
    global _running
    if _running is None:
        return
    worker, _running = _running, None
    worker.process.kill()  # it keeps nothing, and TensorFlow takes seconds to leave by itself
    worker.process.wait()
    assert worker.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # a request that it never read
        worker.process.stdin.close()
    worker.replies.close()
    worker.log.close()


atexit.register(stop)


def _start() -> Worker:
    """Return the running worker, or start one."""
    global _running
    if _running is not None and _running.process.poll() is None:
        return _running
    stop()
    reading, writing = os.pipe()
    log = tempfile.TemporaryFile(prefix="edgeline_worker_")  # noqa: SIM115  lives with the worker
    command = ["-P", "-m", "pipeline.worker.server", str(writing), str(os.getpid())]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(writing,),
        env=_environment(),
    )
    os.close(writing)
    confine(process.pid)
    _running = Worker(process, os.fdopen(reading), log)
    return _running


def _environment() -> dict[str, str]:
    """Return the worker's environment.

    Without a GPU, which the main process holds; without the switch by which importing tfmot would
    turn Keras 3 into tf-keras; with this very package, whatever lies in the working folder.
    """
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return kept | {
        "PYTHONPATH": path,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TQDM_DISABLE": "1",
    }


def _death(worker: Worker, operation: str, limit_s: float | None) -> PipelineError:
    """End the worker and return what is known of its end.

    Args:
        worker: the process that gave no reply.
        operation: what it was asked.
        limit_s: the time that it exceeded; None: it died.
    """
    if limit_s is not None:
        worker.process.kill()
    status = worker.process.wait()
    worker.log.seek(0)
    said = worker.log.read().decode(errors="replace").splitlines()[-QUOTED:]
    stop()
    if limit_s is not None:
        how = f"did not finish within {limit_s:g} s of processor time"
    elif status < 0:
        how = f"died of {signal.Signals(-status).name}"
    else:
        how = f"ended with status {status}"
    if limit_s is None and (why := excess("\n".join(said))):
        return ShortageError(f"{operation}: out of memory: {why}")
    if status == -signal.SIGKILL and limit_s is None:
        how += ", by which systems end what takes too much memory,"
    words = [f"{CONVERTER} {how} during {operation}.{LAST_WORDS}", *said]
    kind = ConversionError if limit_s is None and status in CRASHES else PipelineError
    return kind("\n".join(words))
