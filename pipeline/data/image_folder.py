"""Images in class subfolders, or in train / validation / test folders of class subfolders.

One image is in memory at a time. What is no image, or cannot be read, is left out and reported.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.schema import ImageFolderSource
from pipeline.data.findings import left_out
from pipeline.data.images import SUFFIXES, UNREADABLE, read_image
from pipeline.data.samples import Chunk, Input, Source
from pipeline.data.watch import walk
from pipeline.errors import ConfigError

PARTS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
LAYOUT = "one subfolder a class, or train / validation / test folders of class subfolders"


@dataclass(frozen=True)
class Listed:
    """An image file that belongs to a class."""

    path: Path
    label: str
    part: str | None


def open_image_folder(source: ImageFolderSource, base: Path) -> Source:
    """List the folder and judge what is there; images are decoded when the chunks are asked for.

    Raises:
        ConfigError: the folder is not there, or not laid out as LAYOUT says, or a class is empty.
    """
    root = base / Path(source.path).expanduser()
    if not root.is_dir():
        raise ConfigError(
            f"data.source.path: {root} is not a folder; wanted a folder of images, "
            "relative to the folder of the config file"
        )
    folders = _class_folders(root)
    listed = [
        Listed(path, folder.name, part)
        for folder, part in folders
        for path in walk(folder)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    names = sorted({folder.name for folder, _ in folders})
    _refuse_few(root, names, {image.label for image in listed})
    taken = {image.path for image in listed}
    others = [path for path in walk(root) if path not in taken]
    return Source(
        (Input("image", "image"),),
        "class",
        tuple(names),
        lambda: _read(listed, others, names, source, root),
    )


def _class_folders(root: Path) -> list[tuple[Path, str | None]]:
    """Return (class folder, part) in order; the part is None where there are no part folders.

    A folder called `train` that holds images itself is a class of that name.
    """
    subfolders = _subfolders(root)
    parts = [
        folder for folder in subfolders if folder.name.lower() in PARTS and _subfolders(folder)
    ]
    if not parts:
        return [(folder, None) for folder in subfolders]
    strangers = [folder.name for folder in subfolders if folder not in parts]
    if strangers:
        raise ConfigError(
            f"data.source.path: {root} holds {', '.join(folder.name for folder in parts)} beside "
            f"{', '.join(strangers)}; wanted {LAYOUT}, not both; move or remove the others"
        )
    twice = [folder.name for folder in parts if PARTS[folder.name.lower()] == "validation"]
    if len(twice) > 1:
        raise ConfigError(f"data.source.path: {root}: {' and '.join(twice)} are one part; keep one")
    return [(folder, PARTS[part.name.lower()]) for part in parts for folder in _subfolders(part)]


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, save those that systems leave behind."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _refuse_few(root: Path, names: list[str], filled: set[str]) -> None:
    """Refuse fewer than two classes, and classes without an image."""
    if len(names) < 2:
        shown = f"{len(names)} class folder{'s' * (len(names) != 1)}"
        raise ConfigError(f"data.source.path: {root} holds {shown}; wanted two or more: {LAYOUT}")
    empty = [name for name in names if name not in filled]
    if empty:
        raise ConfigError(
            f"data.source.path: {root}: no image file ({' '.join(SUFFIXES)}) in class folder "
            f"{', '.join(empty)}; add some, or remove the folder"
        )


def _read(
    listed: list[Listed],
    others: list[Path],
    names: list[str],
    source: ImageFolderSource,
    root: Path,
) -> Iterator[Chunk]:
    """Yield one image after the other, then what was left out."""
    broken: list[str] = []
    labels = {name: np.array([number], np.int64) for number, name in enumerate(names)}
    for image in listed:
        try:
            pixels = read_image(
                image.path, height=source.height, width=source.width, color=source.color
            )
        except UNREADABLE as error:
            broken.append(f"{_name(image.path, root)} ({error})".replace(str(root) + os.sep, ""))
            continue
        yield Chunk(
            {"image": pixels[None]}, labels[image.label], [_name(image.path, root)], image.part
        )
    findings = (
        *left_out(
            "info",
            "other_files",
            "are no images and were left out",
            [_name(p, root) for p in others],
        ),
        *left_out("warning", "unreadable_images", "could not be decoded and were left out", broken),
    )
    yield Chunk({}, np.zeros(0, np.int64), [], findings=findings)


def _name(path: Path, root: Path) -> str:
    """Return a file's name below the root, with bytes that are no text spelt out."""
    return os.fsencode(path.relative_to(root).as_posix()).decode(errors="backslashreplace")
