"""The float32 file of a copy, by its one function with the weights frozen into it.

It has the operations that a SavedModel would give, in an eighth of the time. A fused LSTM is known
by a mark on its function, which only a SavedModel brings to the converter.
"""

from typing import Any

from pipeline.arrays import Model
from pipeline.documents.spec import Spec
from pipeline.export.ranges import SIGNATURE
from pipeline.export.saved import converter_of_function, function_of

MARK = "api_implements"  # of a function that stands for one operation


def float32_of(copy: Model, spec: Spec) -> bytes:
    """Return the float32 .tflite file of a tf-keras model at batch 1.

    Args:
        copy: the tf-keras model.
        spec: of the network: names, shapes and types of the inputs.
    """
    import tensorflow as tf

    module, function = function_of(copy, spec)
    if any(MARK in own.attr for own in function.graph.as_graph_def().library.function):
        converter = converter_of_function(module, function)
    else:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        converter.experimental_lower_to_saved_model = False
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # no Flex, ever
    names = [entry.name for entry in spec.inputs]
    return with_signature(bytes(converter.convert()), names, list(function.structured_outputs))


def with_signature(content: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """Return the file with its inputs and outputs named as those of a SavedModel are.

    Args:
        content: a .tflite file; one that has a signature is returned as it is.
        inputs: the names of the inputs, in the order that they get.
        outputs: the names of the outputs, in order.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    if model.signatureDefs:
        return content
    graph, signature = model.subgraphs[0], schema.SignatureDefT()
    found = {bytes(graph.tensors[index].name).decode(): index for index in graph.inputs}
    graph.inputs = [found[name] for name in inputs]
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    signature.inputs = _maps(schema, inputs, graph.inputs)
    signature.outputs = _maps(schema, outputs, graph.outputs)
    for name, index in found.items():
        graph.tensors[index].name = f"{SIGNATURE}_{name}:0".encode()
    for place, index in enumerate(graph.outputs):
        graph.tensors[index].name = f"StatefulPartitionedCall:{place}".encode()
    model.signatureDefs = [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _maps(schema: Any, names: list[str], indices: Any) -> list[Any]:
    """Return which tensor has which name."""
    found = []
    for name, index in zip(names, indices, strict=True):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), int(index)
        found.append(entry)
    return found
