"""Decode image files at one size, by the functions that ship in the device runner."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from pipeline.arrays import Array
from pipeline.ondevice.image import decode_image, resize_image

SUFFIXES = (  # what counts as an image file; any other file is reported and left out
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_image(path: Path, *, height: int, width: int, color: Literal["rgb", "gray"]) -> Array:
    """Return an image file as (height, width, channels) uint8, upright, transparency dropped.

    Raises:
        OSError, SyntaxError, ValueError: it is no image, or cut short (one of UNREADABLE).
    """
    return np.asarray(resize_image(decode_image(path, color), height, width))
