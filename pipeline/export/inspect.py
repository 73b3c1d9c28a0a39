"""The contents of a .tflite file: operations and their types, weights, input and output types.

Reads the file's tables and runs nothing, so a file from elsewhere can be looked at.
"""

import functools
import gzip
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Model
from pipeline.artifacts import sha256_file
from pipeline.documents.files import FileContents, FileSizes, FloatOperation, ModelTensor
from pipeline.errors import ArtifactError
from pipeline.targets.compiler import Operation

IDENTIFIER = b"TFL3"  # at byte 4 of every .tflite file
FLOAT_TYPES = ("float32", "float16", "float64", "bfloat16")
INTEGER_FORMATS = ("int8", "int16x8")
# Between float inputs and outputs and integers inside: as the config asks.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
WEIGHTS = {"int8": np.int8, "float16": np.float16, "float32": np.float32}
BROKEN = (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError)


def inspect(file: Path, form: str) -> FileContents:
    """Return inputs, outputs, operations, and which of them compute in float.

    Args:
        file: the .tflite file.
        form: its format; only integer formats have float operations "left".

    Raises:
        ArtifactError: the file is not a .tflite file.
    """
    model = _read(file)
    try:
        ops = list(_operations(model))
        graph = model.Subgraphs(0)
        named = _signature_names(model)
        inputs = [_tensor(graph, graph.Inputs(i), named) for i in range(graph.InputsLength())]
        outputs = [_tensor(graph, graph.Outputs(i), named) for i in range(graph.OutputsLength())]
        first, last = inputs[0], outputs[0]
    except BROKEN as error:
        raise _not_a_model(file, error) from error
    return FileContents(
        input=first,
        output=last,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        ops=dict(sorted(Counter(op.name for op in ops).items())),
        float_ops_left=tuple(_float_operations(ops)) if form in INTEGER_FORMATS else (),
    )


def operations(file: Path) -> list[Operation]:
    """Return the operations of a file's graph.

    Raises:
        ArtifactError: the file is not a .tflite file.
    """
    try:
        return list(_operations(_read(file)))
    except BROKEN as error:
        raise _not_a_model(file, error) from error


def sizes(file: Path) -> FileSizes:
    """Return a file's hash, and its bytes as it is and zipped, the same every time."""
    content = file.read_bytes()
    zipped = gzip.compress(content, compresslevel=9, mtime=0)
    return FileSizes(sha256=sha256_file(file), bytes=len(content), bytes_gzip=len(zipped))


def weights_of(file: Path) -> dict[str, Any]:
    """Return name -> stored values of each tensor of weights: those of two and more axes.

    Raises:
        ArtifactError: the file is not a .tflite file.
    """
    model = _read(file)
    try:
        return dict(_weights(model))
    except BROKEN as error:
        raise _not_a_model(file, error) from error


def zero_weights(file: Path) -> float:
    """Return the fraction of zeros among a file's weights, in [0, 1]."""
    found = list(weights_of(file).values())
    count = sum(values.size for values in found)
    return float(sum((values == 0).sum() for values in found) / count) if count else 0.0


def _weights(model: Model) -> Iterator[tuple[str, Any]]:
    graph = model.Subgraphs(0)
    seen = set()
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer, shape, kind = model.Buffers(tensor.Buffer()), _shape(tensor), _type(tensor)
        is_new = tensor.Buffer() not in seen
        if kind in WEIGHTS and len(shape) > 1 and buffer.DataLength() and is_new:
            seen.add(tensor.Buffer())
            values = buffer.DataAsNumpy().view(WEIGHTS[kind]).reshape(shape)
            yield tensor.Name().decode(), values


def _read(file: Path) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read: {error.strerror}") from error
    if content[4:8] != IDENTIFIER:
        raise ArtifactError(
            f"{file}: not a .tflite file: wanted {IDENTIFIER.decode()} at byte 4, "
            f"came {content[4:8]!r} in {len(content)} bytes"
        )
    try:
        return schema.Model.GetRootAs(content, 0)
    except BROKEN as error:
        raise _not_a_model(file, error) from error


def _not_a_model(file: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{file}: damaged, not a .tflite file that can be read: {error}")


def _operations(model: Model) -> Iterator[Operation]:
    """Yield the operations of the main graph."""
    from ai_edge_litert import schema_py_generated as schema

    names = _names_of(schema.BuiltinOperator)
    graph = model.Subgraphs(0)
    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # as the runtime reads it
        name = code.CustomCode().decode() if code.CustomCode() else names[builtin]
        reads = [graph.Tensors(op.Inputs(k)) for k in range(op.InputsLength()) if op.Inputs(k) >= 0]
        reads = [tensor for tensor in reads if not model.Buffers(tensor.Buffer()).DataLength()]
        writes = [graph.Tensors(op.Outputs(k)) for k in range(op.OutputsLength())]
        yield Operation(
            name,
            tuple(_type(tensor) for tensor in reads),
            tuple(_type(tensor) for tensor in writes),
            tuple(_shape(tensor) for tensor in (*reads, *writes)),
            writes[0].Name().decode() if writes else "",
        )


def _type(tensor: Any) -> str:
    """Return a tensor's type in lower case, such as int8 or float32."""
    from ai_edge_litert import schema_py_generated as schema

    return _names_of(schema.TensorType)[tensor.Type()].lower()


@functools.cache
def _names_of(enumeration: type) -> dict[int, str]:
    """Return value -> name of one of the schema's enumerations."""
    return {code: name for name, code in vars(enumeration).items() if not name.startswith("_")}


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(tensor.Shape(i)) for i in range(tensor.ShapeLength()))


def _float_operations(ops: list[Operation]) -> Iterator[FloatOperation]:
    """Yield the float operations of an integer file, with the reason."""
    for op in ops:
        reads_float = any(kind in FLOAT_TYPES for kind in op.reads)
        writes_float = any(kind in FLOAT_TYPES for kind in op.writes)
        if op.name not in CONVERSIONS and (reads_float or writes_float):
            kind = next(k for k in (*op.writes, *op.reads) if k in FLOAT_TYPES)
            why = (
                f"computes in {kind}: the recipe keeps it so, or the quantizer has no integer form"
            )
            yield FloatOperation(op=op.name, why=f"{op.tensor.split(';')[0]} {why}".strip())


def _signature_names(model: Model) -> dict[int, str]:
    """Return tensor index -> the name that signatures give it."""
    named: dict[int, str] = {}
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        maps = [signature.Inputs(k) for k in range(signature.InputsLength())]
        maps += [signature.Outputs(k) for k in range(signature.OutputsLength())]
        named |= {entry.TensorIndex(): entry.Name().decode() for entry in maps}
    return named


def _tensor(graph: Any, index: int, named: dict[int, str]) -> ModelTensor:
    """Return name, shape, type, scale and zero point of an input or output."""
    tensor = graph.Tensors(index)
    quantization = tensor.Quantization()
    has_scale = quantization is not None and quantization.ScaleLength() > 0
    return ModelTensor(
        name=named[index] if index in named else tensor.Name().decode(),
        shape=_shape(tensor),
        dtype=_type(tensor),
        scale=float(quantization.Scale(0)) if has_scale else None,
        zero_point=int(quantization.ZeroPoint(0)) if has_scale else None,
    )
