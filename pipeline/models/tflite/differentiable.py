"""A quantized .tflite file as a network of Keras that rounds as the file does.

Each operation computes in float on the numbers that the file's integers stand for, and what it
writes is brought to the grid of its own tensor: scale, zero point and range are the file's. The
gradient passes straight through the rounding (Bengio et al. 2013, arXiv:1308.3432), so that what
has none in the file can be attacked. What a kernel rounds on the way is left out: the two agree but
for a step now and then, which whoever relies on it must measure.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Tensor
from pipeline.models.tflite.node import Refused
from pipeline.models.tflite.read import INTEGERS, build_network, open_graph

DECIDING = "SOFTMAX"  # as the last operation: what it reads decides, and does not saturate


@dataclass(frozen=True)
class DifferentiableCopy:
    """A network with nearly the outputs of a file, and with gradients."""

    answers: Any
    """Keras model from the file's inputs, in real numbers, to its outputs, in real numbers."""
    logits: Any
    """The same up to the input of the last softmax; the whole network where there is none."""
    step: float
    """Scale of the output: what one step of it is worth; 0 where it is float."""


def differentiable_copy(path: Path) -> DifferentiableCopy:
    """Return the copy of a .tflite file, quantized in whole or in part, or float.

    Weights of 8 bits beside float activations are dequantized: that some kernels round those
    activations for each sample anew is left out.

    Raises:
        Refused: the file computes what the copy cannot; the text says what.
    """
    try:
        graph = open_graph(path, path.read_bytes())
        graph.real, graph.kept = real, _kept
        model = build_network(graph)
    except Refused:
        raise
    except Exception as error:  # a file of an unknown form makes its reader raise whatever is
        said = (str(error).splitlines() or [""])[0]
        raise Refused(f"of a form that is not known: {type(error).__name__}: {said}") from error
    (last,) = (int(index) for index in graph.graph.outputs)
    decides = _before_softmax(graph, last)
    tensors = graph.tensors
    scale, _ = steps(graph.graph.tensors[last])
    logits = keras.Model(model.inputs, tensors[decides]) if decides in tensors else model
    return DifferentiableCopy(model, logits, 0.0 if scale is None else float(scale[0]))


def steps(tensor: Tensor) -> tuple[Array | None, Array]:
    """Return scales and zero points of a tensor of the schema, (1,) or (channels,).

    Returns:
        Scales float32, None where the tensor is not quantized; zero points float64.
    """
    found = tensor.quantization
    if found is None or found.scale is None or not len(found.scale):
        return None, np.zeros(1)
    scale = np.asarray(found.scale, np.float32)
    zero = np.zeros(len(scale)) if found.zeroPoint is None else np.asarray(found.zeroPoint)
    return scale, np.resize(zero, len(scale)).astype(np.float64)


def real(values: Array, tensor: Tensor) -> Array:
    """Dequantize stored integers; values of a tensor without a scale are returned as they are.

    Args:
        values: in the tensor's shape.
        tensor: of the schema.

    Returns:
        float32, in the same shape.
    """
    scale, zero = steps(tensor)
    if scale is None:
        return values
    shape = [1] * values.ndim
    if len(scale) > 1:
        shape[int(tensor.quantization.quantizedDimension)] = len(scale)
    exact = (values.astype(np.float64) - zero.reshape(shape)) * scale.reshape(shape)
    return np.asarray(exact, np.float32)


def _kept(x: Tensor, tensor: Tensor) -> Any:
    """Return what a tensor of the file keeps of a value: the nearest number on its grid."""
    scale, zero = steps(tensor)
    if scale is None or tensor.type not in INTEGERS:
        return x
    limits = np.iinfo(INTEGERS[tensor.type])
    return Rounded(float(scale[0]), float(zero[0]), (int(limits.min), int(limits.max)))(x)


class Rounded(keras.layers.Layer):
    """Round to a grid of whole steps, half to even; the gradient passes as if it had not been.

    Below a range that begins at zero there is none: a file may keep a ReLU only in its range. At
    zero itself there is, which is where the black of a picture lies.
    Beyond any other end it passes too, or values that saturate would hide the way out.
    """

    def __init__(self, scale: float, zero: float, limits: tuple[int, int]) -> None:
        """Round to `scale` * (q - `zero`), q whole and within `limits`."""
        super().__init__()
        self.scale, self.zero, self.limits = scale, zero, limits

    def compute_output_spec(self, x: Tensor) -> Any:
        """Return the spec of the output: shape and type of x, dense, whatever Keras takes x for."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def call(self, x: Tensor) -> Any:
        """Return x on the grid, of the same shape."""
        near = tf.round(x / self.scale) + self.zero
        near = (tf.clip_by_value(near, *map(float, self.limits)) - self.zero) * self.scale
        x = tf.where(tf.math.is_finite(x), x, near)  # 1 / sqrt(0): the file has its greatest number
        through = tf.where(x < 0, 0.0, x) if self.zero == self.limits[0] else x
        return through + tf.stop_gradient(near - through)


def _before_softmax(graph: Any, last: int) -> int:
    """Return the index of the last softmax's input; that of the output where there is none."""
    writer = {int(out): op for op in graph.graph.operators for out in op.outputs}
    index = last
    while index in writer:
        op = writer[index]
        kind = graph.kinds[op.opcodeIndex]
        if kind == DECIDING:
            return int(op.inputs[0])
        if kind not in PASSING:
            return last
        index = int(op.inputs[0])
    return last


# What moves numbers to another type or shape and decides nothing.
PASSING: tuple[str, ...] = ("QUANTIZE", "DEQUANTIZE", "RESHAPE")
