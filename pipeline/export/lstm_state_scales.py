"""Mend the scales of an LSTM's state and output, which the converter sometimes gets wrong.

A fused LSTM has one scale for its hidden state, its output and its last intermediate tensor, which
was measured over all steps. Where a concatenation reads the output (both directions of a
bidirectional layer), the converter gives the output the concatenation's scale, and the state the
range of the last step only: every value is misread. Here both get the measured scale back, and a
QUANTIZE takes the output to the scale that its readers expect.

The kernels know cell states in steps of 2^-15 and coarser; a net whose cells stay below 0.5 gets
finer steps from the converter, and garbage from the kernel. Such steps become 2^-15.
"""

import copy
from typing import Any

from pipeline.arrays import Model
from pipeline.export.operators import conversion_operator

# Of UNIDIRECTIONAL_SEQUENCE_LSTM: places among its inputs, and among its intermediates.
HIDDEN_STATE = 18
CELL_STATE = 19
MEASURED = 4
FINEST_CELL = 2.0**-15


def requantize_states(content: bytes) -> bytes:
    """Return the same file with every LSTM's states and output in scales that its kernel knows."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    cells = [op for op in graph.operators if _is_integer_lstm(op, model, schema)]
    for op in cells:
        _coarsen_cell(graph.tensors[op.inputs[CELL_STATE]])
        measured = graph.tensors[op.intermediates[MEASURED]]
        if _scale(graph.tensors[op.outputs[0]]) != _scale(measured):
            place = next(i for i, other in enumerate(graph.operators) if other is op)
            graph.operators.insert(place + 1, _quantize(op, model))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if cells else content


def _is_integer_lstm(op: Any, model: Model, schema: Any) -> bool:
    kind = model.operatorCodes[op.opcodeIndex].builtinCode
    output = model.subgraphs[0].tensors[op.outputs[0]]
    is_lstm = kind == schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    return bool(is_lstm and output.type == schema.TensorType.INT8)


def _coarsen_cell(cell: Any) -> None:
    cell.quantization.scale = [max(float(cell.quantization.scale[0]), FINEST_CELL)]


def _scale(tensor: Any) -> tuple[float, int]:
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _quantize(op: Any, model: Model) -> Any:
    """Give state and output the measured scale; return the QUANTIZE to the old output."""
    graph = model.subgraphs[0]
    measured = graph.tensors[op.intermediates[MEASURED]].quantization
    graph.tensors[op.inputs[HIDDEN_STATE]].quantization = copy.deepcopy(measured)
    old = op.outputs[0]
    written = copy.deepcopy(graph.tensors[old])
    written.name = bytes(written.name) + b"_measured"
    written.quantization = copy.deepcopy(measured)
    graph.tensors.append(written)
    new = len(graph.tensors) - 1
    op.outputs = [new]
    return conversion_operator(model, "Quantize", new, written=old)
