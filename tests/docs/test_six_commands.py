"""From a folder of pictures to a page that tells them apart: six commands of *Get started*, run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.device import demo
from pipeline.device.demo import serve_bundle
from pipeline.device.predict import predict
from pipeline.device.runtimes import why_missing
from tests.device.devtools import chromium
from tests.docs.conftest import PAGES, ROOT
from tests.docs.markdown import commands
from tests.generated_sets import generate

BARS = "[...document.querySelectorAll('.bars progress')].map(a => a.ariaLabel).join()"
SIX = ["git", "cd", "make", "edgeline", "make", "make"]


def six() -> list[list[str]]:
    """Return the words of the block that is called six commands."""
    text = PAGES["docs/get-started.md"]
    start = text[: text.index("in six commands:")].count("\n") + 1
    block = [p for p in commands(text) if p.language == "block" and p.line > start][:6]
    return [shlex.split(piece.text) for piece in block]


def call(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def made_by(words: list[str], folder: Path) -> list[list[str]]:
    """Return what a make command runs of this program; the environment is that of the tests."""
    told = call(["make", "-n", "PYTHON=python3", *words[1:]], folder)
    lines = [line for line in told.splitlines() if line.startswith(".venv/bin/edgeline ")]
    return [[sys.executable, "-m", "pipeline", *shlex.split(line)[1:]] for line in lines]


def test_there_are_six() -> None:
    assert [words[0] for words in six()] == SIX


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository to clone")
@pytest.mark.skipif(why_missing("browser") is not None, reason=str(why_missing("browser")))
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_six_commands_lead_from_pictures_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "sets")
    shutil.copytree(tmp_path / "sets" / "pictures", tmp_path / "pets")
    clone, _, setup, new, export, show = six()
    call(["git", "clone", "-q", str(ROOT), *clone[3:]], tmp_path)
    folder = tmp_path / "edgeline"
    assert "pip install" in call(["make", "-n", "PYTHON=python3", *setup[1:]], folder)
    call([sys.executable, "-m", "pipeline", *new[1:]], folder)
    (run,) = made_by(export, folder)
    call(run, folder)
    again, served = made_by(show, folder)
    assert again == run
    assert served[-1] == "--lan"
    bundle = folder / served[-2]
    monkeypatch.setattr(demo, "own_address", lambda: "127.0.0.1")
    picture = next((tmp_path / "pets").rglob("*.png"))
    (wanted,) = predict(bundle, [picture])
    assert wanted["decision"] == picture.parent.name
    with (
        chromium("--ignore-certificate-errors") as page,
        serve_bundle(bundle, lan=True, port=0) as found,
    ):
        assert page.open(found.address) == "ready", page.text("notice")
        page.press("File")
        page.give_file(picture)
        label, share = wanted["top"][0]
        bars = page.until(f"{BARS}.startsWith({label!r}) && {BARS}")
        told = re.match(rf"{re.escape(label)}: ([\d.]+) %", bars)
        assert told
        assert abs(float(told[1]) - 100 * share) < 0.11
