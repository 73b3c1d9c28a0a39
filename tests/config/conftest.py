"""The shipped configs beside the generated sets that some of them read."""

from pathlib import Path

import pytest


@pytest.fixture
def shipped(sets: Path) -> Path:
    """Return a folder of the shipped configs, whose generated sets are there."""
    return sets / "configs"
