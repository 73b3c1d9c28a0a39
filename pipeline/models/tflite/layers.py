"""TFLite operations that are layers of Keras: what has weights, pools, activations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.arrays import Tensor
from pipeline.models.tflite.node import Node, Refused, call_with_weights, to_file_shape

SAME, VALID = 0, 1  # the schema's Padding
RELU, RELU_N1_TO_1, RELU6, TANH = 1, 2, 3, 4  # its ActivationFunctionType


def apply_activation(x: Tensor, fused: int, name: str) -> Any:
    """Apply the activation that a file has fused into an operation; the shape of x stays.

    Args:
        x: Keras tensor.
        fused: number of the activation in the schema (ActivationFunctionType).
        name: of the operation.
    """
    import keras

    layers = keras.layers
    if fused == RELU:
        return layers.ReLU(name=f"{name}_relu")(x)
    if fused == RELU6:
        return layers.ReLU(6.0, name=f"{name}_relu6")(x)
    if fused == RELU_N1_TO_1:
        return keras.ops.clip(x, -1.0, 1.0)
    return layers.Activation("tanh", name=f"{name}_tanh")(x) if fused == TANH else x


def _windows(node: Node) -> dict[str, Any]:
    """Return padding and strides of a convolution or pool."""
    options = node.options
    return {
        "padding": "same" if options.padding == SAME else "valid",
        "strides": (int(options.strideH), int(options.strideW)),
        "name": node.name,
    }


def _dilation(node: Node) -> tuple[int, int]:
    return int(node.options.dilationHFactor), int(node.options.dilationWFactor)


def convolution(node: Node) -> Any:
    """Return a convolution, in groups too. Its kernel lies (O, H, W, I) in the file."""
    import keras

    kernel, bias, x = node.constant(1), node.bias(2), node.tensor()
    layer = keras.layers.Conv2D(
        kernel.shape[0],
        kernel.shape[1:3],
        dilation_rate=_dilation(node),
        groups=int(x.shape[-1]) // kernel.shape[3],
        use_bias=bias is not None,
        **_windows(node),
    )
    return call_with_weights(layer, x, [kernel.transpose(1, 2, 3, 0), bias])


def depthwise(node: Node) -> Any:
    """Return a depthwise convolution."""
    import keras

    kernel, bias, x = node.constant(1), node.bias(2), node.tensor()
    _, height, width, channels = kernel.shape
    layer = keras.layers.DepthwiseConv2D(
        (height, width),
        depth_multiplier=channels // int(x.shape[-1]),
        dilation_rate=_dilation(node),
        use_bias=bias is not None,
        **_windows(node),
    )
    return call_with_weights(layer, x, [kernel.reshape(height, width, int(x.shape[-1]), -1), bias])


def transposed_convolution(node: Node) -> Any:
    """Return a transposed convolution; its input comes third."""
    import keras

    kernel, bias = node.constant(1), node.bias(3)
    layer = keras.layers.Conv2DTranspose(
        kernel.shape[0], kernel.shape[1:3], use_bias=bias is not None, **_windows(node)
    )
    return call_with_weights(layer, node.tensor(2), [kernel.transpose(1, 2, 0, 3), bias])


def dense(node: Node) -> Any:
    """Return a dense layer on the last axis."""
    import keras

    kernel, bias, x = node.constant(1), node.bias(2), node.tensor()
    units, width = kernel.shape
    if int(x.shape[-1]) != width:
        x = to_file_shape(x, [*node.written[0][:-1], width], f"{node.name}_rows")
    layer = keras.layers.Dense(units, use_bias=bias is not None, name=node.name)
    return to_file_shape(
        call_with_weights(layer, x, [kernel.T, bias]), node.written[0], f"{node.name}_shape"
    )


LSTM_INPUT, LSTM_RECURRENT, LSTM_BIAS = slice(1, 5), slice(5, 9), slice(12, 16)
CELL_CLIP = 10.0  # that TFLite's converter writes, whatever the layer had
LSTM_OTHERS = (9, 10, 11, 16, 17)  # peepholes and projection


def lstm(node: Node) -> Any:
    """Return a fused LSTM over a sequence; its gates are in the order of Keras."""
    import keras

    if node.options.timeMajor or any(node.stored[i] is not None for i in LSTM_OTHERS):
        raise Refused(f"{node.name}: peepholes, a projection, or time before the batch")
    clips = float(node.options.cellClip)
    if node.options.fusedActivationFunction != TANH or clips not in (0, CELL_CLIP):
        raise Refused(f"{node.name}: an activation other than tanh, or a clipped cell")
    places = range(len(node.read))
    kernel, recurrent = (
        np.concatenate([node.constant(i).T for i in places[part]], axis=1)
        for part in (LSTM_INPUT, LSTM_RECURRENT)
    )
    bias = np.concatenate([node.constant(i) for i in places[LSTM_BIAS]])
    units = len(recurrent)
    layer = keras.layers.LSTM(units, return_sequences=True, name=node.name)
    return call_with_weights(layer, node.tensor(), [kernel, recurrent, bias])


def pool(average: bool) -> Callable[[Node], Any]:
    """Return how to pool by average, or by the greatest."""

    def make(node: Node) -> Any:
        import keras

        kind = keras.layers.AveragePooling2D if average else keras.layers.MaxPooling2D
        size = int(node.options.filterHeight), int(node.options.filterWidth)
        return kind(size, **_windows(node))(node.tensor())

    return make


def mean(node: Node) -> Any:
    """Return the mean along axes: a global pool where these are all spatial axes."""
    import keras

    shape, keep = node.shapes[0], bool(node.options.keepDims)
    axes = tuple(node.axis(int(a), shape) for a in node.constant(1).ravel())
    x = node.tensor()
    if sorted(axes) == [1, 2] and len(x.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(keepdims=keep, name=node.name)(x)
    if axes == (1,) and len(x.shape) == 3:
        return keras.layers.GlobalAveragePooling1D(keepdims=keep, name=node.name)(x)
    return keras.ops.mean(x, axis=axes, keepdims=keep)


def layer_of(name: str, *given: Any) -> Callable[[Node], Any]:
    """Return how to call a layer without weights."""

    def make(node: Node) -> Any:
        import keras

        return getattr(keras.layers, name)(*given, name=node.name)(node.tensor())

    return make


def softmax(node: Node) -> Any:
    """Return a softmax along the last axis."""
    import keras

    x, beta = node.tensor(), float(node.options.beta)
    if beta != 1:
        x = keras.layers.Rescaling(beta, name=f"{node.name}_beta")(x)
    return keras.layers.Softmax(name=node.name)(x)


def leaky(node: Node) -> Any:
    """Return a leaky ReLU."""
    import keras

    return keras.layers.LeakyReLU(float(node.options.alpha), name=node.name)(node.tensor())


def prelu(node: Node) -> Any:
    """Return a ReLU whose slope is learned."""
    import keras

    alpha, x = node.constant(1), node.tensor()
    axes = [i + 1 for i, size in enumerate(alpha.shape) if size == 1][: len(x.shape) - 2]
    layer = keras.layers.PReLU(shared_axes=axes or None, name=node.name)
    return call_with_weights(layer, x, [alpha])


def gelu(node: Node) -> Any:
    """Return a GELU, exact or by tanh."""
    import keras

    if not node.options.approximate:
        return keras.layers.Activation("gelu", name=node.name)(node.tensor())
    return keras.ops.gelu(node.tensor(), approximate=True)


def resize_map(interpolation: str) -> Callable[[Node], Any]:
    """Return how to make a map a whole number of times as large."""

    def make(node: Node) -> Any:
        import keras

        (_, height, width, _), (_, tall, wide, _) = node.shapes[0], node.written[0]
        if tall % height or wide % width:
            raise Refused(f"{node.name}: not a whole number of times as large")
        size = tall // height, wide // width
        return keras.layers.UpSampling2D(size, interpolation=interpolation, name=node.name)(
            node.tensor()
        )

    return make


def gather_rows(node: Node) -> Any:
    """Return rows of a table (an embedding), or entries along an axis."""
    import keras

    if node.stored[0] is None:
        places = node.constant(1).astype(np.int32)
        axis = node.axis(int(node.options.axis), node.shapes[0])
        found = keras.ops.take(node.tensor(), places.tolist(), axis=axis)
        return to_file_shape(found, node.written[0], f"{node.name}_shape")
    table = node.constant(0)
    layer = keras.layers.Embedding(*table.shape, name=node.name)
    return call_with_weights(layer, node.tensor(1), [table])
