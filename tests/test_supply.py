"""Set-up installs what the lock files name, byte for byte, and runs no build tool besides."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+(?:\[[\w,-]+\])?)==\S+")


def requirements(path: Path) -> dict[str, str]:
    """Return name -> its requirement with hashes, on one line."""
    text = path.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split("==")[0]: " ".join(line.split()) for line in lines}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    for line in requirements(lock).values():
        assert PINNED.match(line), line
        assert "--hash=sha256:" in line, line


def test_build_tools_are_those_of_the_lock() -> None:
    ours = requirements(ROOT / "requirements.lock")
    for name, line in requirements(ROOT / "requirements-build.lock").items():
        assert ours[name] == line


def test_pip_installs_by_hash_and_fetches_nothing_to_build_with() -> None:
    text = (ROOT / "Makefile").read_text()
    commands = re.findall(r"pip install[^\n;&|]*", text)
    assert len(commands) >= 8
    for command in commands:
        if "--no-deps" in command and "--editable ." in command:
            assert "--no-build-isolation" in command
            continue
        assert "--require-hashes" in command, command
        if "requirements-build" not in command:
            assert "--no-build-isolation" in command or "--only-binary :all:" in command, command


def test_npm_installs_by_integrity_and_runs_no_script() -> None:
    wish = re.findall(r"^NPM_WISH = (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert wish[0].startswith("ci ")
    assert "--ignore-scripts" in wish[0]
    lock = json.loads((ROOT / "pipeline/device/npm/package-lock.json").read_text())
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert packages
    assert all(row["integrity"].startswith("sha512-") for row in packages.values())
    wanted = json.loads((ROOT / "pipeline/device/npm/package.json").read_text())["dependencies"]
    from pipeline.device.browser import PACKAGE, VERSION

    assert wanted == {PACKAGE: VERSION}
