"""Operations that are written into a .tflite file: between two tensors, to another type."""

from typing import Any, Literal

from pipeline.arrays import Model

Kind = Literal["Quantize", "Dequantize"]


def conversion_operator(
    model: Model, kind: Kind, read: int, *, written: int, version: int = 1
) -> Any:
    """Return the operation that takes one tensor to the type and scale of another.

    Args:
        model: the file as flatbuffer_utils reads it; gets the operator's code where it has it not.
        kind: Quantize: to integers; Dequantize: to float.
        read: index of the tensor that it reads.
        written: index of the tensor that it writes.
        version: of the operator: what a runtime must know at least.
    """
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, getattr(schema.BuiltinOperator, kind.upper()), version)
    operator.inputs, operator.outputs = [read], [written]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
    operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
    return operator


def _code(model: Model, wanted: int, version: int) -> int:
    """Return the index of an operator's code, adding it where it is missing."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == wanted and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = wanted
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
