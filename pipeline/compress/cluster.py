"""Weight clustering: the weights of a kernel take few values, which learn.

Han et al. 2016, "Deep compression" (arXiv:1510.00149), section 3: k-means of each kernel, then
fine-tuning of the shared values. Zeros stay zeros, and count as one of the values.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import write_arrays
from pipeline.compress.distillation import DistillationJob, distill_network
from pipeline.models.kernels import compressible_kernels, make_kernels_trainable
from pipeline.models.save import load_keras, save_keras
from pipeline.train.weight_constraints import made_small
from pipeline.train.workers import together
from pipeline.worker import client


def cluster_weights(job: DistillationJob) -> Any:
    """Return a network whose kernels take as many values as the job's settings ask for."""
    return together(job.strategy, _clustered, job)


def _clustered(job: DistillationJob) -> Any:
    """Let the shared values learn, as one of the workers that do."""
    clusters = job.settings.clusters
    return distill_network(
        job, lambda model, steps: made_small(make_kernels_trainable(model), clusters)
    )


def write_clustered(source: Path, out: Path, *, clusters: int, initialization: str) -> None:
    """Write a network with each weight replaced by its nearest centroid, untrained.

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
