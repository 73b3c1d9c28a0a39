"""Forms of arrays that other libraries write: channels first, labels (N, 1) and one-hot."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.data.samples import Finding

CHANNELS = (1, 3)


def has_channels_first(shape: Sequence[int]) -> bool:
    """Tell whether images (N, C, H, W) have their channels first, as PyTorch has them."""
    return len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS


def channels_last(images: Array) -> Array:
    """Return images (N, C, H, W) as (N, H, W, C)."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def flat_labels(labels: Array) -> Array | None:
    """Return labels (N, 1), or one-hot ones (N, K), as (N,); None: they are neither.

    One-hot labels are zeros and a single one in each row, of whatever type.
    """
    if labels.ndim == 1:
        return labels
    if labels.ndim != 2 or not labels.shape[1] or labels.dtype.kind not in "biufU":
        return None
    if labels.shape[1] == 1:
        return labels[:, 0]
    if labels.dtype.kind == "U":
        return None
    is_one = labels == 1
    is_hot = bool(((labels == 0) | is_one).all() and (is_one.sum(axis=1) == 1).all())
    return is_one.argmax(axis=1).astype(np.int64) if is_hot else None


def form_findings(
    images: Mapping[str, Sequence[int]], label: str, shape: Sequence[int]
) -> tuple[Finding, ...]:
    """Return findings on arrays that are stored in the form of other libraries.

    Args:
        images: name -> shape of arrays of whole numbers.
        label: name of the array of labels.
        shape: of it.
    """
    found = []
    for name, own in images.items():
        if has_channels_first(own):
            text = f"{name} {tuple(own)} has its channels first (N, C, H, W): they were put last."
            found.append(Finding("info", "channels_first", text, own[0]))
    if len(shape) == 2 and shape[1] > 1:
        text = f"{label} {tuple(shape)} is one-hot: the class is where the one stands."
        found.append(Finding("info", "one_hot_labels", text, shape[1]))
    return tuple(found)
