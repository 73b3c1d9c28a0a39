"""Limits for processes that we start: memory, so that bad input harms only them, and life.

RLIMIT_DATA counts what a process may write to; of the address space, which RLIMIT_AS counts,
TensorFlow reserves far more than it uses. Only Linux can set it from outside.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.time_limits import communicate

SHARE = 0.75  # of the machine's memory: the rest is for the system and the process that waits
LEAST = 2 << 30  # bytes: the process that converts takes 0.5 GB, more where cores are many
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
PR_SET_PDEATHSIG = 1  # linux/prctl.h
OVER = ("bad_alloc", "MemoryError", "Cannot allocate memory")  # last output at the limit


def limit_bytes() -> int:
    """Return how much memory one process may take."""
    there = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # not there, or `max`
            there.append(int(Path(path).read_text()))
    return max(LEAST, int(SHARE * min(there)))


def confine(pid: int) -> None:
    """Limit the memory of a process that has just begun."""
    if sys.platform != "linux":
        return
    import resource

    limit = limit_bytes()
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already, or not ours
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


def end_with(parent: int) -> None:
    """Have Linux kill this process when its parent goes, however that goes and whatever is done."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before it could be watched
            sys.exit(1)


def run_confined(command: Sequence[Any], *, limit_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with limits of memory and of processor time.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was killed.
    """
    words = list(map(str, command))
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        try:
            confine(process.pid)
            out, err = communicate(process, limit_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def excess(said: str) -> str | None:
    """Return the message for a process that met its limit, from its last output; else None."""
    if not any(words in said for words in OVER):
        return None
    return f"it needs more than the {limit_bytes() / 2**30:.1f} GiB of memory that it may take here"
