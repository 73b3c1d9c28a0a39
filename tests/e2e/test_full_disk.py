"""A disk that is full, a little later each time, or read-only: one line, and then the same bytes.

The disk is a small tmpfs, so that every library meets the real thing; it takes the right to mount.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.chain import ROOT, command, published, run, write_config

pytestmark = pytest.mark.slow
SIZE = 64 << 20
STEPS = (1 << 14, 3 << 17)  # bytes of room that are made after each failure, at least and at most
MOST = 200


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return an empty disk of SIZE bytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def try_run(config: Path, disk: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TMPDIR": str(disk)}
    return subprocess.run(
        command(config, disk), cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment, timeout=600,
    )  # fmt: skip


def fill(disk: Path, room: int) -> None:
    """Leave so many bytes of room."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))


def test_a_full_disk_is_one_line_and_the_run_goes_on(
    disk: Path, tmp_path: Path, counted: Callable[..., None]
) -> None:
    config = write_config(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    result = run(write_config(whole), whole)
    assert result.returncode == 0, result.stderr
    rng, room, failures = np.random.default_rng(0), 0, 0
    for _ in range(MOST):
        fill(disk, room)
        done = try_run(config, disk)
        if done.returncode == 0:
            break
        failures += 1
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "the disk is full: make room" in last
        room += int(rng.integers(*STEPS))
        print(room, last)
    (disk / "ballast").unlink()
    assert failures >= 4
    assert published(disk) == published(whole)
    counted("faults", failures)


def test_a_read_only_disk_is_one_line_and_the_run_goes_on(
    disk: Path, tmp_path: Path, counted: Callable[..., None]
) -> None:
    config = write_config(tmp_path)
    assert try_run(config, disk).returncode == 0
    before = published(disk)
    for overrides in ((), ("--force", "gate")):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = subprocess.run(
            command(config, disk, *overrides), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "the disk is read-only" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert try_run(config, disk).returncode == 0
        counted("faults")
    assert published(disk) == before
