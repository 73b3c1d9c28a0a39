"""A limit of time counts what a process computes, not how long a busy machine lets it wait."""

import os
import subprocess
import sys

import pytest

from pipeline import time_limits
from pipeline.time_limits import PATIENCE, Allowance, allow, communicate, processor_s

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
BUSY = "import os\nif os.fork() == 0:\n    while True: pass\nos.wait()"


@pytest.mark.parametrize(
    ("clock_s", "computed_s", "used"),
    [
        (5.0, 4.0, False),
        (5.0, 50.0, False),  # over many cores
        (50.0, 4.0, False),  # the machine is busy with something else
        (50.0, 11.0, True),
        (PATIENCE * 10 + 1.0, 0.0, True),  # it waits for ever
        (50.0, None, False),
    ],
)
def test_time_is_counted_on_the_processor(
    monkeypatch: pytest.MonkeyPatch, clock_s: float, computed_s: float | None, used: bool
) -> None:
    monkeypatch.setattr(time_limits, "processor_s", lambda pid: computed_s)
    monkeypatch.setattr(time_limits.time, "monotonic", lambda: clock_s)
    assert Allowance(1, 10.0, 0.0, 0.0).is_used() == used


@linux
def test_who_computes_for_ever_is_found_in_a_child_too() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], text=True, start_new_session=True) as busy:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                communicate(busy, 0.3)
        finally:
            os.killpg(busy.pid, 9)


@linux
def test_the_start_is_left_out() -> None:
    before = processor_s(os.getpid())
    assert before is not None
    assert allow(os.getpid(), 1.0).processor_s >= before  # type: ignore[operator]
    assert processor_s(2**22 + 1) is None
