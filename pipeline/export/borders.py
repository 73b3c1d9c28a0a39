"""Give an int8 file uint8 borders: one QUANTIZE at each end, the weights between untouched.

uint8 is int8 moved by 128, so no information is lost; browsers and cameras speak uint8.
"""

import copy
from typing import Any

INT8_TO_UINT8 = 128  # what the zero point moves by


def with_uint8(content: bytes) -> bytes:
    """Return the same model with uint8 inputs and outputs.

    Args:
        content: a .tflite file whose output is int8, and whose inputs are int8, or int32 where they
            are numbers of words or categories: those stay as they are.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    code = quantize_code(model, schema)
    is_int8 = [graph.tensors[index].type == schema.TensorType.INT8 for index in graph.inputs]
    moving = [index for index, moves in zip(graph.inputs, is_int8, strict=True) if moves]
    before = [_insert(graph, schema, code, index, is_input=True) for index in moving]
    after = [_insert(graph, schema, code, index, is_input=False) for index in graph.outputs]
    graph.operators = [op for op, _ in before] + list(graph.operators) + [op for op, _ in after]
    moved = dict(zip(moving, (new for _, new in before), strict=True))
    moved |= dict(zip(graph.outputs, (new for _, new in after), strict=True))
    graph.inputs = [moved.get(index, index) for index in graph.inputs]
    graph.outputs = [moved[index] for index in graph.outputs]
    for signature in model.signatureDefs or []:
        for tensor_map in (*signature.inputs, *signature.outputs):
            tensor_map.tensorIndex = moved.get(tensor_map.tensorIndex, tensor_map.tensorIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def quantize_code(model: Any, schema: Any) -> int:
    """Return the index of the QUANTIZE operator code, adding it where it is missing."""
    wanted = schema.BuiltinOperator.QUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == wanted:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = wanted
    code.deprecatedBuiltinCode = wanted
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _insert(graph: Any, schema: Any, code: int, index: int, *, is_input: bool) -> tuple[Any, int]:
    """Add a uint8 copy of a border tensor and the QUANTIZE that joins the two."""
    inner = graph.tensors[index]
    outer = copy.deepcopy(inner)
    outer.type = schema.TensorType.UINT8
    outer.quantization.zeroPoint = [
        int(zero) + INT8_TO_UINT8 for zero in inner.quantization.zeroPoint
    ]
    outer.buffer = 0  # the empty buffer: nothing is stored in a border
    inner.name = bytes(inner.name) + b"_int8"
    graph.tensors.append(outer)
    new = len(graph.tensors) - 1
    read, written = (new, index) if is_input else (index, new)
    return quantize_operator(schema, code, read, written), new


def quantize_operator(schema: Any, code: int, read: int, written: int) -> Any:
    """Return the QUANTIZE that takes one tensor to the scale of another, both by index."""
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [read], [written]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator
