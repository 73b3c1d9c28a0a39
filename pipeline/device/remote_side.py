"""The side of `conform --device` that runs on the device: it is sent there, and installed nowhere.

Standard library only, Python 3.7. By standard input come a line of JSON (files with their sizes,
models, a time limit) and the files' bytes; by standard output go frames: a line of JSON that starts
with MARK, then bytes. Standard input stays open while the caller waits: when it ends, the work
is stopped. The temporary folder is removed on every way out.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any, Sequence  # noqa: UP035  Python 3.7 has them nowhere else

MARK = b"EDGELINE "
INTERPRETERS = ("ai_edge_litert", "tflite_runtime", "tensorflow", "tflite_micro")
PROGRAM = "run_on_device.py"
LOCK = threading.Lock()  # held by what starts a process or removes the folder
FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Receive the files, run the models, send back their outputs."""
    job = json.loads(sys.stdin.buffer.readline().decode())
    lacks = missing_package()
    if lacks:
        tell(dict(kind="lacks", python=sys.executable, **lacks))
        return
    for name in ("SIGHUP", "SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="edgeline_")
    try:
        tell({"kind": "ready", "machine": machine(), "folder": folder})
        receive(sys.stdin.buffer, job["files"], folder)
        running: list[Any] = []
        watch = threading.Thread(target=stop_at_end, args=(running, folder), daemon=True)
        watch.start()
        for model in job["models"]:
            run(model, folder, job["limit_s"], running=running)
        last = {"kind": "done"}
    except OSError as error:
        what = "full" if error.errno in FULL else "failed"
        last = {"kind": what, "what": str(error), "folder": os.path.dirname(folder)}
    finally:
        with LOCK:
            shutil.rmtree(folder, ignore_errors=True)
    tell(last)  # the other side goes when it reads this


def missing_package() -> dict[str, str]:
    """Return which package this Python is without, and which to install; empty where none is."""
    if importlib.util.find_spec("numpy") is None:
        return {"what": "NumPy", "cure": "numpy"}
    found = [name for name in INTERPRETERS if importlib.util.find_spec(name) is not None]
    return {} if found else {"what": "interpreter", "cure": "ai-edge-litert, or tflite-runtime,"}


def machine() -> str:
    """Return processor and Python."""
    return f"{platform.machine()}, Python {platform.python_version()}"


def tell(head: dict[str, Any], content: bytes = b"") -> None:
    """Write one frame."""
    line = json.dumps(dict(head, bytes=len(content))).encode()
    sys.stdout.buffer.write(b"\n" + MARK + line + b"\n" + content)
    sys.stdout.buffer.flush()


def receive(source: IO[bytes], files: Sequence[Sequence[Any]], folder: str) -> None:
    """Write the files that come one after the other; their names hold no folder."""
    for name, size in files:
        with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
            while size:
                content = source.read(min(size, 1 << 20))
                if not content:
                    raise OSError(f"the connection ended before {name} was whole")
                file.write(content)
                size -= len(content)


def run(model: str, folder: str, limit_s: float, *, running: list[Any]) -> None:
    """Run one model over the inputs, a sample a call, and send the result."""
    answers = os.path.join(folder, "out.npz")
    command = [sys.executable, PROGRAM, "--model", model, "--arrays", "in.npz", "--outputs"]
    command += [answers, "--preprocess", "preprocess.json", "--batch", "1"]
    with LOCK:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        running[:] = [process]
    try:
        said = process.communicate(timeout=limit_s)[1].decode("utf-8", "replace").strip()
    except subprocess.TimeoutExpired:
        said = f"it did not finish within {limit_s} s"
    finally:
        kill(process)
    running[:] = []
    if process.returncode:
        last = said.splitlines()[-1:] or [f"the interpreter ended with status {process.returncode}"]
        tell({"kind": "refused", "model": model, "what": last[0]})
        return
    with open(answers, "rb") as file:
        content = file.read()
    os.remove(answers)
    tell({"kind": "answers", "model": model}, content)


def stop_at_end(running: list[Any], folder: str) -> None:
    """Stop all when standard input ends: the caller is gone."""
    while os.read(0, 1):
        pass
    with LOCK:
        for process in running:
            kill(process)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def kill(process: Any) -> None:
    """End a process and what it started."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main()
