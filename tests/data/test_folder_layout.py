"""Layouts of folders as Kaggle, Intel, Roboflow, Edge Impulse, UrbanSound and MVTec have them."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.config.folder_schema import Listing
from pipeline.config.schema import ImageFolderSource
from pipeline.data.class_folders import Classes, leavings, list_classes
from pipeline.data.file_source import classes_of
from pipeline.data.folder_layout import FIRST_WORD, part_of
from pipeline.data.listing import list_files
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError

PNG = (".png",)


def make(root: Path, names: Sequence[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def told(classes: Classes) -> set[tuple[str, str | None, str | None]]:
    return {(file.label, file.part, file.group) for file in classes.listed}


def files(folder: str, *, classes: Sequence[str] = ("cat", "dog"), count: int = 2) -> list[str]:
    return [f"{folder}/{name}/{i}.png" for name in classes for i in range(count)]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training", "Testing"),
        ("train", "eval"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("archive/training_set/training_set", "archive/test_set/test_set"),
        ("data/set/train", "data/set/test"),
        ("train_images", "test-images"),
    ],
)
def test_folders_of_parts_are_parts(tmp_path: Path, train: str, test: str) -> None:
    root = make(tmp_path / "set", files(train) + files(test))
    classes = list_classes(root, PNG, "image")
    assert classes.names == ["cat", "dog"]
    assert told(classes) == {(c, p, None) for c in ("cat", "dog") for p in ("train", "test")}


def test_a_class_called_train_stays_one(tmp_path: Path) -> None:
    root = make(tmp_path / "set", files(".", classes=("bus", "train", "car")))
    assert list_classes(root, PNG, "image").names == ["bus", "car", "train"]
    assert part_of("train_station") is None


def test_pictures_without_a_class_beside_the_parts_are_left_out(tmp_path: Path) -> None:
    names = files("seg_train") + files("seg_test") + ["seg_pred/1.png"]
    classes = list_classes(make(tmp_path / "set", names), PNG, "image")
    assert classes.names == ["cat", "dog"]
    assert [finding.code for finding in classes.findings] == ["unlabeled_folders"]


def test_folds_are_groups(tmp_path: Path) -> None:
    root = make(tmp_path / "set", files("fold1") + files("fold2"))
    classes = list_classes(root, PNG, "image")
    assert told(classes) == {(c, None, g) for c in ("cat", "dog") for g in ("fold1", "fold2")}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/1.png", "valid/2.png"], "train, valid, which are names of parts"),
        (["fold1/1.png", "fold2/2.png"], "fold1, fold2, which are names of parts, folds"),
        (["images/1.png", "masks/1.png"], "images, masks, which are names of parts, folds or for"),
        (["train/1.png", "train/_annotations.coco.json", "test/1.png"], "COCO's form"),
        (["images/1.png", "Annotations/1.xml"], "Pascal VOC's form"),
        (["train/images/1.png", "train/labels/1.txt", "test/images/1.png"], "YOLO's form"),
    ],
)
def test_parts_folds_and_formats_are_no_classes(
    tmp_path: Path, names: list[str], message: str
) -> None:
    root = make(tmp_path / "set", names)
    for path in walk(root):
        if path.suffix == ".xml":
            path.write_text("<annotation><object><bndbox></bndbox></object></annotation>")
        if path.suffix == ".txt":
            path.write_text("0 0.5 0.5 0.25 0.25\n")
    with pytest.raises(ConfigError, match=message):
        list_classes(root, PNG, "image")


def test_edge_impulse_says_labels_in_a_file(tmp_path: Path) -> None:
    root = make(tmp_path / "set", ["training/a.1.png", "testing/b.2.png"])
    label = {"type": "label", "label": "b"}
    entries = [
        {"path": "training/a.1.png", "category": "training", "label": label | {"label": "a"}},
        {"path": "testing/b.2.png", "category": "testing", "label": label},
    ]
    (root / "info.labels").write_text(json.dumps({"version": 1, "files": entries}))
    classes = list_classes(root, PNG, "image")
    assert told(classes) == {("a", "train", None), ("b", "test", None)}


def test_flat_parts_whose_names_begin_with_the_class_get_the_pattern(tmp_path: Path) -> None:
    names = [f"{p}/{c}.{i}.png" for p in ("training", "testing") for c in "ab" for i in range(3)]
    root = make(tmp_path / "set", names)
    with pytest.raises(ConfigError, match="names begin with the class"):
        list_classes(root, PNG, "image")
    source = ImageFolderSource(
        kind="image_folder", path=str(root), height=8, width=8, label_pattern=FIRST_WORD
    )
    classes = classes_of(source, tmp_path, PNG, what="image")
    assert told(classes) == {(c, p, None) for c in "ab" for p in ("train", "test")}


def test_a_listing_names_files_classes_folds_and_parts(tmp_path: Path) -> None:
    root = make(tmp_path / "urban", ["audio/fold1/a.wav", "audio/fold2/b.wav"])
    (root / "metadata").mkdir()
    table = root / "metadata" / "list.csv"
    table.write_text("slice_file_name,fold,classID,class\na.wav,1,0,horn\nb.wav,2,1,dog\n")
    classes = list_files(table, Listing(), (".wav",))
    assert told(classes) == {("horn", None, "1"), ("dog", None, "2")}
    assert {Path(file.path).name for file in classes.listed} == {"a.wav", "b.wav"}
    named = Listing(path="slice_file_name", label="classID", group="class")
    assert told(list_files(table, named, (".wav",))) == {("0", None, "horn"), ("1", None, "dog")}
    with pytest.raises(ConfigError, match="no column 'kind'; it has slice_file_name"):
        list_files(table, Listing(label="kind"), (".wav",))


def test_a_listing_may_name_absolute_paths_and_one_column_a_class(tmp_path: Path) -> None:
    root = make(tmp_path / "set", ["pictures/a.png", "pictures/b.png"])
    elsewhere = tmp_path / "lists"
    elsewhere.mkdir()
    table = elsewhere / "_classes.csv"
    rows = f"{root}/pictures/a.png,1,0\n{root}/pictures/b.png,0,1\n"
    table.write_text("filename, cat, dog\n" + rows)
    classes = list_files(table, Listing(), PNG)
    assert told(classes) == {("cat", None, None), ("dog", None, None)}
    source = ImageFolderSource(kind="image_folder", path=str(table), height=8, width=8)
    assert len(classes_of(source, tmp_path, PNG, what="image").listed) == 2


@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_archives_are_read_in_place(tmp_path: Path, form: str) -> None:
    make(tmp_path / "set", files("pets"))
    packed = shutil.make_archive(str(tmp_path / "pets"), form, tmp_path / "set")
    source = ImageFolderSource(kind="image_folder", path=packed, height=8, width=8)
    assert classes_of(source, tmp_path, PNG, what="image").names == ["cat", "dog"]
    Path(packed).write_bytes(Path(packed).read_bytes()[:40])
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        classes_of(source, tmp_path, PNG, what="image")


def test_a_loop_of_links_is_entered_once(tmp_path: Path) -> None:
    root = make(tmp_path / "set", files("."))
    os.symlink(root, root / "cat" / "loop")
    assert len(list(walk(root))) == 4


def test_classes_that_differ_in_spelling_are_one_question(tmp_path: Path) -> None:
    root = make(tmp_path / "set", files(".", classes=("ok", "OK", "bad")))
    source = ImageFolderSource(kind="image_folder", path=str(root), height=8, width=8)
    with pytest.raises(ConfigError, match="'OK' = 'ok'; say merge for 2 classes, or keep for 3"):
        classes_of(source, tmp_path, PNG, what="image")
    merged = source.model_copy(update={"labels_alike": "merge"})
    assert classes_of(merged, tmp_path, PNG, what="image").names == ["OK", "bad"]


def test_a_class_that_cannot_be_read_stops(tmp_path: Path) -> None:
    classes = list_classes(make(tmp_path / "set", files(".", count=4)), PNG, "image")
    broken = [(file, "no image") for file in classes.listed if file.label == "dog"]
    with pytest.raises(ConfigError, match=r"4 of 4 files of class dog .* dog/0.png \(no image\)"):
        leavings(classes, broken, "image")
    assert [found.count for found in leavings(classes, broken[:2], "image")] == [2]
