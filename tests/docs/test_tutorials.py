"""Each tutorial, run whole: its commands, in its order, on the generated sets."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts import read_json
from tests.docs.conftest import PAGES
from tests.docs.markdown import commands

TUTORIALS = {
    name: text
    for name, text in PAGES.items()
    if name.startswith("docs/tutorials/") and not name.endswith("index.md")
}


@pytest.fixture(scope="module")
def folder(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of its own with the configs and the generated sets."""
    return Path(shutil.copytree(sets, tmp_path_factory.mktemp("tutorials") / "work"))


def run(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_runs_as_it_is_written(page: str, folder: Path) -> None:
    blocks = [shlex.split(p.text) for p in commands(TUTORIALS[page]) if p.language == "block"]
    (export,) = [words for words in blocks if words[:2] == ["make", "export"]]
    config = export[2].removeprefix("CONFIG=")
    run(["run", config], folder)
    (show,) = [words for words in blocks if words[:2] == ["edgeline", "show"]]
    bundle = folder / show[2]
    assert read_json(bundle / "manifest.json")["ships"] in run(show[1:], folder)
    assert (bundle / "report.html").is_file()
