"""Sources that others made: with 1 GB and 20 s of processor time they are read, or one message."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema import NpzSource
from pipeline.data.npz_source import open_npz
from pipeline.errors import ConfigError
from pipeline.ondevice.bounds import read_arrays, tensor_name

LIMITED = """
import resource, sys
from pathlib import Path
import pipeline.config.load, pipeline.data.csv_source, pipeline.data.npz_source
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from pipeline.config.schema import CsvSource, NpzSource
from pipeline.errors import ConfigError
path = Path(sys.argv[1])
try:
    if path.suffix == ".csv":
        categories = sys.argv[2] if len(sys.argv) > 2 else "one_hot"
        source = CsvSource(kind="csv", path=path.name, label="y", categories=categories)
        found = pipeline.data.csv_source.open_csv(source, path.parent, None)
    else:
        source = NpzSource(kind="npz", path=path.name, inputs=("x",), label="y")
        found = pipeline.data.npz_source.open_npz(source, path.parent, None)
    print(sum(len(chunk.labels) for chunk in found.chunks()))
except ConfigError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


def read(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def table(path: Path, columns: int, rows: int, *, words: bool = False) -> None:
    """Write a table of numbers, or of few words, with a label of two classes."""
    lines = [",".join([*(f"c{i}" for i in range(columns)), "y"])]
    for row in range(rows):
        cells = "ab"[row % 2] if words else str(row * row % 7)
        lines.append(",".join([cells] * columns + ["no" if row % 3 else "yes"]))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("categories", ["one_hot", "embedding"])
def test_a_table_of_20000_columns_is_read(tmp_path: Path, categories: str) -> None:
    table(tmp_path / "a.csv", 20_000, 20, words=categories == "embedding")
    done = read(tmp_path / "a.csv", categories)
    assert (done.returncode, done.stdout.strip()) == (0, "20"), done.stderr


def test_a_table_of_300000_columns_is_one_message(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 300_000, 3)
    done = read(tmp_path / "a.csv")
    assert done.returncode == 2
    assert "300,001 columns; wanted 65,536 at most" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_column_that_is_not_there_lists_no_thousands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",".join(f"c{i}" for i in range(5000)) + "\n1\n")
    done = read(tmp_path / "a.csv")
    assert done.returncode == 2
    assert len(done.stderr) < 1000
    assert "and 4980 more" in done.stderr


def packed(path: Path, shape: tuple[int, ...], *, content: int = 0) -> None:
    """Write a .npz whose array x declares a shape and inflates to `content` bytes."""
    head = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, form)
    labels = io.BytesIO()
    np.save(labels, np.arange(shape[0] if 0 < shape[0] < 100_000 else 2) % 2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("y.npy", labels.getvalue())
        with file.open("x.npy", "w", force_zip64=True) as stream:
            stream.write(head.getvalue())
            for _ in range(content >> 20):
                stream.write(bytes(1 << 20))


def directory(path: Path, place: int, value: bytes) -> None:
    """Write an archive whose directory says something else about its first file."""
    packed(path, (2, 4))
    content = bytearray(path.read_bytes())
    begin = content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02"))
    content[begin + place : begin + place + len(value)] = value
    path.write_bytes(content)


def _moved(path: Path) -> bytes:
    """Return an archive that has lost bytes amid its first array."""
    packed(path, (2, 4), content=1 << 20)
    content = path.read_bytes()
    return content[:40] + content[400:]


WRONG: dict[str, Callable[[Path], None]] = {
    "a sample too large": lambda p: packed(p, (2, 1 << 40)),
    "columns too many": lambda p: packed(p, (2, 300_000)),
    "negative": lambda p: packed(p, (2, -4)),
    "cut": lambda p: packed(p, (2, 1000)),
    "behind a password": lambda p: directory(p, 8, b"\x01"),
    "of an unknown compression": lambda p: directory(p, 10, b"\x63"),
    "a name that is no text": lambda p: directory(p, 8, b"\x00\x08" + bytes(36) + b"\xff"),
    "before the archive's start": lambda p: p.write_bytes(_moved(p)),
    "other lengths": lambda p: packed(p, (1 << 50, 4)),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_absurd_array_is_one_message(tmp_path: Path, name: str) -> None:
    WRONG[name](tmp_path / "a.npz")
    done = read(tmp_path / "a.npz")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_large_samples_are_read_in_bounded_blocks(tmp_path: Path) -> None:
    packed(tmp_path / "a.npz", (300, 1000, 1000), content=300 * 4_000_000 + (1 << 20))
    done = read(tmp_path / "a.npz")
    assert (done.returncode, done.stdout.strip()) == (0, "300"), done.stderr


NAMES = ["a b", "a/c:0", "_x", "ünï", "-1", "x", "x.1", "y-1", "é/"]


def test_an_array_of_any_name_is_an_input_that_tensorflow_takes(tmp_path: Path) -> None:
    import tensorflow as tf

    path, rows = tmp_path / "a.npz", np.arange(8, dtype=np.float32).reshape(4, 2)
    given = {name: rows + i for i, name in enumerate(NAMES)}
    np.savez(path, y=np.arange(4) % 2, **given)  # type: ignore[arg-type]
    source = open_npz(NpzSource(kind="npz", path="a.npz", inputs=tuple(NAMES)), tmp_path, None)
    first, *rest = list(source.chunks())
    names = [one.name for one in source.inputs]
    assert list(first.inputs) == names
    known = read_arrays(str(path), names)
    for name, own in zip(NAMES, names, strict=True):
        with tf.Graph().as_default(), tf.name_scope(own):
            assert "/" not in own
        np.testing.assert_array_equal(first.inputs[own], given[name])
        np.testing.assert_array_equal(known[own], given[name])
    (found,) = [f for chunk in rest for f in chunk.findings if f.code == "renamed_inputs"]
    assert found.count == 6


def test_two_arrays_of_one_name_for_tensorflow_are_refused(tmp_path: Path) -> None:
    rows = {"a b": np.ones((4, 2), np.float32), "a/b": np.ones((4, 2), np.float32)}
    np.savez(tmp_path / "a.npz", y=np.arange(4) % 2, **rows)  # type: ignore[arg-type]
    source = NpzSource(kind="npz", path="a.npz", inputs=("a b", "a/b"))
    with pytest.raises(ConfigError, match="both 'a_b'"):
        open_npz(source, tmp_path, None)
    assert tensor_name("a_b") == "a_b"
