"""Weight scales large enough for their biases: a bias beyond its integers would wreck its channel.

A bias has the scale of the input times that of its channel's weights. Where the weights of a
channel are zero or nearly so, their own range makes that scale too small for the bias. TFLite's
converter enlarges such a scale; the quantizer that makes our files clips the bias. The weights
lose nothing that shows: the bias is larger than all their products by a factor of a million.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.export.equalize import Graph
from pipeline.export.linear import INPUTS

INT32 = 2  # the schema's TensorType
LARGEST = {  # type of a bias -> greatest size; the sum of an int32 bias and its products is int32
    np.dtype(np.int32): 2**30,
    np.dtype(np.int64): 2**31 - 1,
}


@dataclass(frozen=True)
class _Biased:
    """An operation with stored weights and a stored bias, by the indices of its tensors."""

    read: int
    weights: int
    bias: int


def fit_biases(content: bytes, float32: str) -> bytes:
    """Return an integer file in which every bias fits its type; else it is unchanged.

    Args:
        content: the file, made from `float32` by the quantizer, which keeps the tensors' names.
        float32: path of the float32 file.
    """
    made, wanted = Graph(content), Graph(Path(float32).read_bytes())
    own = dict(_biased(wanted))
    operations = [(op, own[name]) for name, op in _biased(made) if name in own]
    scales: dict[int, Array] = {}
    for op, source in operations:
        least = _least_scale(made, op, wanted.values(source.bias, np.float32))
        if least is not None:
            scales[op.weights] = np.maximum(scales.get(op.weights, least), least)
    for op, source in operations:
        if op.weights in scales:
            _requantize(made, op, scales[op.weights], (wanted, source))
    return made.content() if scales else content


def _biased(graph: Graph) -> Iterator[tuple[str, _Biased]]:
    """Yield the name of an operation's output, and its tensors."""
    for place, op in enumerate(graph.graph.operators):
        roles = INPUTS.get(graph.kind(place))
        if roles is None or len(op.inputs) <= roles[2] or op.inputs[roles[2]] < 0:
            continue
        tensors = _Biased(*(int(op.inputs[role]) for role in roles))
        if graph.is_stored(tensors.weights) and graph.is_stored(tensors.bias):
            yield graph.name(int(op.outputs[0])), tensors


def _least_scale(made: Graph, op: _Biased, bias: Array) -> Array | None:
    """Return the weight scales (O,) or (1,) at which a bias fits; None: it does, or is float."""
    if not made.scales(op.weights).size or not made.scales(op.bias).size:
        return None
    weights, read = made.scales(op.weights), made.scales(op.read)[0]
    least = np.abs(bias.astype(np.float64)) / (read * LARGEST[_dtype(made, op.bias)])
    least = least if weights.size == least.size else least.max(keepdims=True)
    return np.maximum(weights, least) if (least > weights).any() else None


def _requantize(made: Graph, op: _Biased, scales: Array, source: tuple[Graph, _Biased]) -> None:
    """Store weights and bias of an operation at other scales of the weights."""
    wanted, own = source
    values = wanted.values(own.weights, np.float32).astype(np.float64)
    axis = made.graph.tensors[op.weights].quantization.quantizedDimension
    shape = [-1 if i == axis and scales.size > 1 else 1 for i in range(values.ndim)]
    integers = np.clip(np.round(values / scales.reshape(shape)), -127, 127)
    made.store_apart(op.weights, integers.astype(np.int8), scales)
    steps, kind = made.scales(op.read)[0] * scales, _dtype(made, op.bias)
    bias = np.round(wanted.values(own.bias, np.float32) / steps)
    made.store_apart(op.bias, np.clip(bias, -LARGEST[kind], LARGEST[kind]).astype(kind), steps)


def _dtype(graph: Graph, bias: int) -> np.dtype[np.signedinteger]:
    return np.dtype(np.int32 if graph.graph.tensors[bias].type == INT32 else np.int64)
