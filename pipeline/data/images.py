"""Decode image files and resize them, the same way wherever a sample comes from."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.device.runner import resize_image

Array = np.ndarray[Any, np.dtype[Any]]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {"gray": "L", "rgb": "RGB"}
UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
)


def read_image(path: Path, *, height: int, width: int, color: Literal["rgb", "gray"]) -> Array:
    """Return an image file as (height, width, channels) uint8, turned upright by its EXIF mark.

    Raises:
        OSError, ValueError, SyntaxError: the file is not an image, or is cut short (UNREADABLE).
    """
    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        pixels = np.asarray(upright.convert(MODES[color]))
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return resize_image(pixels, height, width)
