"""Programs that read what comes from outside meet their limits of memory and time alone."""

import subprocess
import sys

import pytest

from pipeline import process_limits
from pipeline.process_limits import excess, limit_bytes, run_confined

linux = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")


@linux
def test_who_takes_too_much_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_limits, "limit_bytes", lambda: 1 << 30)
    command = [sys.executable, "-c", "import time; time.sleep(0.2); bytearray(3 << 30)"]
    done = run_confined(command, limit_s=20)
    assert done.returncode == 1
    assert "1.0 GiB" in (excess(done.stderr) or "")


def test_who_takes_too_long_is_killed() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_confined([sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.3)


def test_others_answer_as_they_do() -> None:
    command = [sys.executable, "-c", "import sys; print(1); sys.stderr.write('x'); sys.exit(3)"]
    done = run_confined(command, limit_s=20)
    assert (done.returncode, done.stdout, done.stderr) == (3, "1\n", "x")
    assert excess(done.stderr) is None


def test_the_limit_leaves_room_for_the_rest_and_for_tensorflow() -> None:
    assert limit_bytes() >= process_limits.LEAST
    assert limit_bytes() <= max(process_limits.LEAST, process_limits.SHARE * 2**63)
