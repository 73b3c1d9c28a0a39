"""Generated sets and the configs that read them, each copied so that a test may break it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load
from pipeline.data.dataset import Dataset, open_dataset
from tests.conftest import SHIPPED, prepare_data

GENERATED = [p.name for p in SHIPPED if "runs/generated" in p.read_text()]
BUNDLED = [p.name for p in SHIPPED if "kind: bundled" in p.read_text()]


@pytest.fixture
def own_sets(sets: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return Path(shutil.copytree(sets, tmp_path / "own"))


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Dataset]:
    """Return (root of the sets, name of a config, *overrides) -> the prepared dataset."""

    def call(root: Path, name: str, *overrides: str) -> Dataset:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        config = load(root / "configs" / f"{name}.yaml", overrides)
        prepare_data(config, out, root / "configs")
        return open_dataset(out)

    return call


def findings(dataset: Dataset) -> dict[str, Any]:
    """Return code -> finding."""
    return {finding.code: finding for finding in dataset.meta.findings}
