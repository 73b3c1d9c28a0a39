"""Which weights are made small, and what is known of them: zeros, and how many values they take."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.train.hold import Hold, with_ties, with_zeros

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("kernel", "embeddings", "recurrent_kernel", "pointwise_kernel", "depthwise_kernel")


def kernels(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the matrices of weights, each with the innermost layer that has it."""
    owners = {id(w): (w, layer) for layer in model._flatten_layers() for w in layer.weights}
    for weight, layer in owners.values():
        if weight.name in NAMES and len(weight.shape) > 1:
            yield weight, layer


def is_depthwise(weight: Any, layer: str) -> bool:
    """Tell whether each channel has weights of its own.

    Args:
        weight: of the layer.
        layer: name of its class.
    """
    return layer.startswith("DepthwiseConv") or weight.name == "depthwise_kernel"


def taken(model: Any) -> list[Any]:
    """Return the weights that are pruned and clustered, and let them learn.

    Those of dense layers, convolutions, recurrent cells, attention, and embeddings that learn: a
    frozen one is a table of constants. Depthwise ones stay: few, and each channel has nothing else.
    """
    found = []
    for weight, layer in kernels(model):
        is_table = weight.name == "embeddings" and not weight.trainable
        if not is_table and not is_depthwise(weight, type(layer).__name__):
            weight.trainable = True  # a layer that was frozen while its head was trained
            found.append(weight)
    return found


def check_sizes(model: Any, clusters: int | None) -> None:
    """Refuse a network whose kernels are all too small for what is asked.

    Args:
        model: the Keras model.
        clusters: values that a kernel may take; None: any.

    Raises:
        ConfigError: nothing would become smaller.
    """
    sizes = {str(weight.path): int(np.prod(weight.shape)) for weight in taken(model)}
    largest = max(sizes.values(), default=0)
    if not sizes:
        raise ConfigError(
            "compress: this network has no dense, convolutional, recurrent or embedding weights "
            "that could be pruned or clustered; wanted prune: null and cluster: null"
        )
    if clusters is not None and largest <= clusters:
        raise ConfigError(
            f"compress.cluster.clusters: {clusters} values for at most {largest} weights save "
            f"nothing: its largest kernel is {max(sizes, key=lambda name: sizes[name])}. Wanted "
            "fewer, or cluster: null"
        )


def described(model: Any) -> list[dict[str, Any]]:
    """Return name, number of weights, zeros and distinct values of what is made small."""
    rows = []
    for weight in taken(model):
        values = np.asarray(weight.value)
        rows.append(
            {
                "name": str(weight.path),
                "weights": int(values.size),
                "zeros": int((values == 0).sum()),
                "values": len(np.unique(values)),
            }
        )
    return rows


def made_small(model: Any, clusters: int | None) -> list[Hold]:
    """Return what keeps a model as small as it is: its zeros, and the clusters of its weights.

    Args:
        model: the Keras model.
        clusters: values that a clustered kernel takes at most; None: none is clustered.
    """
    holds = []
    for weight in taken(model):
        values = np.asarray(weight.value)
        distinct, groups = np.unique(values, return_inverse=True)
        if clusters is not None and len(distinct) <= clusters < values.size:
            holds.append(with_ties(weight, groups))
        elif (values == 0).any():
            holds.append(with_zeros(weight))
    return holds
