"""The documentation's pages, and a small world in which their commands run."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import read_json
from pipeline.bundle.readme import readme
from tests.bundle.test_readme import manifest
from tests.device.tiny import INPUTS, seal, write_bundle
from tests.documents.manifests import make_manifest

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
TEXT = "\n".join(PAGES.values())
CONFIG = """
name: small
task: classification
data: {source: {kind: csv, path: table.csv, label: label}}
model: {kind: mlp, units: [4]}
"""


@dataclass(frozen=True)
class World:
    """A folder to run commands in, and what names in the pages stand for there."""

    folder: Path
    names: dict[str, str]
    done: list[list[str]]
    """Arguments of `edgeline` that were run already."""

    def put(self, words: list[str]) -> list[str]:
        """Return a command's words with the names replaced."""
        found: list[str] = []
        for word in words:
            found += self.names.get(word, word).split()
        return found


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a world with a tiny bundle and a small table; digits_cnn's config beside them."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "exported").mkdir()
    bundle = write_bundle(folder / "exported" / "digits_cnn")
    told = read_json(bundle / "manifest.json")
    told |= {"labels": ["low", "middle", "high"], "seed": 0, "remedies": [], "advice": []}
    seal(bundle, {key: value for key, value in told.items() if key != "files"})
    np.savetxt(folder / "sample.csv", np.ones((1, INPUTS)), delimiter=",")
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    (folder / "table.csv").write_text("size,age,label\n" + "\n".join(rows) + "\n")
    (folder / "small.yaml").write_text(CONFIG)
    (folder / "configs").mkdir()
    shutil.copyfile(ROOT / "configs" / "digits_cnn.yaml", folder / "configs" / "digits_cnn.yaml")
    return World(folder, NAMES, [])


# What the pages' placeholders and example names stand for, in the folder of the world.
NAMES = {
    "CONFIG": "small.yaml",
    "BUNDLE": "exported/digits_cnn",
    "RUN_OR_BUNDLE": "exported/digits_cnn",
    "A": "exported/digits_cnn",
    "B...": "exported/digits_cnn",
    "FILE": "new.yaml",
    "FILE...": "sample.csv",
    "PATH": "table.csv",
    "../pets": "table.csv",
    "INPUT": "sample.csv",
    "photo.jpg": "sample.csv",
    "MODEL": "exported/digits_cnn/model_int8.tflite",
    "model_int8_edgetpu.tflite": "model_int8.tflite",
    "HOST:PORT": "10.0.0.1:8470",
    "N": "2",
    "NAME": "litert",
    "DIR": "there",
    "key=value": "train.epochs=3",
    "harden": "train",  # `--force harden`, in a config that hardens nothing
}


@pytest.fixture(scope="session")
def bundle_readme() -> str:
    """Return a bundle's README."""
    return readme(make_manifest(manifest("int8", "int8", "image")))
