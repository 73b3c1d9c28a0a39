"""Killed at random points of every stage, or run in another surrounding: the same bytes."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import kills
from tests.e2e.chain import ROOT, command, published

pytestmark = pytest.mark.slow
EACH, LEAST = 3, 30  # kills in each stage, and of all


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, float]]:
    return kills.undisturbed(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("seed", [0])
def test_kills_at_random_points_change_no_byte(
    tmp_path: Path,
    whole: tuple[dict[str, str], dict[str, float]],
    seed: int,
    counted: Callable[..., None],
) -> None:
    done = kills.with_kills(tmp_path, whole[1], each=EACH, seed=seed)
    print(done.by_stage, done.by_signal, done.seconds)
    assert published(tmp_path) == whole[0]
    assert done.wrong == []
    assert done.by_stage.total() >= LEAST
    counted("kills", done.by_stage.total())


def test_another_process_has_the_same_bytes(
    tmp_path: Path, whole: tuple[dict[str, str], dict[str, float]]
) -> None:
    """Another seed of hashes, working folder, time zone, user's mask and terminal."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = kills.write_config(tmp_path)
    settings = {"PYTHONHASHSEED": "12345", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "COLUMNS": "40"}
    done = subprocess.run(
        command(config, tmp_path), cwd=elsewhere, capture_output=True, text=True, check=False,
        env=os.environ | settings | {"PYTHONPATH": str(ROOT)}, umask=0o077,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert published(tmp_path) == whole[0]
