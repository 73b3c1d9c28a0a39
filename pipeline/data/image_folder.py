"""Images in class subfolders, or in train / validation / test folders of class subfolders.

One image is in memory at a time. Files that cannot be read as images are left out and reported.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from pipeline.arrays import Array
from pipeline.config.schema import ImageFolderSource
from pipeline.data.class_folders import Broken, Classes, file_name, leavings, without_root
from pipeline.data.file_source import classes_of
from pipeline.data.samples import Chunk, Source
from pipeline.ondevice.image import decode_image, resize_image
from pipeline.samples.kind import Input

SUFFIXES = (  # what counts as an image file; any other file is reported and left out
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def open_image_folder(source: ImageFolderSource, base: Path, report: str | None) -> Source:
    """List and check the folder; images are decoded when the chunks are read.

    Raises:
        ConfigError: the folder is not there, or laid out wrongly, or a class is empty.
    """
    classes = classes_of(source, base, SUFFIXES, what="image")
    return Source(
        (Input("image", "image"),), "class", tuple(classes.names), lambda: _read(classes, source)
    )


def _read(classes: Classes, source: ImageFolderSource) -> Iterator[Chunk]:
    """Yield one image after the other, then findings on what is left out."""
    broken: list[Broken] = []
    root = classes.root
    labels = {name: np.array([number], np.int64) for number, name in enumerate(classes.names)}
    for image in classes.listed:
        name = file_name(image.path, root)
        try:
            pixels = read_image(
                Path(image.path), height=source.height, width=source.width, color=source.color
            )
        except UNREADABLE as error:
            broken.append((image, why_unreadable(Path(image.path), without_root(error, root))))
            continue
        groups = None if image.group is None else [image.group]
        yield Chunk({"image": pixels[None]}, labels[image.label], [name], image.part, groups)
    yield Chunk({}, np.zeros(0, np.int64), [], findings=leavings(classes, broken, "image"))


def read_image(path: Path, *, height: int, width: int, color: Literal["rgb", "gray"]) -> Array:
    """Return an image file as (height, width, channels) uint8, upright, transparency dropped.

    Raises:
        OSError, SyntaxError, ValueError: it is no image, or cut short (one of UNREADABLE).
    """
    return np.asarray(resize_image(decode_image(path, color), height, width))


def why_unreadable(path: Path, error: str) -> str:
    """Return why an image could not be read: HEIC is named, which needs a reader of its own."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(12)
        if head[4:8] == b"ftyp" and head[8:12] in HEIC:
            return "HEIC: convert it, or pip install pillow-heif"
    return error
