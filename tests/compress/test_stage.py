"""Compress as a user meets it: through the runner, on real digits, in a process of its own."""

from pathlib import Path

import pytest

from pipeline.artifacts import read_json
from pipeline.compress.ladder import MIXED_FLOAT, RUNGS
from tests.e2e.chain import run, write_config

pytestmark = pytest.mark.slow


def compressed(config: Path, folder: Path, *arguments: str) -> tuple[dict, dict, str]:
    """Return recipe.json, ladder.json and what the run said."""
    done = run(config, folder, "--until", "export", *arguments)
    assert done.returncode == 0, done.stderr
    stage = folder / "runs" / "tiny" / "compress"
    return read_json(stage / "recipe.json"), read_json(stage / "ladder.json"), done.stderr


def test_gates_that_cannot_be_held_climb_all_rungs_and_a_looser_one_only_chooses(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, epochs=1)
    hard = ["--set", "harden=null", "--set", "gate.bytes=10"]
    recipe, ladder, _ = compressed(config, tmp_path, *hard)
    climbed = [rung for rung in RUNGS if rung != MIXED_FLOAT]  # gate.float_ops allows none
    assert [row["name"] for row in ladder["rungs"]] == [*climbed, MIXED_FLOAT]
    assert not any(row["passed"] for row in ladder["rungs"])
    assert recipe["ships"] in recipe["formats"]
    easy = ["--set", "harden=null", "--set", "gate.agreement=0.5"]
    looser, _, said = compressed(config, tmp_path, *easy)
    assert (looser["rung"], looser["ships"]) == ("int8", "int8")
    assert "Could not find cuda" not in said  # TensorFlow was not imported
    assert recipe["calibration"]["ids_sha256"] == looser["calibration"]["ids_sha256"]


def test_what_ships_by_name_is_made_though_no_rung_is_climbed(tmp_path: Path) -> None:
    config = write_config(tmp_path, epochs=1)
    arguments = ["--set", "harden=null", "--set", "export.ships=float16"]
    recipe, ladder, _ = compressed(config, tmp_path, *arguments)
    assert (recipe["ships"], recipe["rung"], ladder["measured"]) == ("float16", None, {})
    files = read_json(tmp_path / "runs" / "tiny" / "export" / "files.json")
    assert files["ships"] == "float16"
    assert {row["format"] for row in files["files"]} == set(recipe["formats"])
