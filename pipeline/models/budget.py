"""Parameters, multiply-accumulates and peak activation bytes of a network, before any training.

Counted from the layers' shapes, one sample at a time. Activations count one byte each, as in the
int8 file; the peak is that of a runtime which frees a tensor after its last reader.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.arrays import Layer, Model
from pipeline.documents.budget import Budget

# What a layer becomes in the .tflite file; None: it leaves no operation (folded, or for training).
OPS = {
    "InputLayer": None,
    "Conv1D": "CONV_2D",
    "Conv2D": "CONV_2D",
    "Conv2DTranspose": "TRANSPOSE_CONV",
    "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
    "Dense": "FULLY_CONNECTED",
    "EinsumDense": "FULLY_CONNECTED",
    "Matmul": "BATCH_MATMUL",
    "Cropping1D": "STRIDED_SLICE",
    "Cropping2D": "STRIDED_SLICE",
    "LSTM": "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "GRU": "UNPACK",  # unrolled: it begins with that
    "SimpleRNN": "UNPACK",
    "BatchNormalization": None,
    "LayerNormalization": "MEAN",
    "LeakyReLU": "LEAKY_RELU",
    "Add": "ADD",
    "Multiply": "MUL",
    "Rescaling": "MUL",
    "Permute": "TRANSPOSE",
    "Subtract": "SUB",
    "Normalization": "MUL",
    "ReLU": None,
    "Softmax": "SOFTMAX",
    "ZeroPadding1D": "PAD",
    "ZeroPadding2D": "PAD",
    "SeparableConv1D": "CONV_2D",
    "SeparableConv2D": "CONV_2D",
    "MultiHeadAttention": "BATCH_MATMUL",
    "GlobalMaxPooling1D": "REDUCE_MAX",
    "GlobalMaxPooling2D": "REDUCE_MAX",
    "Reshape": "RESHAPE",
    "MaxPooling1D": "MAX_POOL_2D",
    "AveragePooling1D": "AVERAGE_POOL_2D",
    "UpSampling1D": "RESIZE_NEAREST_NEIGHBOR",
    "MaxPooling2D": "MAX_POOL_2D",
    "AveragePooling2D": "AVERAGE_POOL_2D",
    "GlobalAveragePooling1D": "MEAN",
    "GlobalAveragePooling2D": "MEAN",
    "Embedding": "GATHER",
    "Flatten": "RESHAPE",
    "Concatenate": "CONCATENATION",
    "Average": "ADD",
    "Dropout": None,
    "SpatialDropout1D": None,
    "SpatialDropout2D": None,
    "GaussianDropout": None,
    "GaussianNoise": None,
    "Identity": None,
}
RESIZES = {"bilinear": "RESIZE_BILINEAR", "nearest": "RESIZE_NEAREST_NEIGHBOR"}
RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
# An activation that a runtime fuses into the layer before it, and those with an op of their own.
ACTIVATION_OPS = {
    "relu": None,
    "relu6": None,
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "softmax": "SOFTMAX",
    "gelu": "GELU",
    "hard_silu": "HARD_SWISH",
    "silu": "LOGISTIC",
    "linear": None,
}


def parameters(model: Model) -> int:
    """Return the number of weights, without the counters of dropout."""
    return int(sum(np.prod(weight.shape) for weight in model.weights))


def macs(model: Model) -> int:
    """Return the multiply-accumulates of one inference: convolutions, products, recurrent cells."""
    return sum(_layer_macs(layer) for layer in model.operations)


def _layer_macs(layer: Layer) -> int:
    kind = type(layer).__name__
    if kind == "Matmul":
        a, b = (tensor.shape for tensor in layer._inbound_nodes[0].input_tensors)
        return int(np.prod(a[1:])) * int(b[-1])
    if kind in RECURRENT:
        cells = [weight for weight in layer.weights if weight.name.endswith("kernel")]
        return int(layer.input.shape[1]) * sum(int(np.prod(w.shape)) for w in cells)
    kernels = [w for w in getattr(layer, "weights", ()) if w.name.endswith("kernel")]
    if not kernels:
        return 0
    size = sum(int(np.prod(kernel.shape)) for kernel in kernels)
    map_of = layer.input if kind == "Conv2DTranspose" else layer.output
    return size * int(np.prod(map_of.shape[1:-1], initial=1))


def peak_activation_bytes(model: Model) -> int:
    """Return the most bytes that live at once, over the layers in order, one byte a value."""
    layers = model.operations
    producers = [layer for layer in layers if op_of(layer) is not None or not _sources(layer)]
    last_read = {name: i for i, layer in enumerate(layers) for name in _sources(layer)}
    alive: dict[str, int] = {}
    peak = 0
    for i, layer in enumerate(layers):
        sources = _sources(layer)
        if layer not in producers and len(sources) == 1 and last_read[sources[0]] == i:
            alive[layer.name] = alive.pop(sources[0])  # computed in place
        else:
            alive[layer.name] = _output_bytes(layer)
        peak = max(peak, sum(alive.values()))
        alive = {n: b for n, b in alive.items() if last_read.get(n, -1) > i}
    return peak


def beyond(counted: Budget, limits: Mapping[str, float | None]) -> Iterator[str]:
    """Yield what cannot hold, whatever the training brings: a file is larger than its weights.

    Args:
        counted: of the network.
        limits: of `gate`: `bytes` and `arena_bytes`; None: not asked.
    """
    parts = {
        "bytes": (counted.parameters, "the weights alone"),
        "arena_bytes": (counted.peak_activation_bytes, "the activations alone"),
    }
    for name, (count, what) in parts.items():
        limit = limits[name]
        if limit is not None and count > limit:
            yield (
                f"gate.{name}: {what} take {count:,} bytes at 8 bits each, and the limit is "
                f"{limit:,}; try fewer model.filters or units"
            )


def op_of(layer: Layer) -> str | None:
    """Return the TFLite operation that a layer becomes; None where it leaves none.

    A layer of a kind that is not in the table counts as an operation of its own name.
    """
    kind = type(layer).__name__
    if kind == "Activation":
        return ACTIVATION_OPS.get(layer.activation.__name__, layer.activation.__name__.upper())
    if kind in ("UpSampling2D", "Resizing"):
        return RESIZES.get(layer.interpolation, kind.upper())
    cell = layer.forward_layer if kind == "Bidirectional" else layer
    if type(cell).__name__ == "LSTM" and (cell is not layer or layer.go_backwards):
        return "REVERSE_V2"  # and the fused cell
    kind = type(cell).__name__
    return OPS.get(kind, kind.upper())


def _sources(layer: Layer) -> list[str]:
    """Return the names of the layers that a layer reads."""
    return [
        history.operation.name
        for node in layer._inbound_nodes
        for history in (tensor._keras_history for tensor in node.input_tensors)
    ]


def _output_bytes(layer: Layer) -> int:
    output = layer.output
    outputs = output if isinstance(output, list | tuple) else [output]
    return sum(int(np.prod(tensor.shape[1:])) for tensor in outputs)
