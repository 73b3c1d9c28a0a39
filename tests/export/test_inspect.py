"""Files from elsewhere: whatever they hold, they are described or refused with their name."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtifactError
from pipeline.export.inspect import inspect
from tests.export.conftest import Made


@pytest.fixture(scope="module")
def content(models: dict[str, Made]) -> bytes:
    return models["table"].file("int8").read_bytes()


def look(path: Path) -> bool:
    """Tell whether a file is described; any error but the one that names it fails the test."""
    try:
        inspect(path, "int8")
    except ArtifactError as error:
        return str(path) not in str(error)
    return True


@pytest.mark.parametrize("hostile", [b"", b"TFL3", b"hello, world", b"\0" * 64, b"\xff" * 4096])
def test_what_is_no_model_is_refused(hostile: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(hostile)
    assert not look(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert not look(tmp_path / "missing.tflite")


def test_a_torso_never_raises_anything_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    for length in range(8, len(content), 37):
        path.write_bytes(content[:length])
        look(path)


def test_flipped_bytes_never_raise_anything_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    generator = np.random.default_rng(0)
    for _ in range(150):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = generator.integers(8, len(damaged), 12)
        damaged[places] = generator.integers(0, 256, 12)
        path.write_bytes(damaged.tobytes())
        look(path)


def test_names_are_those_of_the_signature(models: dict[str, Made]) -> None:
    found = inspect(models["two"].file("int8"), "int8")
    assert [row["name"] for row in found["inputs"]] == ["features", "aux"]
    assert found["output"]["name"] == "probabilities"
    assert found["input"] == found["inputs"][0]
