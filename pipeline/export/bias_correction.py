"""Bias correction: subtract the mean error of rounded weights from the file's biases.

Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction"
(arXiv:1906.04721), section 4.2. Here means of activations are measured on the calibration samples
instead of guessed.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.export.equalize import Graph, runs
from pipeline.export.ranges import REMEMBERED, Files, same_files

INT32 = 2  # the schema's TensorType of biases; those of 16-bit activations have 64 bits


def correct_biases(content: bytes, float32: str, calibration: str) -> bytes:
    """Return an integer file whose biases take back what rounded weights add on average.

    Args:
        content: the file, made from `float32` by the quantizer, which keeps the tensors' names.
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
    """
    wanted, made = Graph(Path(float32).read_bytes()), Graph(content)
    by_name = {wanted.name(layer.written): layer for layer in wanted.layers()}
    read = tuple(layer.read for layer in by_name.values())
    means = _means(same_files(float32, calibration), read)
    for layer in made.layers():
        own = by_name.get(made.name(layer.written))
        if own is None or own.kind != layer.kind or layer.bias is None:
            continue
        error = _dequantized(made, layer.weights) - wanted.values(own.weights, np.float32)
        shift = _shift(error, means[own.read], layer.kind)
        scales = np.asarray(made.graph.tensors[layer.bias].quantization.scale, np.float64)
        bits = np.int32 if made.graph.tensors[layer.bias].type == INT32 else np.int64
        bias = made.values(layer.bias, bits)
        moved = np.round(bias - shift / scales)
        made.store(layer.bias, np.clip(moved, *_ends(bits)).astype(bits))
    return made.content()


def _ends(kind: Any) -> tuple[float, float]:
    return float(np.iinfo(kind).min), float(np.iinfo(kind).max)


def _dequantized(graph: Graph, index: int) -> Array:
    """Return int8 weights as the numbers that they stand for; one scale each output, or one."""
    known = graph.graph.tensors[index].quantization
    values = graph.values(index, np.int8).astype(np.float64)
    scales = np.asarray(known.scale, np.float64)
    if len(scales) == 1:
        return np.asarray(values * scales[0])
    shape = [-1 if i == known.quantizedDimension else 1 for i in range(values.ndim)]
    return np.asarray(values * scales.reshape(shape))


def _shift(error: Array, mean: Array, kind: str) -> Array:
    """Return what an error of the weights adds to each output on average (O,)."""
    if kind == "FULLY_CONNECTED":
        return np.asarray(error @ np.resize(mean, error.shape[1]))
    if kind == "DEPTHWISE_CONV_2D":
        repeated = np.repeat(mean, error.shape[3] // len(mean))
        return np.asarray(error.sum(axis=(0, 1, 2)) * repeated)
    return np.asarray(error.sum(axis=(1, 2)) @ mean)


@functools.lru_cache(maxsize=REMEMBERED)
def _means(files: Files, tensors: tuple[int, ...]) -> dict[int, Array]:
    """Return tensor -> mean of each of its channels (C,) over the calibration samples."""
    sums: dict[int, Any] = {}
    count = 0
    for values in runs(files.float32, files.calibration, tensors):
        count += 1
        for index, x in values.items():
            mean = x.reshape(-1, x.shape[-1]).mean(axis=0, dtype=np.float64)
            sums[index] = sums.get(index, 0.0) + mean
    return {index: np.asarray(total / count) for index, total in sums.items()}
