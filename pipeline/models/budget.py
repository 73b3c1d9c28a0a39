"""Parameters, multiply-accumulates and peak activation bytes of a network, before any training.

Counted from the layers' shapes, one sample at a time. Activations count one byte each, as in the
int8 file; the peak is that of a runtime which frees a tensor after its last reader.
"""

from typing import Any

import numpy as np

# What a layer becomes in the .tflite file; None: it leaves no operation (folded, or for training).
OPS = {
    "InputLayer": None,
    "Conv2D": "CONV_2D",
    "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
    "Dense": "FULLY_CONNECTED",
    "BatchNormalization": None,
    "MaxPooling2D": "MAX_POOL_2D",
    "AveragePooling2D": "AVERAGE_POOL_2D",
    "GlobalAveragePooling1D": "MEAN",
    "GlobalAveragePooling2D": "MEAN",
    "Embedding": "GATHER",
    "Flatten": "RESHAPE",
    "Concatenate": "CONCATENATION",
    "Dropout": None,
}
# An activation that a runtime fuses into the layer before it, and those with an op of their own.
ACTIVATION_OPS = {
    "relu": None,
    "relu6": None,
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "softmax": "SOFTMAX",
}


def parameters(model: Any) -> int:
    """Return the number of weights, without the counters of dropout."""
    return int(sum(np.prod(weight.shape) for weight in model.weights))


def macs(model: Any) -> int:
    """Return the multiply-accumulates of one inference: convolutions and dense layers."""
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer: Any) -> int:
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    if type(layer).__name__ == "Dense":
        return int(np.prod(kernel.shape)) * int(np.prod(layer.output.shape[1:-1], initial=1))
    places = int(np.prod(layer.output.shape[1:-1]))
    return places * int(np.prod(kernel.shape))


def peak_activation_bytes(model: Any) -> int:
    """Return the most bytes that live at once, over the layers in order, one byte a value."""
    producers = [layer for layer in model.layers if op_of(layer) is not None or not _sources(layer)]
    last_read = {name: i for i, layer in enumerate(model.layers) for name in _sources(layer)}
    alive: dict[str, int] = {}
    peak = 0
    for i, layer in enumerate(model.layers):
        sources = _sources(layer)
        if layer in producers or len(sources) != 1:
            alive[layer.name] = _output_bytes(layer)
        else:  # computed in place: it takes over its source's memory
            alive[layer.name] = alive.pop(sources[0])
        peak = max(peak, sum(alive.values()))
        alive = {n: b for n, b in alive.items() if last_read.get(n, -1) > i}
    return peak


def op_of(layer: Any) -> str | None:
    """Return the TFLite operation that a layer becomes; None where it leaves none.

    A layer of a kind that is not in the table counts as an operation of its own name.
    """
    kind = type(layer).__name__
    if kind == "Activation":
        return ACTIVATION_OPS.get(layer.activation.__name__, layer.activation.__name__.upper())
    return OPS.get(kind, kind.upper())


def _sources(layer: Any) -> list[str]:
    """Return the names of the layers that a layer reads."""
    return [
        history.operation.name
        for node in layer._inbound_nodes
        for history in (tensor._keras_history for tensor in node.input_tensors)
    ]


def _output_bytes(layer: Any) -> int:
    output = layer.output
    outputs = output if isinstance(output, list | tuple) else [output]
    return sum(int(np.prod(tensor.shape[1:])) for tensor in outputs)
