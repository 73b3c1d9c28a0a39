"""What a .tflite file holds: operations, their types, and how its borders are quantized."""

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.errors import ArtifactError

FLOAT_TYPES = ("FLOAT32", "FLOAT16", "FLOAT64")
INTEGER_FORMATS = ("int8", "int16x8")
BORDERS = ("QUANTIZE", "DEQUANTIZE")  # between float borders and an integer inside: asked for


def inspect(file: Path, form: str) -> dict[str, Any]:
    """Return bytes, inputs, outputs, op counts, and the operations that compute in float.

    Args:
        file: the .tflite file.
        form: its format; only integer formats have float operations "left".

    Raises:
        ArtifactError: the file is not a .tflite file.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        model = flatbuffer_utils.read_model(str(file))
        graph = model.subgraphs[0]
        ops = [_operation(flatbuffer_utils, model, graph, operator) for operator in graph.operators]
        inputs = [_border(flatbuffer_utils, graph.tensors[i], model, i) for i in graph.inputs]
        outputs = [_border(flatbuffer_utils, graph.tensors[i], model, i) for i in graph.outputs]
    except Exception as error:  # a flatbuffer of unknown bytes fails in every way there is
        raise ArtifactError(f"{file}: not a .tflite file that can be read: {error}") from error
    return {
        "bytes": file.stat().st_size,
        "inputs": inputs,
        "input": inputs[0],
        "output": outputs[0],
        "ops": dict(sorted(Counter(name for name, _ in ops).items())),
        "float_ops_left": _left(ops, form),
    }


def _operation(flatbuffer_utils: Any, model: Any, graph: Any, operator: Any) -> tuple[str, bool]:
    """Return an operation's name, and whether it computes in float."""
    name = str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        name = bytes(code.customCode).decode()
    written = [
        flatbuffer_utils.type_to_name(graph.tensors[i].type) for i in operator.outputs if i >= 0
    ]
    return name, any(kind in FLOAT_TYPES for kind in written)


def _left(ops: list[tuple[str, bool]], form: str) -> list[dict[str, str]]:
    """Return the float operations of an integer file, with the reason."""
    if form not in INTEGER_FORMATS:
        return []
    names = [name for name, is_float in ops if is_float and name not in BORDERS]
    why = "kept in float by the recipe, or the quantizer has no integer form of it"
    return [{"op": name, "why": why} for name in names]


def _border(flatbuffer_utils: Any, tensor: Any, model: Any, index: int) -> dict[str, Any]:
    """Return name, shape, type, scale and zero point of an input or output."""
    quantization = tensor.quantization
    has_scale = (
        quantization is not None and quantization.scale is not None and len(quantization.scale)
    )
    signatures = [t for s in model.signatureDefs or [] for t in (*s.inputs, *s.outputs)]
    named = next((bytes(t.name).decode() for t in signatures if t.tensorIndex == index), None)
    return {
        "name": named or bytes(tensor.name).decode(),
        "shape": [int(size) for size in tensor.shape],
        "dtype": flatbuffer_utils.type_to_name(tensor.type).lower(),
        "scale": float(quantization.scale[0]) if has_scale else None,
        "zero_point": int(quantization.zeroPoint[0]) if has_scale else None,
    }
