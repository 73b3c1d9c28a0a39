"""One process a chain for everything that converts: TensorFlow is imported there once, and whatever
kills a converter kills the worker and not the pipeline.

Requests and replies are JSON lines over two pipes; what libraries print goes to a log whose last
lines an error quotes. The worker ends with its parent, however the parent ends: its pipe closes.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, Any

from pipeline.errors import ArtifactError, ConfigError, PipelineError

TIME_LIMIT = 600  # seconds for one request; the slowest conversion measured takes 20
QUOTED = 12  # lines of the log that an error shows


@dataclass
class Worker:
    """The running process and its pipes."""

    process: subprocess.Popen[bytes]
    replies: IO[str]
    log: IO[bytes]


_running: Worker | None = None


def request(operation: str, **arguments: Any) -> Any:
    """Have the worker run an operation of export/convert.py, and return what it returns.

    Raises:
        ArtifactError, ConfigError: what the operation raised.
        PipelineError: the worker died or did not answer in time; the next request starts another.
    """
    worker = _start()
    line = json.dumps({"operation": operation, "arguments": arguments}) + "\n"
    try:
        assert worker.process.stdin is not None  # opened as a pipe, below
        worker.process.stdin.write(line.encode())
        worker.process.stdin.flush()
        is_ready, _, _ = select.select([worker.replies], [], [], TIME_LIMIT)
        reply = worker.replies.readline() if is_ready else ""
    except BrokenPipeError:
        reply, is_ready = "", [worker.replies]
    if not reply:
        raise PipelineError(_obituary(worker, operation, timed_out=not is_ready))
    answer = json.loads(reply)
    if "error" in answer:
        kinds = {"ArtifactError": ArtifactError, "ConfigError": ConfigError}
        raise kinds.get(answer["kind"], PipelineError)(answer["error"])
    return answer["result"]


def _start() -> Worker:
    """Return the running worker, or start one."""
    global _running
    if _running is not None and _running.process.poll() is None:
        return _running
    reading, writing = os.pipe()
    log = tempfile.TemporaryFile(prefix="edgeline_worker_")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.export.convert", str(writing)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(writing,),
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    os.close(writing)
    _running = Worker(process, os.fdopen(reading), log)
    return _running


def _obituary(worker: Worker, operation: str, *, timed_out: bool) -> str:
    """End the worker and return what is known of its end."""
    worker.process.kill()
    status = worker.process.wait()
    worker.log.seek(0)
    said = worker.log.read().decode(errors="replace").splitlines()[-QUOTED:]
    how = f"did not finish within {TIME_LIMIT} s" if timed_out else f"ended with status {status}"
    return "\n".join([f"export: the converter {how} during {operation}. Its last words:", *said])


@atexit.register
def _stop() -> None:
    """Let the worker go when the pipeline ends."""
    if _running is not None and _running.process.poll() is None:
        assert _running.process.stdin is not None
        _running.process.stdin.close()
        try:
            _running.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            _running.process.kill()
