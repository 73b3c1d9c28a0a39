"""Weight clustering: the weights of a kernel take few values, which learn.

Han et al. 2016, "Deep compression" (arXiv:1510.00149), section 3: k-means of each kernel, then
fine-tuning of the shared values. Zeros stay zeros, and count as one of the values.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import write_arrays
from pipeline.compress.distillation import Lesson, distill_network
from pipeline.compress.kernels import compressible_kernels, made_small, make_kernels_trainable
from pipeline.models.save import load_keras, save_keras
from pipeline.train.cluster import together
from pipeline.worker import client


def cluster_weights(lesson: Lesson) -> Any:
    """Return a network whose kernels take as many values as the lesson's settings ask for."""
    return together(lesson.strategy, _clustered, lesson)


def _clustered(lesson: Lesson) -> Any:
    """Let the shared values learn, as one of the workers that do."""
    clusters = lesson.settings.clusters
    return distill_network(
        lesson, lambda model, steps: made_small(make_kernels_trainable(model), clusters)
    )


def write_clustered(source: Path, out: Path, *, clusters: int, initialization: str) -> None:
    """Write a network with each weight in the place of its nearest centroid, untrained.

    A kernel with no more weights than clusters stays as it is.

    Args:
        source: a `.keras` file.
        out: the `.keras` file to write.
        clusters: values that a kernel may take.
        initialization: kmeans++, linear or density.
    """
    model = load_keras(source)
    weights = {
        f"{i}": w for i, w in enumerate(compressible_kernels(model)) if np.prod(w.shape) > clusters
    }
    given, found = out.with_suffix(".given.npz"), out.with_suffix(".found.npz")
    write_arrays(given, {name: np.asarray(weight.value) for name, weight in weights.items()})
    client.stop()  # tfmot changes what tf.keras is, for the process that imports it
    try:
        client.request(
            "clustered_kernels",
            source=str(given),
            out=str(found),
            clusters=clusters,
            initialization=initialization,
        )
    finally:
        client.stop()
    with np.load(found) as arrays:
        for name, weight in weights.items():
            weight.assign(arrays[name])
    save_keras(model, out)
