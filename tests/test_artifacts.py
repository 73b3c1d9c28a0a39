"""Files that stages write: whole or not at all, hashed, swapped in so that crashes lose nothing."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import (
    KEY,
    MANIFEST,
    WORK,
    atomic_path,
    canonical_json,
    check_files,
    describe_files,
    finish_swap,
    read_json,
    swap_in,
    write_arrays,
    write_json,
)
from pipeline.errors import ArtifactError
from tests.documents.stages import seal_stage


def complete(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "result.txt").write_text(content)
    seal_stage(folder)
    return folder


def test_equal_values_give_equal_json_whatever_their_order() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == canonical_json({"a": [1.5, None], "b": 1})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail() -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_of_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_arrays(tmp_path / f"{name}.npz", {"x": np.arange(5), "y": "text"})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("written", [1, 64, 1 << 20])
def test_arrays_are_written_as_numpy_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """A large one is not copied for it."""
    monkeypatch.setattr(artifacts, "WRITTEN", written)
    arrays = {
        "whole": np.arange(100, dtype=np.int32),
        "text": np.array(["a", "words"]),
        "transposed": np.arange(12.0).reshape(3, 4).T,
        "every other": np.arange(50)[::2],
        "none": np.zeros((0, 3)),
        "number": np.float32(0.1),
        "moments": np.array(["2026-01-01"], "datetime64[s]"),
    }
    write_arrays(tmp_path / "ours.npz", arrays)
    np.savez(tmp_path / "numpy.npz", **arrays)  # type: ignore[arg-type]
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()


def test_what_varies_is_not_hashed(tmp_path: Path) -> None:
    complete(tmp_path / "stage", "x")
    for name in ("timings.json", "key", "work/checkpoint.npz", "tensorboard/events"):
        path = tmp_path / "stage" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("varies")
    assert list(describe_files(tmp_path / "stage")) == ["result.txt"]


def test_every_changed_or_missing_file_is_named_with_the_cure(tmp_path: Path) -> None:
    folder = complete(tmp_path / "stage", "x")
    (folder / "gone.txt").write_text("y")
    described = describe_files(folder)
    (folder / "gone.txt").unlink()
    (folder / "result.txt").write_text("z")
    with pytest.raises(ArtifactError) as caught:
        check_files(folder, described, "Run again.")
    message = str(caught.value)
    assert "result.txt: its sha256" in message
    assert "gone.txt: missing" in message
    assert message.count("Run again.") == 2


@pytest.mark.parametrize("content", ["", "{", "\x00"])
def test_a_torn_document_is_an_artifact_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"a\.json: not readable as JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ArtifactError, match=r"b\.json: missing"):
        read_json(tmp_path / "b.json")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(6))
def test_a_crash_anywhere_in_a_swap_leaves_a_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, at: int
) -> None:
    target, new = tmp_path / "train", tmp_path / "train.partial"
    if before:
        complete(target, "old")
    complete(new, "new")
    (new / WORK).mkdir()
    (new / KEY).write_text("k")
    steps = iter(range(100))

    def counted(real):  # type: ignore[no-untyped-def]
        def call(*arguments, **named):  # type: ignore[no-untyped-def]
            if next(steps) == at:
                raise Killed
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.artifacts.shutil.rmtree", counted(__import__("shutil").rmtree))
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        with contextlib.suppress(Killed):
            swap_in(new, target)
    finish_swap(new, target)
    assert (target / "result.txt").read_text() == "new"
    assert json.loads((target / MANIFEST).read_text())["outputs"]
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    assert not (target / KEY).exists()


def test_an_unfinished_folder_never_takes_the_place_of_a_finished_one(tmp_path: Path) -> None:
    target, new = complete(tmp_path / "train", "old"), tmp_path / "train.partial"
    new.mkdir()
    (new / "result.txt").write_text("half")
    finish_swap(new, target)
    assert (target / "result.txt").read_text() == "old"
