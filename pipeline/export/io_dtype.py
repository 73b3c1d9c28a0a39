"""Change the input and output types of an integer file: one operation at each end, same weights.

uint8 is int8 moved by 128, and float32 holds every int16 times its scale, so no information is
lost; browsers and cameras speak uint8, browsers float32 too.
"""

import copy
from collections.abc import Mapping
from typing import Any

from pipeline.arrays import Model
from pipeline.export.inline_buffers import open_model
from pipeline.export.operators import Kind, conversion_operator

INT8_TO_UINT8 = 128  # what the zero point moves by


def with_uint8(content: bytes) -> bytes:
    """Return the same model with uint8 inputs and outputs.

    Args:
        content: a .tflite file whose output is int8, and whose inputs are int8, or int32 where they
            are numbers of words or categories: those stay as they are.
    """
    return _moved(content, {"INT8": "UINT8"})


def for_browser(content: bytes) -> bytes:
    """Return the model with types that LiteRT.js takes: uint8 for int8, float32 for int16.

    Args:
        content: a .tflite file with inputs and outputs of any type; other types stay.
    """
    return _moved(content, {"INT8": "UINT8", "INT16": "FLOAT32"})


def _moved(content: bytes, wanted: Mapping[str, str]) -> bytes:
    """Return the same model with input and output types replaced, by the names of TensorType."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    kinds = {
        getattr(schema.TensorType, a): getattr(schema.TensorType, b) for a, b in wanted.items()
    }
    model = open_model(content)
    graph = model.subgraphs[0]
    moving = [[i for i in side if graph.tensors[i].type in kinds] for side in _borders(graph)]
    if not any(moving):
        return content
    before, after = (
        [
            _insert(model, schema, i, kinds[graph.tensors[i].type], is_input=is_input)
            for i in indices
        ]
        for indices, is_input in zip(moving, (True, False), strict=True)
    )
    graph.operators = [op for op, _ in before] + list(graph.operators) + [op for op, _ in after]
    moved = dict(zip(moving[0] + moving[1], [new for _, new in before + after], strict=True))
    graph.inputs, graph.outputs = ([moved.get(i, i) for i in side] for side in _borders(graph))
    for signature in model.signatureDefs or []:
        for tensor_map in (*signature.inputs, *signature.outputs):
            tensor_map.tensorIndex = moved.get(tensor_map.tensorIndex, tensor_map.tensorIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _borders(graph: Any) -> tuple[list[int], list[int]]:
    return list(graph.inputs), list(graph.outputs)


def _insert(
    model: Model, schema: Any, index: int, type_: int, *, is_input: bool
) -> tuple[Any, int]:
    """Add a copy of an input or output in another type, and the operation between the two."""
    graph = model.subgraphs[0]
    inner = graph.tensors[index]
    outer = copy.deepcopy(inner)
    outer.type = type_
    is_float = type_ == schema.TensorType.FLOAT32
    if is_float:
        outer.quantization = None
    else:
        outer.quantization.zeroPoint = [
            int(zero) + INT8_TO_UINT8 for zero in inner.quantization.zeroPoint
        ]
    outer.buffer = 0  # the empty buffer: an input or output has no stored values
    inner.name = bytes(inner.name) + (b"_int16" if is_float else b"_int8")
    graph.tensors.append(outer)
    new = len(graph.tensors) - 1
    read, written = (new, index) if is_input else (index, new)
    kind: Kind = "Dequantize" if is_float and not is_input else "Quantize"
    return conversion_operator(model, kind, read, written=written), new
