"""Common corruptions of images: by lens, sensor, light or storage. Pure NumPy.

After Hendrycks and Dietterich 2019 (arXiv:1903.12261), with the constants of their severities 1, 3
and 5 for small pictures (CIFAR-10-C). We differ in three: blur is Gaussian; brightness is added to
every channel rather than to the value of HSV; and JPEG is its transform and rounding of each
channel by the table for luminance, without its color threat.

Legend: x is (N, H, W, C) in [0, 1], float32.
"""

from collections.abc import Callable

import numpy as np

from pipeline.arrays import Array

SEVERITIES = (1, 3, 5)
BLOCK = 8  # of JPEG
# Annex K, table K.1 of ITU-T T.81: what is rounded off each frequency, at quality 50.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float64,
)


def _gaussian_noise(x: Array, deviation: float, draw: np.random.Generator) -> Array:
    return x + deviation * draw.standard_normal(x.shape)


def _shot_noise(x: Array, photons: float, draw: np.random.Generator) -> Array:
    return draw.poisson(x.astype(np.float64) * photons) / photons


def _blur(x: Array, sigma: float, draw: np.random.Generator) -> Array:
    reach = max(1, int(np.ceil(3 * sigma)))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    for axis in (1, 2):
        pads = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
        wide, size = np.pad(x, pads, mode="edge"), x.shape[axis]
        indices = [np.arange(start, start + size) for start in range(len(weights))]
        x = sum(w * wide.take(p, axis) for w, p in zip(weights, indices, strict=True))
    return x


def _contrast(x: Array, factor: float, draw: np.random.Generator) -> Array:
    mean = x.mean(axis=(1, 2), keepdims=True)
    return (x - mean) * factor + mean


def _brightness(x: Array, added: float, draw: np.random.Generator) -> Array:
    return x + added


def _pixelate(x: Array, scale: float, draw: np.random.Generator) -> Array:
    """Shrink by boxes and enlarge by the nearest."""
    for axis in (1, 2):
        size = x.shape[axis]
        small = max(1, int(size * scale))
        edges = np.linspace(0, size, small + 1)
        cover = np.clip(
            np.minimum(edges[1:, None], np.arange(1, size + 1))
            - np.maximum(edges[:-1, None], np.arange(size)),
            0,
            None,
        )
        cover /= cover.sum(axis=1, keepdims=True)
        nearest = np.minimum((np.arange(size) + 0.5) * small // size, small - 1).astype(int)
        x = np.moveaxis(np.tensordot(cover[nearest], x, axes=(1, axis)), 0, axis)
    return x


def _jpeg(x: Array, quality: float, draw: np.random.Generator) -> Array:
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    table = np.clip(np.floor(LUMINANCE * scale + 0.5), 1, 255)
    count, height, width, channels = x.shape
    pads = [(0, 0), (0, -height % BLOCK), (0, -width % BLOCK), (0, 0)]
    wide = np.pad(np.asarray(x, np.float64) * 255 - 128, pads, mode="edge")
    _, tall, long, _ = wide.shape
    blocks = wide.reshape(count, tall // BLOCK, BLOCK, long // BLOCK, BLOCK, channels)
    basis = _cosines()
    waves = np.einsum("ui,nyixjc,vj->nyuxvc", basis, blocks, basis, optimize=True)
    steps = table[None, None, :, None, :, None]
    near = np.round(waves / steps) * steps
    back = np.einsum("ui,nyuxvc,vj->nyixjc", basis, near, basis, optimize=True)
    return (np.round(back.reshape(wide.shape)) + 128)[:, :height, :width] / 255


def _cosines() -> Array:
    """Return the orthonormal cosine transform of a block, type II (8, 8)."""
    k = np.arange(BLOCK)
    basis = np.cos(np.pi * (2 * k + 1) * k[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    return basis


Corrupt = Callable[[Array, float, np.random.Generator], Array]
# Name -> how, and its constant at each of SEVERITIES.
CORRUPTIONS: dict[str, tuple[Corrupt, tuple[float, float, float]]] = {
    "gaussian noise": (_gaussian_noise, (0.04, 0.08, 0.10)),
    "shot noise": (_shot_noise, (500, 100, 50)),
    "blur": (_blur, (0.4, 0.7, 1.0)),
    "contrast": (_contrast, (0.75, 0.4, 0.15)),
    "brightness": (_brightness, (0.05, 0.15, 0.3)),
    "pixelate": (_pixelate, (0.95, 0.85, 0.65)),
    "jpeg": (_jpeg, (80, 58, 40)),
}


def corrupt_images(x: Array, name: str, severity: int, *, seed: int) -> Array:
    """Return images (N, H, W, C) with one corruption, float32 in [0, 1].

    Args:
        x: images; not modified.
        name: key of CORRUPTIONS.
        severity: one of SEVERITIES.
        seed: of the noise.
    """
    corrupt, constants = CORRUPTIONS[name]
    draw = np.random.Generator(np.random.Philox(seed))
    changed = corrupt(x, constants[SEVERITIES.index(severity)], draw)
    return np.asarray(np.clip(changed, 0, 1), np.float32)
