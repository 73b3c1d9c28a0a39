"""A float .tflite file as a network of Keras: one layer, or one operation, for each of its own.

A file says nothing of how it was trained, but all of what it computes. Its sizes are those of one
sample; here the first axis is the batch. A tensor whose first axis is no batch of one (a sequence
that was flattened to rows) gets the batch in front, so that an axis is counted one further on.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Model, Tensor
from pipeline.errors import ConfigError
from pipeline.models.tflite.layers import apply_activation
from pipeline.models.tflite.node import Node, Refused
from pipeline.models.tflite.operations import OPERATIONS

IDENTIFIER = b"TFL3"  # at byte 4
TYPES = {0: "float32", 1: "float16", 2: "int32", 4: "int64", 6: "bool"}  # of the schema
INTEGERS = {3: "uint8", 7: "int16", 9: "int8"}  # that stand for other numbers, by a scale
# operation -> which input holds only sizes
SIZES = {"RESHAPE": 1, "TRANSPOSE_CONV": 0, "TILE": 1, "BROADCAST_TO": 1}
WITH_OWN_ACTIVATION = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
SAMPLES = 4  # samples of the comparison
SAME = 1e-4  # largest difference of the outputs, as a fraction of the largest


@dataclass
class Graph:
    """A file's main graph, and the Keras tensors that were made of its own so far."""

    path: Path
    model: Any
    graph: Any
    kinds: list[str]
    tensors: dict[int, Any] = field(default_factory=dict)
    real: Callable[[Array, Any], Array] | None = None
    """(numbers, their tensor) -> what quantized numbers stand for; None: they are refused."""
    kept: Callable[[Any, Any], Any] | None = None
    """(Keras tensor, its own tensor) -> what a quantized file keeps of it; None: all."""

    def keep(self, index: int, x: Tensor) -> None:
        """Store the Keras tensor, of equal shape, of an input or of an operation's output."""
        own = self.graph.tensors[index]
        self.tensors[index] = x if self.kept is None else self.kept(x, own)

    def shape(self, index: int) -> list[int]:
        """Return the shape of a tensor, for one sample."""
        shape = self.graph.tensors[index].shape
        return [] if shape is None else [int(size) for size in shape]

    def constant(self, index: int) -> Array | None:
        """Return a stored tensor in its shape in the file; None where it is computed.

        Returns:
            Float16 as float32; quantized weights dequantized, where the caller gave a way.

        Raises:
            Refused: the weights are quantized, and the caller gave no way to dequantize them.
        """
        tensor = self.graph.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        if self.real is None and tensor.type not in TYPES:
            raise Refused("holds quantized weights; wanted the float file that it was made from")
        kind = (TYPES | INTEGERS)[tensor.type]
        values = np.asarray(data, np.uint8).view(kind).reshape(self.shape(index))
        values = values if self.real is None else self.real(values, tensor)
        return values.astype(np.float32) if values.dtype == np.float16 else values


def read_tflite(path: Path) -> Any:
    """Return the Keras 3 model with the outputs of a float .tflite file.

    Runs in the process that converts: a damaged file may bring the interpreter down.

    Args:
        path: the file; float32, or float16 weights in a float32 graph.

    Raises:
        ConfigError: it is no such file, or it computes what no layer or operation here does; the
            message names it.
    """
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise ConfigError(
            f"model.path: {path}: not a .tflite file: wanted {IDENTIFIER.decode()} at byte 4, "
            f"came {content[4:8]!r}"
        )
    try:
        graph = open_graph(path, content)
        model = build_network(graph)
    except Refused as error:
        raise ConfigError(f"model.path: {path}: {error}") from error
    except Exception as error:  # a damaged file makes its reader, and Keras, raise whatever is
        said = (str(error).splitlines() or [""])[0]
        raise ConfigError(
            f"model.path: {path}: damaged, or of a form that is not known: "
            f"{type(error).__name__}: {said}"
        ) from error
    _compare(model, content, path)
    return model


def open_graph(path: Path, content: bytes) -> Graph:
    """Return the graph of a file, with the constants that DEQUANTIZE makes in their place."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    kinds = [
        names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes
    ]
    if len(model.subgraphs) != 1:
        raise Refused(f"has {len(model.subgraphs)} graphs (loops or branches); wanted one")
    return Graph(path, model, model.subgraphs[0], kinds)


def build_network(graph: Graph) -> Any:
    """Build the Keras model of a graph, one layer or operation for each of the file's.

    Keras' session is cleared first.

    Raises:
        Refused: an input is quantized or its batch is not 1, or an operation has no layer.
    """
    import keras

    keras.utils.clear_session()
    inputs: list[Any] = []
    names = _input_names(graph)
    for index in map(int, graph.graph.inputs):
        shape, kind = graph.shape(index), graph.graph.tensors[index].type
        if not shape or shape[0] != 1:
            raise Refused(f"takes {shape}; wanted one sample, a first axis of 1")
        if kind not in TYPES and graph.real is None:
            raise Refused("takes quantized inputs; wanted the float file that it was made from")
        name = names.get(index, f"input_{len(inputs)}")
        dtype = "float32" if kind in INTEGERS else TYPES[kind]
        inputs.append(keras.Input(tuple(shape[1:]), dtype=dtype, name=name))
        graph.keep(index, inputs[-1])
    needed = _needed(graph)
    for place, op in enumerate(graph.graph.operators):
        if place in needed:
            _make(graph, place, op)
    outputs = [graph.tensors[int(index)] for index in graph.graph.outputs]
    return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs)


def _input_names(graph: Graph) -> dict[int, str]:
    """Return the names that a file's signature gives its inputs, in letters that Keras takes."""
    signatures = graph.model.signatureDefs or []
    return {
        int(entry.tensorIndex): re.sub(r"\W", "_", bytes(entry.name).decode(errors="replace"))
        for signature in signatures[:1]
        for entry in signature.inputs
    }


def _needed(graph: Graph) -> set[int]:
    """Return the indices of the operations that outputs depend on.

    What computes sizes is left out: they stand in the file's tensors.
    """
    writers = {
        int(out): place for place, op in enumerate(graph.graph.operators) for out in op.outputs
    }
    asked, found = [int(index) for index in graph.graph.outputs], set()
    while asked:
        place = writers.get(asked.pop())
        if place is None or place in found:
            continue
        found.add(place)
        op = graph.graph.operators[place]
        sizes = SIZES.get(graph.kinds[op.opcodeIndex])
        asked += [int(index) for i, index in enumerate(op.inputs) if index >= 0 and i != sizes]
    return found


def _make(graph: Graph, place: int, op: Any) -> None:
    """Make what one operation writes."""
    kind = graph.kinds[op.opcodeIndex]
    if kind not in OPERATIONS:
        raise Refused(f"operation {place}, {kind}, has no counterpart here")
    node = Node(
        kind=kind,
        name=f"{kind.lower()}_{place}",
        options=op.builtinOptions,
        read=[graph.tensors.get(int(i)) if i >= 0 else None for i in op.inputs],
        stored=[graph.constant(int(i)) if i >= 0 else None for i in op.inputs],
        shapes=[graph.shape(int(i)) if i >= 0 else [] for i in op.inputs],
        written=[graph.shape(int(i)) for i in op.outputs],
    )
    if kind == "DEQUANTIZE" and node.stored[0] is not None:  # float16 weights
        tensor = graph.graph.tensors[int(op.outputs[0])]
        graph.model.buffers.append(_Stored(node.stored[0]))
        tensor.buffer = len(graph.model.buffers) - 1
        return
    try:
        made = OPERATIONS[kind](node)
    except (ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        raise Refused(
            f"operation {place}, {kind}, reads {node.shapes} and writes {node.written} in a way "
            "that is not known here"
        ) from error
    outputs: Iterable[Any] = made if isinstance(made, list | tuple) else [made]
    fused = getattr(op.builtinOptions, "fusedActivationFunction", 0)
    fused = 0 if kind in WITH_OWN_ACTIVATION else fused
    for index, x in zip(map(int, op.outputs), outputs, strict=True):
        graph.keep(index, apply_activation(x, fused, node.name))


@dataclass(frozen=True)
class _Stored:
    """A buffer made here, in the form of the schema's."""

    values: Array

    @property
    def data(self) -> Array:
        return np.frombuffer(self.values.astype(np.float32).tobytes(), np.uint8)


def _compare(model: Model, content: bytes, path: Path) -> None:
    """Refuse a network whose outputs differ from the file's, on random samples."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        details, generator = interpreter.get_input_details(), np.random.default_rng(0)
        samples = [_random(generator, detail) for detail in details]
        wanted = []
        for place in range(SAMPLES):
            for detail, x in zip(details, samples, strict=True):
                interpreter.set_tensor(detail["index"], x[place : place + 1])
            interpreter.reset_all_variables()
            interpreter.invoke()
            first = interpreter.get_output_details()[0]
            wanted.append(interpreter.get_tensor(first["index"]).ravel())
    except (RuntimeError, ValueError) as error:
        said = (str(error).splitlines() or [""])[0]
        raise ConfigError(f"model.path: {path}: cannot be run on LiteRT: {said}") from error
    outputs = model(samples, training=False)
    found = np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs)
    expected = np.stack(wanted)
    apart = float(np.abs(found.reshape(expected.shape) - expected).max())
    if not apart <= SAME * max(1.0, float(np.abs(expected).max())):  # NaN too
        raise ConfigError(
            f"model.path: {path}: the outputs of the network made of it differ by {apart:.2g}; "
            f"allowed {SAME}. Give the .keras file that it was made from"
        )


def _random(generator: np.random.Generator, detail: dict[str, Any]) -> Array:
    shape = (SAMPLES, *(int(size) for size in detail["shape"][1:]))
    if np.issubdtype(detail["dtype"], np.floating):
        return generator.standard_normal(shape, np.float32)
    return generator.integers(0, 2, shape).astype(detail["dtype"])
