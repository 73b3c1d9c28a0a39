"""Images: pixels (H, W, C), whole numbers; a model input is in [0, 1]."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.preprocess import ImageEntry
from pipeline.ondevice.image import resize_image
from pipeline.samples.kind import (
    Fitted,
    Input,
    Kind,
    RawSamples,
    describe_input,
    invert_scaling,
    scale_values,
)

IMAGE_SCALES = {"uint8": 1 / 255, "uint16": 1 / 65535}  # to [0, 1]: where attacks state epsilon
OF_FILES: Mapping[str, Any] = {"background": [255, 255, 255], "value_range": None}
"""Fields of an entry on how image files are read, where the source does not say."""
LARGEST = 128  # pixels; larger images are shown reduced


def fit_image(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Return the encoding of images as model inputs in [0, 1]; it depends only on their raw type.

    Args:
        spec: the input.
        samples: raw images (N, H, W, C), uint8 or uint16.
        train: (n,), indices of the training samples; not read.

    Returns:
        The encoding, and no constant columns.
    """
    entry = ImageEntry(
        **describe_input(spec, list(samples.shape), samples),
        offset=0.0,
        scale=IMAGE_SCALES[str(samples.dtype)],
        color="gray" if samples.shape[-1] == 1 else "rgb",
        **{**OF_FILES, **spec.cells},
    )
    return entry, []


def reduce_images(images: Array, entry: ImageEntry) -> Array:
    """Return images (N, H, W, C) with sides of at most LARGEST, in proportion; only of uint8."""
    height, width = images.shape[1:3]
    share = min(1.0, LARGEST / max(height, width))
    if share == 1.0 or images.dtype != np.uint8 or not len(images):
        return images
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return np.stack([resize_image(image, *size) for image in images])


IMAGE = Kind(
    fit=fit_image,
    encode=scale_values,
    raw_unit=invert_scaling,
    form="image",
    smoothing_axes=2,
    levels_from="dtype",
    has_fixed_range=True,
    near_duplicate_distance=0.1,
    file_suffix="png",
    shorten_samples=reduce_images,
)
