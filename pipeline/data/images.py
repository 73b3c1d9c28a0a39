"""Decode image files and resize them, the same way and with the same bytes on every machine."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps

Array = np.ndarray[Any, np.dtype[Any]]

SUFFIXES = (  # what counts as an image file; any other file is reported and left out
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
MODES = {"gray": "L", "rgb": "RGB"}
WEIGHT_BITS = 14  # resize weights are whole numbers of 2**-14: every sum below is exact in float64


def read_image(path: Path, *, height: int, width: int, color: Literal["rgb", "gray"]) -> Array:
    """Return an image file as (height, width, channels) uint8, upright, transparency dropped.

    Raises:
        OSError, SyntaxError, ValueError: it is no image, or cut short (one of UNREADABLE).
    """
    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        pixels = np.asarray(_eight_bits(upright).convert(MODES[color]))
    return resize_image(pixels.reshape(*pixels.shape[:2], -1), height, width)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring depths that Pillow would clip, and palettes with transparency, into a plain mode.

    Raises:
        ValueError: pixels are floats or 32-bit numbers, whose range is unknown.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode}: pixels have no known range")
    return image.convert("RGBA") if "transparency" in image.info else image


def resize_image(image_uint8_HWC: Array, height: int, width: int) -> Array:
    """Return the image at another size: bilinear, and area-averaged where it shrinks.

    Pillow's scheme: a triangle filter as wide as the shrinking, rows first and then columns. The
    weights are whole numbers and nothing is rounded in between, so that every sum is exact and all
    machines give the same bytes; Pillow rounds twice and differs by 1 at most.

    Args:
        image_uint8_HWC: (height, width, channels), uint8; any size.
        height: rows wanted.
        width: columns wanted.
    """
    if image_uint8_HWC.shape[:2] == (height, width):
        return image_uint8_HWC
    rows = _resample(image_uint8_HWC, height)
    columns = _resample(rows.swapaxes(0, 1), width).swapaxes(0, 1)
    exact = np.floor(columns / 4.0**WEIGHT_BITS + 0.5)
    return np.ascontiguousarray(exact.astype(np.uint8))


def _resample(values: Array, size: int) -> Array:
    """Return weighted sums along the first axis (size, ...) float64, 2**WEIGHT_BITS as large."""
    found = np.empty((size, *values.shape[1:]), np.float64)
    for i, (start, weights) in enumerate(_windows(len(values), size)):
        window = values[start : start + len(weights)].astype(np.float64)
        found[i] = (weights @ window.reshape(len(weights), -1)).reshape(values.shape[1:])
    return found


@lru_cache(maxsize=256)
def _windows(length: int, size: int) -> tuple[tuple[int, Array], ...]:
    """Return the first input place of each output place, and whole-number weights from there."""
    scale = length / size
    reach = max(scale, 1.0)
    windows = []
    for i in range(size):
        center = (i + 0.5) * scale
        start, stop = max(0, int(center - reach + 0.5)), min(length, int(center + reach + 0.5))
        share = np.maximum(0.0, 1 - np.abs((np.arange(start, stop) + 0.5 - center) / reach))
        weights = np.round(share / share.sum() * 2**WEIGHT_BITS)
        weights[weights.argmax()] += 2**WEIGHT_BITS - weights.sum()
        windows.append((start, weights))
    return tuple(windows)
