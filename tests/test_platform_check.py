"""Native Windows is refused in one line, before a module that it lacks is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MINIMAL

WINDOWS = """
import asyncio, multiprocessing, subprocess, sysconfig, tempfile, zoneinfo, numpy  # as here
sysconfig.get_config_vars()
import sys
class Windows:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Windows())
for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: (
    None if name in ("fcntl", "resource") else find(name, *rest)
)
sys.platform = "win32"
"""


def call(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "small.yaml").write_text(MINIMAL)
    command = [sys.executable, "-c", WINDOWS + program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", ["run small.yaml", "doctor", "show .", "new x.yaml --data ."])
def test_a_command_on_windows_is_refused_in_one_line(words: str, tmp_path: Path) -> None:
    program = f"from pipeline.cli import main\nsys.exit(main({words.split()}))"
    done = call(program, tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [
        "Edgeline needs Linux or macOS; this is Windows. On Windows, install WSL 2 "
        "(wsl --install, in PowerShell) and run the same command there"
    ]


@pytest.mark.parametrize("asked", ["run('small.yaml')", "load_bundle('.')"])
def test_python_on_windows_is_refused_by_the_same_words(asked: str, tmp_path: Path) -> None:
    program = (
        "from pipeline import load_bundle, run\nfrom pipeline.errors import ConfigError\n"
        f"try:\n    {asked}\nexcept ConfigError as error:\n    print(error)\n"
    )
    done = call(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Edgeline needs Linux or macOS; this is Windows.")


def test_version_and_help_are_said_on_windows(tmp_path: Path) -> None:
    for option in ("--help", "--version"):
        done = call(f"from pipeline.cli import main\nsys.exit(main(['{option}']))", tmp_path)
        assert done.returncode == 0, done.stderr
