"""Corruptions: they stay in range, grow with their severity, and do what they are called."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from pipeline.audit.corruptions import CORRUPTIONS, SEVERITIES, corrupt_images

Array = np.ndarray[Any, np.dtype[Any]]


def pictures(size: int = 24, channels: int = 3) -> Array:
    """Smooth pictures with an edge."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    one = np.stack([rows * columns, 0.5 + 0.4 * np.sin(6 * rows), columns > 0.5], axis=-1)
    return np.float32([one, 1 - one, one**2])[..., :channels]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("size", "channels"), [(24, 3), (7, 1), (1, 1)])
def test_a_corruption_keeps_shape_range_and_seed(name: str, size: int, channels: int) -> None:
    x = pictures(size, channels)
    for severity in SEVERITIES:
        found = corrupt_images(x, name, severity, seed=5)
        assert found.shape == x.shape
        assert found.dtype == np.float32
        assert 0 <= found.min() <= found.max() <= 1
        np.testing.assert_array_equal(found, corrupt_images(x, name, severity, seed=5))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_grows_with_its_severity(name: str) -> None:
    x = pictures()
    moved = [float(np.abs(corrupt_images(x, name, s, seed=5) - x).mean()) for s in SEVERITIES]
    assert 0 < moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("name", ["blur", "pixelate", "contrast", "jpeg"])
def test_an_even_picture_stays_as_it_is(name: str) -> None:
    x = np.full((1, 16, 16, 1), 128 / 255, np.float32)
    found = corrupt_images(x, name, SEVERITIES[-1], seed=0)
    assert np.abs(found - x).max() < 0.02


@pytest.mark.skipif(not features.check("jpg"), reason="Pillow without JPEG")
def test_jpeg_is_near_to_what_a_real_one_does(tmp_path: Any) -> None:
    x = np.round(pictures(24, 1) * 255) / 255
    for severity in SEVERITIES:
        ours = corrupt_images(np.float32(x), "jpeg", severity, seed=0)
        quality = int(CORRUPTIONS["jpeg"][1][SEVERITIES.index(severity)])
        for picture, mine in zip(x, ours, strict=True):
            drawn = Image.fromarray(np.uint8(picture[..., 0] * 255))
            drawn.save(tmp_path / "a.jpg", quality=quality)
            real = np.asarray(Image.open(tmp_path / "a.jpg")) / 255
            assert np.abs(real - mine[..., 0]).max() <= 3.5 / 255
