"""Images in class subfolders, or in train / validation / test folders of class subfolders.

One image is in memory at a time. Files that cannot be read as images are left out and reported.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.config.schema import ImageFolderSource
from pipeline.data.class_folders import Broken, Classes, file_name, leavings, without_root
from pipeline.data.file_source import classes_of
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.errors import ConfigError
from pipeline.ondevice.image import decode_image, is_deep, open_image, resize_image
from pipeline.samples.kind import Input

SUFFIXES = (  # what counts as an image file; any other file is reported and left out
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
LOOKED = 200  # files by which the range of deep pixels is fitted
FAR = 0.001  # fraction of pixels of a file at each end that the range leaves out
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def open_image_folder(source: ImageFolderSource, base: Path, report: str | None) -> Source:
    """List and check the folder; images are decoded when the chunks are read.

    Raises:
        ConfigError: the folder is not there, or laid out wrongly, or a class is empty.
    """
    classes = classes_of(source, base, SUFFIXES, what="image")
    value_range, found = _value_range(source, classes)
    classes = replace(classes, findings=(*classes.findings, *found))
    cells = {"background": list(source.background), "value_range": value_range}
    spec = Input("image", "image", cells=cells)
    return Source((spec,), "class", tuple(classes.names), lambda: _read(classes, source, cells))


def _value_range(
    source: ImageFolderSource, classes: Classes
) -> tuple[list[float] | None, tuple[Finding, ...]]:
    """Return the values that become black and white, and a finding; None: no deep pixels are seen.

    Raises:
        ConfigError: the range that is asked for has no width.
    """
    if source.value_range is not None:
        low, high = source.value_range
        if low >= high:
            raise ConfigError(f"data.source.value_range: {low:g} is not below {high:g}")
        return [low, high], ()
    files = [file.path for file in classes.listed if file.part in (None, "train")]
    ends = []
    for path in files[:: max(1, len(files) // LOOKED)]:
        with contextlib.suppress(*UNREADABLE), open_image(path) as image:
            if is_deep(image):
                pixels = np.asarray(image)
                ends.append(np.quantile(pixels[np.isfinite(pixels)], (FAR, 1 - FAR)))
    if not ends:
        return None, ()
    low, high = float(min(a for a, _ in ends)), float(max(b for _, b in ends))
    high = high if high > low else low + 1
    text = (
        f"Pixels of 16 bits or floats: {low:g} becomes black and {high:g} white, here and on the "
        "device (data.source.value_range)."
    )
    return [low, high], (Finding("info", "value_range", text, len(ends)),)


def _read(classes: Classes, source: ImageFolderSource, cells: Mapping[str, Any]) -> Iterator[Chunk]:
    """Yield one image after the other, then findings on what is left out."""
    broken: list[Broken] = []
    root = classes.root
    labels = {name: np.array([number], np.int64) for number, name in enumerate(classes.names)}
    for image in classes.listed:
        name = file_name(image.path, root)
        try:
            decoded = decode_image(image.path, source.color, **cells)
            pixels = np.asarray(resize_image(decoded, source.height, source.width))
        except UNREADABLE as error:
            broken.append((image, without_root(error, root)))
            continue
        groups = None if image.group is None else [image.group]
        yield Chunk({"image": pixels[None]}, labels[image.label], [name], image.part, groups)
    yield Chunk({}, np.zeros(0, np.int64), [], findings=leavings(classes, broken, "image"))
