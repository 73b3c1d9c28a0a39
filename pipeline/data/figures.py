"""Figures of the data that the report shows: a few images, and what is where."""

from collections.abc import Sequence

import numpy as np

from pipeline.data.dataset import PARTS
from pipeline.data.samples import Array
from pipeline.data.shards import Shards
from pipeline.device.runner import resize_image

SHOWN = 16  # training images
LARGEST = 128  # pixels; larger images are shown reduced
BINS = 20  # of the targets' histogram


def figures(
    images: Sequence[Shards], labels: Array, parts: dict[str, Array], names: tuple[str, ...] | None
) -> dict[str, Array]:
    """Return name -> array.

    Always sample_labels (n,). For images samples (n, H, W, C); for classes class_counts (train,
    validation and test, by class); for targets target_counts (part, bin) and target_edges.

    Args:
        images: shards of the first image input; empty where there is none.
        labels: class ids or targets (N,).
        parts: positions of train, validation and test.
        names: of the classes; None for a regression.
    """
    shown = parts["train"][:SHOWN]
    found = {"sample_labels": labels[shown]}
    for shards in images:
        found["samples"] = _reduced(shards.take(shown))
    if names is not None:
        counts = [np.bincount(labels[parts[part]], minlength=len(names)) for part in PARTS]
        return found | {"class_counts": np.array(counts, np.int64)}
    edges = np.histogram_bin_edges(labels.astype(np.float64), BINS)
    counts = [np.histogram(labels[parts[part]].astype(np.float64), edges)[0] for part in PARTS]
    return found | {"target_counts": np.array(counts, np.int64), "target_edges": edges}


def _reduced(images: Array) -> Array:
    """Return images no larger than LARGEST, of the same proportions; only uint8 is reduced."""
    height, width = images.shape[1:3]
    share = min(1.0, LARGEST / max(height, width))
    if share == 1.0 or images.dtype != np.uint8:
        return images
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return np.stack([resize_image(image, *size) for image in images])
