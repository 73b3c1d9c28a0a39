"""Folders of images as people have them: mixed sizes and modes, broken and foreign files, parts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.image_folder import read_image
from pipeline.data.source_fingerprint import source_state
from pipeline.errors import ConfigError
from pipeline.ondevice.image import resize_image
from tests.conftest import prepare_data

TEXT = """
name: small
task: classification
data:
  source: {kind: image_folder, path: PATH, height: 8, width: 6}
  split: {test: 0.25, validation: 0.25}
model: {kind: cnn, filters: [4], dense: [8]}
"""
LEVELS = {"cat": 40, "dog": 200}


def save(path: Path, level: int, size: tuple[int, int] = (12, 16), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (level, 0, 0) if mode == "RGB" else level
    Image.new(mode, size, color).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for name, level in LEVELS.items():
        for i in range(8):
            save(root / name / f"{i}.png", level + i, size=(10 + i, 20))
    return root


@pytest.fixture
def prepared(
    tmp_path: Path, make_config: Callable[..., Config]
) -> Callable[..., tuple[Dataset, dict[str, Any]]]:
    def prepare(root: Path, *overrides: str) -> tuple[Dataset, dict[str, Any]]:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        config = make_config(*overrides, text=TEXT.replace("PATH", json.dumps(str(root))))
        prepare_data(config, out)
        dataset = open_dataset(out)
        return dataset, {finding.code: finding for finding in dataset.meta.findings}

    return prepare


def test_every_image_is_there_with_its_class_resized(prepared, folder: Path) -> None:  # type: ignore[no-untyped-def]
    dataset, _ = prepared(folder)
    values = dataset.read(np.arange(16))["image"]
    assert values.shape == (16, 8, 6, 3)
    assert values.dtype == np.uint8
    assert dataset.class_names == ("cat", "dog")
    for sample_id, value, label in zip(dataset.ids, values, dataset.labels, strict=True):
        name, number = sample_id.removesuffix(".png").split("/")
        assert dataset.class_names[label] == name
        assert value[..., 0].max() == LEVELS[name] + int(number)


def test_other_and_broken_files_are_left_out_and_named(prepared, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "LICENSE").write_text("free")
    (folder / "cat" / "notes.txt").write_text("a cat")
    whole = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "text.jpg").write_text("no image")
    (folder / "dog" / "empty.jpg").write_text("")
    dataset, findings = prepared(folder)
    assert len(dataset.ids) == 16
    assert findings["other_files"].count == 2
    assert "LICENSE" in findings["other_files"].text
    assert findings["unreadable_images"].count == 3
    assert findings["unreadable_images"].level == "warning"
    assert all(name in findings["unreadable_images"].text for name in ("cut", "text", "empty"))


def test_part_folders_are_kept(prepared, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = tmp_path / "parts"
    for part, count in {"train": 6, "val": 3, "test": 2}.items():
        for name, level in LEVELS.items():
            for i in range(count):
                save(root / part / name / f"{i}.png", level + 10 * i + len(part))
    dataset, _ = prepared(root, "data.split.by=given")
    sizes = {name: len(dataset.split(name)) for name in ("train", "validation", "test")}
    assert sizes == {"train": 12, "validation": 6, "test": 4}
    assert all(i.startswith("test/") for i in dataset.ids[dataset.split("test")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: root.rename(root.with_name("away")),
            "wanted a folder or file; there is none",
        ),
        (lambda root: [p.unlink() for p in (root / "cat").iterdir()], "no image file .* cat"),
        (lambda root: save(root / "train" / "cat" / "1.png", 3), "holds train beside cat, dog"),
        (lambda root: (root / "dog").rename(root / "cat" / "dog"), "holds 1 class folder; wanted"),
    ],
)
def test_a_folder_laid_out_wrongly_is_refused(prepared, folder: Path, change, message) -> None:  # type: ignore[no-untyped-def]
    change(folder)
    with pytest.raises(ConfigError, match=message):
        prepared(folder)


def test_a_folder_is_read_again_when_a_file_changes(
    folder: Path, make_config: Callable[..., Config]
) -> None:
    config = make_config(text=TEXT.replace("PATH", json.dumps(str(folder))))

    def state() -> str | None:
        return source_state(config.data.source, folder.parent)

    before = state()
    assert state() == before
    save(folder / "cat" / "new.png", 3)
    assert state() != before


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_every_mode_becomes_eight_bits(tmp_path: Path, mode: str, color: str) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    Image.new(mode, (4, 4), 30_000 if mode == "I;16" else None or 0).save(path)
    found = read_image(path, height=4, width=4, color=color)  # type: ignore[arg-type]
    assert found.dtype == np.uint8
    assert found.shape == (4, 4, 1 if color == "gray" else 3)
    if mode == "I;16":
        assert (found == 30_000 >> 8).all()


def test_a_photo_taken_sideways_is_set_upright(tmp_path: Path) -> None:
    picture = Image.new("L", (8, 4))
    picture.paste(255, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    found = read_image(tmp_path / "a.png", height=8, width=4, color="gray")[..., 0]
    assert (found[:4] == 255).all()
    assert (found[4:] == 0).all()


@pytest.mark.parametrize("size", [(5, 7), (16, 16), (33, 9), (3, 40)])
def test_resizing_is_pillows_bilinear_within_one_level(
    rng: np.random.Generator, size: tuple[int, int]
) -> None:
    image = rng.integers(0, 256, (16, 21, 3)).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    ours = resize_image(image, *size)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
