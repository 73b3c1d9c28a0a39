"""Limits of processor time: a busy machine makes a process slow, and says nothing of its input."""

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10  # limits on the clock: then a process that computes nothing is ended, too
STEP_S = 0.2  # between two looks
FIELDS = slice(11, 15)  # of /proc/PID/stat behind the name: own and waited-for ticks


@dataclass(frozen=True)
class Allowance:
    """The time that a process may still take, from a moment on."""

    pid: int
    limit_s: float
    """Of processor time, over all its threads and children; at least as long on the clock."""
    processor_s: float | None
    """What it had taken at that moment; None: this system does not say."""
    clock_s: float
    """That moment, by the monotonic clock."""

    def is_used(self) -> bool:
        """Tell whether the process has had its time."""
        passed, now = time.monotonic() - self.clock_s, processor_s(self.pid)
        if passed <= self.limit_s:
            return False
        if passed > PATIENCE * self.limit_s or now is None or self.processor_s is None:
            return passed > PATIENCE * self.limit_s
        return now - self.processor_s > self.limit_s


def allow(pid: int, limit_s: float) -> Allowance:
    """Return what a process may take from now on."""
    return Allowance(pid, limit_s, processor_s(pid), time.monotonic())


def processor_s(pid: int) -> float | None:
    """Return the processor time of a process and its children; None: not known here."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        ticks = sum(map(int, text.rpartition(")")[2].split()[FIELDS]))
    except (OSError, ValueError):
        return None
    children: list[int] = []
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, file.read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK") + sum(processor_s(child) or 0.0 for child in children)


def communicate(process: subprocess.Popen[str], limit_s: float) -> tuple[str, str]:
    """Wait for a process to end, and return its output and errors.

    Raises:
        subprocess.TimeoutExpired: it took more processor time than it may; it still runs.
    """
    allowance = allow(process.pid, limit_s)
    while True:
        try:
            return process.communicate(timeout=min(STEP_S, limit_s))
        except subprocess.TimeoutExpired:
            if allowance.is_used():
                raise
