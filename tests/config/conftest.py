"""The shipped configs beside the generated sets that some of them read."""

import shutil
from pathlib import Path

import pytest

from pipeline.data.generate import generate

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the shipped configs, whose generated sets are there."""
    root = tmp_path_factory.mktemp("shipped")
    shutil.copytree(CONFIGS, root / "configs")
    generate(root / "runs" / "generated")
    return root / "configs"
