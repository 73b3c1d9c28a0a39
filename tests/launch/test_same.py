"""Several devices, or several processes, end where one does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.launch.workers import launch
from tests.launch.cases import HARDENED, SMALL, TRAINED

SAME = 1e-4  # sums in another order; a wrong gradient is off by its own size
ALL = [name for name in (*TRAINED, *HARDENED, *SMALL) if name != "few"]


def command(strategy: str, digits: Any, out: Path, *names: str) -> list[str]:
    out.mkdir(parents=True, exist_ok=True)
    module = [sys.executable, "-W", "ignore", "-m", "tests.launch.cases"]
    return [*module, strategy, str(digits.folder), str(out), *names]


def run(strategy: str, digits: Any, out: Path, *names: str) -> None:
    started = command(strategy, digits, out, *names)
    done = subprocess.run(started, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def apart(one: Path, other: Path, name: str) -> float:
    """Return the largest difference of losses and weights."""
    with np.load(one / f"{name}.npz") as a, np.load(other / f"{name}.npz") as b:
        assert a.files == b.files
        return max(float(np.abs(a[key] - b[key]).max()) for key in a.files)


@pytest.mark.slow
def test_two_workers_make_the_steps_of_one(digits: Any, tmp_path: Path) -> None:
    two = command("auto", digits, tmp_path / "two", "few")
    assert launch(two, workers=2, logs=tmp_path / "logs", restarts=0) == 0
    run("one_device", digits, tmp_path / "one", "few")
    assert apart(tmp_path / "one", tmp_path / "two", "few") < SAME


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_many_steps_end_where_one_device_does(
    digits: Any, tmp_path_factory: pytest.TempPathFactory, strategy: str
) -> None:
    one, many = tmp_path_factory.getbasetemp() / "one_device", tmp_path_factory.mktemp(strategy)
    if not one.exists():
        run("one_device", digits, one, *ALL)
    if strategy == "mirrored":
        run(strategy, digits, many, *ALL)
    else:
        two = command(strategy, digits, many, *ALL)
        assert launch(two, workers=2, logs=many / "logs", restarts=0) == 0
    found = {name: apart(one, many, name) for name in ALL}
    assert not {name: gap for name, gap in found.items() if gap >= SAME}
