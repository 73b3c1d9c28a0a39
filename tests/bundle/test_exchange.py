"""Publishing: the old folder or the new one, never neither."""

import threading
from pathlib import Path

import pytest

from pipeline.artifacts import MANIFEST, describe_files, finish_swap
from pipeline.bundle.exchange import publish
from pipeline.documents.bundles import is_published
from pipeline.documents.stages import Published
from pipeline.errors import ArtifactError


def folder(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / "file.txt").write_text(content)
    (path / MANIFEST).write_text("{}")
    return path


def test_the_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = folder(tmp_path / "bundle", "old")
    publish(folder(tmp_path / "new", "new"), target)
    assert (target / "file.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_reader_always_finds_a_whole_bundle(tmp_path: Path) -> None:
    target, missing, done = folder(tmp_path / "bundle", "0"), [], threading.Event()

    def look() -> None:
        while not done.is_set():
            if not (target / "file.txt").exists():
                missing.append(1)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(200):
        publish(folder(tmp_path / "new", str(number)), target)
    done.set()
    reader.join()
    assert not missing


@pytest.mark.parametrize("stopped_after", ["first rename", "second rename"])
def test_a_swap_that_was_cut_short_is_finished(tmp_path: Path, stopped_after: str) -> None:
    target, new = folder(tmp_path / "bundle", "old"), folder(tmp_path / "new", "new")
    target.rename(tmp_path / "bundle.old")
    if stopped_after == "second rename":
        new.rename(target)
    finish_swap(new, target)
    assert (target / "file.txt").read_text() == "new"
    assert not (tmp_path / "bundle.old").exists()


def test_a_changed_file_is_an_error_and_a_missing_one_is_not(tmp_path: Path) -> None:
    bundle = folder(tmp_path / "bundle", "x")
    record = Published(files=describe_files(bundle))
    assert is_published(record, bundle)
    (bundle / "file.txt").write_text("y")
    with pytest.raises(ArtifactError, match=r"file\.txt.*--force bundle"):
        is_published(record, bundle)
    (bundle / "file.txt").unlink()
    assert not is_published(record, bundle)
