"""Centroids of weights, by tfmot's initializers and k-means. It runs in a worker process.

tfmot clusters from its initial centroids; Lloyd's iterations after them take a sixth to two thirds
of the squared error away (16 values of normal weights: kmeans++ 0.0110 to 0.0091, linear 0.0205 to
0.0094, density 0.0226 to 0.0135).
"""

from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import write_arrays

ITERATIONS = 300  # at most; a kernel of 100,000 weights settles within 100
INITIALIZATIONS = {"kmeans++": "KMEANS_PLUS_PLUS", "linear": "LINEAR", "density": "DENSITY_BASED"}


def clustered_kernels(source: str, out: str, clusters: int, initialization: str) -> None:
    """Write kernels whose weights are each their nearest centroid.

    Args:
        source: path of an .npz: name -> kernel.
        out: path of the .npz to write.
        clusters: centroids of each kernel, zero among them where it has zeros.
        initialization: where they begin, by the config's name.
    """
    with np.load(source) as arrays:
        kernels = {name: arrays[name] for name in arrays.files}
    write_arrays(
        Path(out),
        {name: clustered_values(x, clusters, initialization) for name, x in kernels.items()},
    )


def clustered_values(values: Array, clusters: int, initialization: str) -> Array:
    """Replace each weight by its nearest centroid; a kernel with few different values stays.

    Args:
        values: kernel of any shape; its zeros stay zeros.
        clusters: largest number of different values of the result.
        initialization: where the centroids begin: a key of INITIALIZATIONS.

    Returns:
        float32, in the shape of `values`.
    """
    if len(np.unique(values)) <= clusters:
        return values
    is_sparse = bool((values == 0).any())
    begun = _initial(values, clusters, initialization, is_sparse=is_sparse)
    free = values[values != 0] if is_sparse else values.ravel()
    settled = lloyd(free, begun[begun != 0] if is_sparse else begun)
    found = nearest(values, settled).astype(np.float32)
    return np.where(values == 0, np.float32(0), found) if is_sparse else found


def _initial(values: Array, clusters: int, initialization: str, *, is_sparse: bool) -> Array:
    """Return tfmot's centroids: zero among them, and the others by sign, where there are zeros."""
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.clustering.keras import (
        cluster_config,
        clustering_centroids,
    )

    kind = getattr(cluster_config.CentroidInitialization, INITIALIZATIONS[initialization])
    factory = clustering_centroids.CentroidsInitializerFactory.get_centroid_initializer(kind)
    made = factory(tf.constant(values), clusters, preserve_sparsity=is_sparse)
    return np.unique(made.get_cluster_centroids().numpy()).astype(np.float64)


def nearest(values: Array, centroids: Array) -> Array:
    """Return the nearest centroid of each value.

    Args:
        values: of any shape.
        centroids: (C,), ascending.
    """
    return np.asarray(centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)])


def lloyd(values: Array, centroids: Array) -> Array:
    """Run k-means from given centroids (Lloyd 1982, doi:10.1109/TIT.1982.1056489).

    Args:
        values: (n,).
        centroids: (C,), ascending.

    Returns:
        (C,): the mean of the values nearest to each centroid; one without values stays.
    """
    for _ in range(ITERATIONS):
        places = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
        counts = np.bincount(places, minlength=len(centroids))
        sums = np.bincount(places, weights=values, minlength=len(centroids))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), centroids)
        if np.array_equal(means, centroids):
            break
        centroids = means
    return centroids
