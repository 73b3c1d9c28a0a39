"""Store the weights of a float32 file as float16; DEQUANTIZE makes them float32 again as it starts.

That is the form that the TFLite converter gives float16 files, made without converting anew. Single
numbers stay as they are: an epsilon of 1e-7 would be none.
"""

from typing import Any

import numpy as np

from pipeline.export.equalize import Graph
from pipeline.export.operators import conversion_operator

FLOAT32, FLOAT16 = 0, 1  # the schema's TensorType
VERSION = 3  # of DEQUANTIZE: the first that takes float16
LARGEST = float(np.finfo(np.float16).max)


def with_float16(content: bytes) -> bytes:
    """Return the same model with weights in float16; what is beyond their range is cut to it.

    Args:
        content: a float32 .tflite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = Graph(content)
    halves: dict[int, int] = {}
    made = []
    for index in sorted(i for i in graph.readers if i >= 0 and _is_stored(graph, i)):
        tensor = graph.graph.tensors[index]
        if tensor.buffer not in halves:
            halves[tensor.buffer] = _half(graph, index, schema.BufferT())
        half = schema.TensorT()
        half.shape, half.type, half.buffer = tensor.shape, FLOAT16, halves[tensor.buffer]
        half.name, half.quantization = bytes(tensor.name) + b"_float16", tensor.quantization
        graph.graph.tensors.append(half)
        last = len(graph.graph.tensors) - 1
        made.append(
            conversion_operator(graph.model, "Dequantize", last, written=index, version=VERSION)
        )
        tensor.buffer = 0  # that of all tensors that are computed
    for buffer in halves:
        graph.model.buffers[buffer].data = None
    graph.graph.operators[:0] = made
    return graph.content()


def _is_stored(graph: Graph, index: int) -> bool:
    """Tell whether a tensor holds more than one float32 number of the file."""
    tensor = graph.graph.tensors[index]
    data = graph.model.buffers[tensor.buffer].data
    return tensor.type == FLOAT32 and data is not None and len(data) > np.float32().nbytes


def _half(graph: Graph, index: int, buffer: Any) -> int:
    """Add the buffer with a tensor's values in float16, and return its index."""
    values = np.clip(graph.values(index, np.float32), -LARGEST, LARGEST).astype(np.float16)
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    return len(graph.model.buffers) - 1
