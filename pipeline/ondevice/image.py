"""Images: read a file, resize, scale."""

import functools
import logging
import warnings

import numpy as np

from pipeline.ondevice.bounds import MOST_PIXELS, check_pixels
from pipeline.ondevice.document import refuse_input

HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # brands of ISO files
WEIGHT_BITS = 14  # resize weights are whole numbers of 2**-14: every sum is exact in float64


def check_image_shape(raw, entry):
    """Refuse what is no (N, height, width, channels) with the channels of the input."""
    shape = tuple(entry.shape)
    if raw.ndim != 4 or raw.shape[3] != shape[2] or not min(raw.shape[1:3]):
        wanted = "samples of shape %s or of another height and width" % (shape,)
        refuse_input(entry, wanted, "%s" % (raw.shape[1:],), "give (N, height, width, channels)")


def fit_image_size(raw, entry):
    """Return images (N, H, W, C) at the height and width of the input.

    Raises:
        ValueError: they are of another size, and no uint8.
    """
    height, width = entry.shape[:2]
    if raw.shape[1:3] == (height, width):
        return raw
    if raw.dtype != np.uint8:
        wanted = "images of %d x %d, or uint8 ones of any size" % (height, width)
        refuse_input(entry, wanted, "%s %s" % (raw.dtype, raw.shape[1:3]), "resize them before")
    return np.stack([resize_image(image, height, width) for image in raw])


def resize_image(image, height, width):
    """Return a uint8 image (H, W, C) of any size as (height, width, C).

    Pillow's BILINEAR: a triangle filter, as wide as the reduction where it shrinks; rows first,
    then columns. Weights are whole numbers and nothing is rounded in between, so every sum is
    exact and all machines give the same bytes. Pillow rounds twice and differs by 1 at most.
    """
    if image.shape[:2] == (height, width):
        return image
    rows = _resample_rows(image, height)
    columns = _resample_rows(rows.swapaxes(0, 1), width).swapaxes(0, 1)
    exact = np.floor(columns / 4.0**WEIGHT_BITS + 0.5)
    return np.ascontiguousarray(exact.astype(np.uint8))


def _resample_rows(values, size):
    """Return weighted sums along the first axis, float64, 2**WEIGHT_BITS times as large."""
    resampled = np.empty((size, *values.shape[1:]), np.float64)
    for i, (start, weights) in enumerate(_resize_weights(len(values), size)):
        window = values[start : start + len(weights)].astype(np.float64)
        resampled[i] = (weights @ window.reshape(len(weights), -1)).reshape(values.shape[1:])
    return resampled


@functools.lru_cache(maxsize=256)
def _resize_weights(length, size):
    """Return the first input index of each output index, and the weights from there on."""
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


def scale_values(raw, entry):
    """Return images or plain numbers (N, ...) less an offset, times a scale; float32."""
    x = raw.astype(np.float32)  # a copy; in place from here on: memory costs more than arithmetic
    x -= np.asarray(entry.offset, np.float32)
    x *= np.asarray(entry.scale, np.float32)
    return x


def read_image(path, entry):
    """Return an image file as one sample (1, H, W, C), uint8."""
    return decode_image(path, entry.color, entry.background, value_range=entry.value_range)[None]


def decode_image(path, color, background, *, value_range=None):
    """Return an image file as uint8 (H, W, C): upright, eight bits, nothing transparent.

    Args:
        path: any format that Pillow reads; HEIC where pillow-heif is installed.
        color: gray for one channel; else red, green and blue.
        background: (R, G, B), the color behind transparent pixels.
        value_range: values of 16-bit and float pixels that become 0 and 255; None: such a file is
            refused.

    Raises:
        ValueError, OSError, SyntaxError: it is no image, or cut short.
    """
    with open_image(path) as file:
        check_pixels(path, *file.size)
        from PIL import Image, ImageOps

        image = ImageOps.exif_transpose(file)
        if is_deep(image):
            image = Image.fromarray(_scale_deep(path, np.asarray(image), value_range))
        if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
            image = image.convert("RGBA")
        if image.mode == "RGBA":
            image = Image.fromarray(composite_pixels(np.asarray(image), background))
        mode = "L" if color == "gray" else "RGB"
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(pixels.shape[0], pixels.shape[1], -1)


def open_image(path):
    """Return an image file, opened by Pillow.

    Raises:
        ValueError, OSError: it is no image, is too large, or a library is missing.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ValueError(
            "%s: reading images needs Pillow (pip install pillow); .npy works without" % path
        ) from error
    _register_heic(path)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it logs what it raises, too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own words on size
            return Image.open(path)
    except Image.DecompressionBombError:
        raise ValueError(
            "%s: more pixels than %d million, as it says: scale it down" % (path, MOST_PIXELS >> 20)
        ) from None


def _register_heic(path):
    """Have Pillow read HEIC where a file is of it, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] != b"ftyp" or head[8:12] not in HEIC:
        return
    try:
        import pillow_heif
    except ImportError:
        raise ValueError(
            "%s: a HEIC picture: pip install pillow-heif, or convert it" % path
        ) from None
    pillow_heif.register_heif_opener()


def is_deep(image):
    """Tell whether an image of Pillow has pixels of 16 bits, of 32 bits, or floats."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def _scale_deep(path, pixels, value_range):
    """Return pixels (H, W) of many bits as uint8, black and white at the ends of a range."""
    if value_range is None:
        raise ValueError(
            "%s: pixels of %s, and training saw none: save it with 8 bits" % (path, pixels.dtype)
        )
    if not np.isfinite(pixels).all():
        raise ValueError("%s: pixels that are NaN or infinite" % path)
    low, high = value_range
    unit = (pixels.astype(np.float64) - low) / (high - low)
    return np.floor(255 * np.clip(unit, 0.0, 1.0) + 0.5).astype(np.uint8)


def composite_pixels(pixels, background):
    """Return pixels (H, W, 4) before a color as (H, W, 3), uint8, rounded to the nearest."""
    alpha = pixels[..., 3:].astype(np.int64)
    behind = np.array(background, np.int64)
    mixed = pixels[..., :3] * alpha + behind * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
