"""Which weights are compressed, and their zeros and numbers of different values."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.arrays import Model
from pipeline.config.export_schema import Compress
from pipeline.documents.ladder import Kernel
from pipeline.errors import ConfigError

NAMES = ("kernel", "embeddings", "recurrent_kernel", "pointwise_kernel", "depthwise_kernel")


def kernels(model: Model) -> Iterator[tuple[Any, Any]]:
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


def compressible_kernels(model: Model) -> list[Any]:
    """Return the weights that are pruned and clustered.

    Those of dense layers, convolutions, recurrent cells, attention, and embeddings that learn: a
    frozen one is a table of constants. Depthwise ones stay: few, and each channel has nothing else.
    """
    return [
        weight
        for weight, layer in kernels(model)
        if not is_depthwise(weight, type(layer).__name__)
        and not (weight.name == "embeddings" and not weight.trainable)
    ]


def make_kernels_trainable(model: Model) -> list[Any]:
    """Return the weights that are pruned and clustered; all of them learn then.

    Those of a layer that was frozen while its head was trained learn too.
    """
    found = compressible_kernels(model)
    for weight in found:
        weight.trainable = True
    return found


def check_sizes(model: Model, settings: Compress) -> None:
    """Refuse to prune or cluster a network whose kernels are all too small for it.

    Raises:
        ConfigError: no kernel can be compressed; pruning would leave the largest one no weight;
            or clustering would not make it smaller.
    """
    if settings.prune is None and settings.cluster is None:
        return
    sizes = {str(weight.path): int(np.prod(weight.shape)) for weight in compressible_kernels(model)}
    if not sizes:
        raise ConfigError(
            "compress: this network has no dense, convolutional, recurrent or embedding weights "
            "that could be pruned or clustered; wanted prune: null and cluster: null"
        )
    name, largest = max(sizes.items(), key=lambda item: item[1])
    if settings.prune is not None and round(largest * (1 - settings.prune.sparsity)) < 1:
        raise ConfigError(
            f"compress.prune.sparsity: of {name}, the largest kernel with {largest} weights, "
            f"{settings.prune.sparsity:g} leaves none; wanted less, or prune: null"
        )
    if settings.cluster is not None and largest <= settings.cluster.clusters:
        raise ConfigError(
            f"compress.cluster.clusters: {name}, the largest kernel, has {largest} weights, which "
            f"{settings.cluster.clusters} values do not make smaller; wanted fewer, or "
            "cluster: null"
        )


def describe_kernels(model: Model) -> tuple[Kernel, ...]:
    """Return what became of each kernel that is made small."""
    rows = []
    for weight in compressible_kernels(model):
        values = np.asarray(weight.value)
        rows.append(
            Kernel(
                name=str(weight.path),
                weights=int(values.size),
                zeros=int((values == 0).sum()),
                values=len(np.unique(values)),
            )
        )
    return tuple(rows)
