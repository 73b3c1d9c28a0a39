"""Files from elsewhere: whatever they hold, they are described or refused with their name."""

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtifactError
from pipeline.export.inspect import inspect, sizes, weights_of, zero_weights
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
    assert [row.name for row in found.inputs] == ["features", "aux"]
    assert found.output.name == "probabilities"
    assert found.input == found.inputs[0]


def test_zipped_bytes_are_those_of_gzip_at_any_time(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    first = sizes(path)
    assert first.bytes == len(content)
    assert first.bytes_gzip == len(gzip.compress(content, 9, mtime=0)) < len(content)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert sizes(path) == first


@pytest.mark.parametrize("form", ["float32", "float16", "int8"])
def test_the_weights_of_a_file_are_those_of_the_model(models: dict[str, Made], form: str) -> None:
    from pipeline.models.save import load_keras

    made = models["value"]  # its normalization is behind an activation: kernels are stored as is
    kernels = [w.numpy() for w in load_keras(made.folder / "model.keras").weights if w.ndim > 1]
    found = list(weights_of(made.file(form)).values())
    assert sorted(x.size for x in found) == sorted(x.size for x in kernels)
    assert {x.dtype.name for x in found} == {form}
    share = zero_weights(made.file(form))
    counted = sum(int((x == 0).sum()) for x in found) / sum(x.size for x in found)
    assert share == counted
    assert (share > 0) == (form == "int8")  # the smallest round to zero
