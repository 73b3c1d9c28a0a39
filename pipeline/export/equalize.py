"""Correction before quantization, on the float32 file itself: it needs no model.

Masks are made finite (masks.py), then cross-layer equalization: where one layer's channels differ
much in range, a scale that goes from one layer into the next makes them alike, and the network
computes the same outputs. Corrections after quantization are in bias_correction.py.

Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction"
(arXiv:1906.04721), section 4.1. Here ranges of activations are measured on the calibration samples
instead of guessed, and a depthwise layer, whose channels have scales of their own, takes the whole
of the difference.
"""

import copy
import functools
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.export.inline_buffers import open_model
from pipeline.export.masks import make_masks_finite
from pipeline.export.ranges import (
    FULL,
    REMEMBERED,
    Files,
    open_keeping_tensors,
    ranges_of,
    same_files,
    samples_of,
    span_of,
    values_of,
)

SAMPLES = 64  # of the calibration samples: means and ranges change little beyond
SAME = 1e-3  # largest difference of the outputs with a finite mask
PASSES = 3  # over all pairs; the ranges move by under 1 % after
FARTHEST = 1e4  # that a channel is scaled up or down by
NONE, RELU = 0, 1  # fused activations that a positive scale goes through
AXES = {  # operation -> (axis of the outputs, axis of the inputs) of its weights
    "CONV_2D": (0, 3),
    "DEPTHWISE_CONV_2D": (3, 3),
    "FULLY_CONNECTED": (0, 1),
}
THROUGH = ("RESHAPE", "RELU", "PAD")  # pools and means too, with conditions


@dataclass(frozen=True)
class Layer:
    """A linear operation with weights of its own in the file."""

    place: int
    kind: str
    weights: int
    bias: int | None
    read: int
    written: int
    activation: int


class Graph:
    """A .tflite file's first graph, its tensors' contents readable and writable in place."""

    def __init__(self, content: bytes) -> None:
        """Read the file."""
        from ai_edge_litert import schema_py_generated as schema
        from ai_edge_litert.tools import flatbuffer_utils

        self._tools = flatbuffer_utils
        self.model = open_model(content)
        self.graph = self.model.subgraphs[0]
        codes = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        self.kinds = [codes[c.builtinCode] for c in self.model.operatorCodes]
        self.readers: dict[int, list[int]] = {}
        for place, op in enumerate(self.graph.operators):
            for index in op.inputs:
                self.readers.setdefault(int(index), []).append(place)

    def kind(self, place: int) -> str:
        """Return the name of an operation."""
        return self.kinds[self.graph.operators[place].opcodeIndex]

    def name(self, index: int) -> str:
        """Return a tensor's name."""
        return str(bytes(self.graph.tensors[index].name).decode())

    def values(self, index: int, dtype: Any) -> Array:
        """Return a stored tensor in its shape, a copy."""
        tensor = self.graph.tensors[index]
        data = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8)
        return data.view(dtype).reshape(tensor.shape).copy()

    def store(self, index: int, values: Array) -> None:
        """Replace the content of a stored tensor by values of its type and shape."""
        buffer = self.model.buffers[self.graph.tensors[index].buffer]
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)

    def is_stored(self, index: int) -> bool:
        """Tell whether a tensor's values are in the file."""
        data = self.model.buffers[self.graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def scales(self, index: int) -> Array:
        """Return a tensor's scales (C,) or (1,); (0,) where it is not quantized."""
        known = self.graph.tensors[index].quantization
        scale = None if known is None else known.scale
        return np.asarray([] if scale is None else scale, np.float64)

    def store_apart(self, index: int, values: Array, scales: Array) -> None:
        """Give a stored tensor values and scales of its own; who shares its buffer keeps it.

        Args:
            index: of the tensor.
            values: in its type and shape.
            scales: (C,) or (1,), as many as it has.
        """
        tensor, buffers = self.graph.tensors[index], self.model.buffers
        users = [t for graph in self.model.subgraphs for t in graph.tensors]
        if sum(other.buffer == tensor.buffer for other in users) > 1:
            buffers.append(copy.copy(buffers[tensor.buffer]))
            tensor.buffer = len(buffers) - 1
        self.store(index, values)
        tensor.quantization.scale = scales.astype(np.float32)

    def content(self) -> bytes:
        """Return the file."""
        return bytes(self._tools.convert_object_to_bytearray(self.model))

    def layers(self) -> Iterator[Layer]:
        """Yield the linear operations whose weights are stored and have no other reader."""
        for place, op in enumerate(self.graph.operators):
            kind = self.kind(place)
            if kind not in AXES or len(op.inputs) < 2 or not self._is_own(int(op.inputs[1])):
                continue
            bias = int(op.inputs[2]) if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
            if bias is not None and not self._is_own(bias):
                continue
            fused = int(op.builtinOptions.fusedActivationFunction)
            ends = int(op.inputs[0]), int(op.outputs[0])
            yield Layer(place, kind, int(op.inputs[1]), bias, *ends, fused)

    def _is_own(self, index: int) -> bool:
        buffer = self.graph.tensors[index].buffer
        users = [i for i, t in enumerate(self.graph.tensors) if t.buffer == buffer]
        return self.is_stored(index) and users == [index] and self._once(index)

    def _once(self, index: int) -> bool:
        return len(self.readers.get(index, [])) == 1

    def _keeps_channels(self, place: int) -> bool:
        """Tell whether an operation leaves channels what they are, at whatever positive scale."""
        kind, op = self.kind(place), self.graph.operators[place]
        if kind == "MEAN":
            axes, last = self.values(int(op.inputs[1]), np.int32).ravel(), self._last(op.inputs[0])
            return not {-1, last} & {int(axis) for axis in axes}
        if kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
            return int(op.builtinOptions.fusedActivationFunction) in (NONE, RELU)
        return kind in THROUGH

    def _last(self, index: int) -> int:
        return len(self.graph.tensors[int(index)].shape) - 1

    def next_layer(self, layer: Layer, layers: Mapping[int, Layer]) -> Layer | None:
        """Return the only layer that reads another's output, through pools and reshapes."""
        index = layer.written
        while self._once(index) and index not in self.graph.outputs:
            (place,) = self.readers[index]
            if place in layers:
                return layers[place] if layers[place].read == index else None
            op = self.graph.operators[place]
            if int(op.inputs[0]) != index or not self._keeps_channels(place):
                return None
            index = int(op.outputs[0])
        return None


def equalized_file(float32: str, calibration: str) -> str:
    """Write the float32 file, masks finite and channels' ranges alike, beside it; return its path.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
    """
    path = Path(float32)
    out = path.with_name(f"{path.stem}_equalized.tflite")
    out.write_bytes(_equalized(same_files(float32, calibration)))
    return str(out)


@functools.lru_cache(maxsize=REMEMBERED)
def _equalized(files: Files) -> bytes:
    """Return the float32 file with finite masks and channels' ranges alike."""
    graph = _finite(files)
    layers = {layer.place: layer for layer in graph.layers()}
    pairs = [
        (layer, found)
        for layer in layers.values()
        if layer.activation in (NONE, RELU)
        and (found := graph.next_layer(layer, layers)) is not None
    ]
    reach = _reach(files, [layer.written for layer, _ in pairs])
    for _ in range(PASSES):
        for one, two in pairs:
            reach[one.written] = _equalize(graph, one, two, reach[one.written])
    return graph.content()


def _finite(files: Files) -> Graph:
    """Return the graph with finite masks, where its outputs stay the same; else unchanged."""
    plain = Path(files.float32).read_bytes()
    graph = Graph(plain)
    full = ranges_of(files.float32, files.calibration, clipping=FULL, bits=8, known={})
    if not make_masks_finite(graph, {name: span_of(span) for name, span in full.items()}):
        return graph
    outputs = [int(index) for index in graph.graph.outputs]
    with tempfile.TemporaryDirectory(prefix="edgeline_") as folder:
        draft = Path(folder) / "finite.tflite"
        draft.write_bytes(graph.content())
        pair = (runs(str(file), files.calibration, outputs) for file in (files.float32, draft))
        both = zip(*pair, strict=True)
        apart = max(np.abs(a[index] - b[index]).max() for a, b in both for index in outputs)
    return graph if apart <= SAME else Graph(plain)


def _equalize(graph: Graph, one: Layer, two: Layer, reach: Array) -> Array:
    """Scale the channels between two layers, and return how far they reach then (C,)."""
    after = graph.values(two.weights, np.float32)
    before = graph.values(one.weights, np.float32)
    axis = AXES[two.kind][1]
    width, is_dense = after.shape[axis], two.kind == "FULLY_CONNECTED"
    if width != len(reach) and not (is_dense and width % len(reach) == 0):
        return reach
    scale = _scales(reach, after, axis, is_depthwise=two.kind == "DEPTHWISE_CONV_2D")
    out_axis = AXES[one.kind][0]
    shape = [-1 if i == out_axis else 1 for i in range(before.ndim)]
    graph.store(one.weights, (before / scale.reshape(shape)).astype(np.float32))
    if one.bias is not None:
        bias = graph.values(one.bias, np.float32)
        graph.store(one.bias, (bias / scale).astype(np.float32))
    tiled = np.tile(scale, width // len(reach))  # a flattened map: channels come last
    shape = [-1 if i == axis else 1 for i in range(after.ndim)]
    graph.store(two.weights, (after * tiled.reshape(shape)).astype(np.float32))
    return np.asarray(reach / scale)


def _scales(reach: Array, weights: Array, axis: int, *, is_depthwise: bool) -> Array:
    """Return what each channel is divided by (C,), powers of two: no weight is rounded."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    used = np.abs(weights).max(axis=others).reshape(-1, len(reach)).max(axis=0)
    is_known = (reach > 0) & (used > 0)
    if not is_known.any():
        return np.ones(len(reach), np.float32)
    wanted = reach / reach.max() if is_depthwise else np.sqrt(reach / np.where(is_known, used, 1))
    wanted = np.where(is_known, wanted, 1.0)
    middle = 1.0 if is_depthwise else float(np.exp(np.log(wanted[is_known]).mean()))
    bounded = np.clip(np.where(is_known, wanted / middle, 1.0), 1 / FARTHEST, FARTHEST)
    return np.asarray(2.0 ** np.round(np.log2(bounded)), np.float32)


def _reach(files: Files, tensors: list[int]) -> dict[int, Array]:
    """Return tensor -> greatest size of each of its channels (C,) over the calibration samples."""
    found: dict[int, Array] = {}
    for values in runs(files.float32, files.calibration, tensors):
        for index, x in values.items():
            size = np.abs(x).reshape(-1, x.shape[-1]).max(axis=0)
            found[index] = np.maximum(found.get(index, 0.0), size)
    return found


def runs(float32: str, calibration: str, tensors: Collection[int]) -> Iterator[dict[int, Array]]:
    """Run some calibration samples, and yield the values of some tensors for each.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
        tensors: their indices.

    Yields:
        Index -> values, in the shape of the tensor.
    """
    return values_of(open_keeping_tensors(float32), tensors, samples_of(calibration)[:SAMPLES])
