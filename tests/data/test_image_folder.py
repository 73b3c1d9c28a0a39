"""Folders of images as people have them: mixed sizes and modes, broken and foreign files, parts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from pipeline.config.schema import Config, ImageFolderSource
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.image_folder import open_image_folder
from pipeline.data.source_fingerprint import source_state
from pipeline.errors import ConfigError
from pipeline.ondevice.image import composite_pixels, decode_image, resize_image
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


WHITE = (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_every_mode_becomes_eight_bits(tmp_path: Path, mode: str, color: str) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    Image.new(mode, (4, 4), 30_000 if mode == "I;16" else None or 0).save(path)
    found = decode_image(str(path), color, WHITE, value_range=(0, 60_000))
    assert found.dtype == np.uint8
    assert found.shape == (4, 4, 1 if color == "gray" else 3)
    if mode == "I;16":
        assert (found == 128).all()


def test_a_photo_taken_sideways_is_set_upright(tmp_path: Path) -> None:
    picture = Image.new("L", (8, 4))
    picture.paste(255, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    found = decode_image(str(tmp_path / "a.png"), "gray", WHITE)[..., 0]
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


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 128, 30)])
def test_what_a_transparent_pixel_hides_is_never_seen(
    rng: np.random.Generator, tmp_path: Path, background: tuple[int, int, int]
) -> None:
    pixels = rng.integers(0, 256, (16, 16, 4)).astype(np.uint8)
    pixels[:4, :, 3], pixels[4:8, :, 3] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = decode_image(str(tmp_path / "a.png"), "rgb", background)
    assert (found[:4] == background).all()
    np.testing.assert_array_equal(found[4:8], pixels[4:8, :, :3])
    share = pixels[..., 3:] / 255
    exact = pixels[..., :3] * share + np.array(background) * (1 - share)
    assert np.abs(found - exact).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(composite_pixels(pixels, background), found)


def test_the_hidden_color_of_classes_is_no_lesson(
    tmp_path: Path,
) -> None:
    """Cut-out pictures of two classes that differ in nothing but what is transparent."""
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.zeros((8, 8, 4), np.uint8)
            pixels[..., k] = 200
            pixels[2:4, 2:4] = (10 * i, 3, 3, 255)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    files = {p.name: decode_image(str(p), "rgb", WHITE) for p in (tmp_path / "set/cat").iterdir()}
    for path in (tmp_path / "set/dog").iterdir():
        np.testing.assert_array_equal(decode_image(str(path), "rgb", WHITE), files[path.name])


DEEP = {"a.png": np.uint16, "a.tif": np.uint16, "b.tif": np.float32, "c.tif": np.int32}


@pytest.mark.parametrize("name", DEEP)
def test_deep_pixels_keep_what_lies_in_the_range(tmp_path: Path, name: str) -> None:
    values = np.linspace(1000, 1400, 64).reshape(8, 8).astype(DEEP[name])  # 12 bits of an X-ray
    Image.fromarray(values).save(tmp_path / name)
    found = decode_image(str(tmp_path / name), "gray", WHITE, value_range=(1100, 1300))[..., 0]
    exact = 255 * np.clip((values.astype(float) - 1100) / 200, 0, 1)
    assert np.abs(found - exact).max() <= 0.5
    with pytest.raises(ValueError, match="training saw none"):
        decode_image(str(tmp_path / name), "gray", WHITE)


def test_the_range_of_deep_pixels_is_fitted_said_and_carried_to_the_device(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for name in ("cold", "warm"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(5):
            values = rng.integers(27_000, 31_000, (16, 16)).astype(np.uint16)  # hundredths of K
            Image.fromarray(values).save(tmp_path / "set" / name / f"{i}.png")
    fields = {"kind": "image_folder", "path": "set", "height": 16, "width": 16, "color": "gray"}
    opened = open_image_folder(ImageFolderSource.model_validate(fields), tmp_path, None)
    low, high = opened.inputs[0].cells["value_range"]
    assert 27_000 <= low < 27_200 < 30_800 < high <= 31_000
    *chunks, last = opened.chunks()
    assert "value_range" in {finding.code for finding in last.findings}
    pixels = np.concatenate([chunk.inputs["image"] for chunk in chunks])
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert len(np.unique(pixels)) > 200
    wrong = ImageFolderSource.model_validate(fields | {"value_range": (5, 5)})
    with pytest.raises(ConfigError, match="value_range: 5 is not below 5"):
        open_image_folder(wrong, tmp_path, None)


@pytest.mark.skipif(not features.check("avif"), reason="a Pillow without AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 30, 60)).save(tmp_path / "a.avif")
    found = decode_image(str(tmp_path / "a.avif"), "rgb", WHITE)
    assert np.abs(found.astype(int) - (200, 30, 60)).max() < 12


def test_heic_names_the_reader_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    with pytest.raises(ValueError, match="a HEIC picture: pip install pillow-heif, or convert"):
        decode_image(str(tmp_path / "a.jpg"), "rgb", WHITE)
