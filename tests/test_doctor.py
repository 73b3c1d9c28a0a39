"""The doctor looks without TensorFlow, and says how to get what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.doctor import examine

ROOT = Path(__file__).parents[1]


def test_it_looks_at_every_group_without_loading_tensorflow() -> None:
    code = (
        "import sys; from pipeline.doctor import examine; print(*examine());"
        "sys.exit(1 if 'tensorflow' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "packages", "devices", "runtimes", "compilers", "data", "tracking",
    ]  # fmt: skip


def test_what_is_missing_from_the_path_is_named_with_a_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    found = {finding.item: finding for group in examine().values() for finding in group}
    assert not found["edgetpu_compiler"].is_there
    assert "coral" in found["edgetpu_compiler"].cure
    assert not found["gpu"].is_there
    assert "apt-get install chromium" in found["browser"].cure
    assert "openssh-client" in found["ssh"].cure
    assert found["prepared tfds sets"].detail == f"none in {tmp_path}"


def test_prepared_sets_are_listed_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("mnist/3.0.1", "emnist/letters/3.1.0"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "dataset_info.json").write_text("{}")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    (found,) = [f for f in examine()["data"] if f.item == "prepared tfds sets"]
    assert found.detail == f"emnist, mnist in {tmp_path}"


def test_a_hanging_command_is_given_up() -> None:
    assert doctor._output([sys.executable, "-c", "import time; time.sleep(9)"], 0.2) is None
