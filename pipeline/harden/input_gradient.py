"""Gradients of first convolutions by their input, at the speed of a forward pass on a CPU.

An attack needs the gradient by the input alone, and half of its time goes into the first
convolution of an image or a spectrogram: there the gradient has one to four channels, which fill a
vector register badly. A transposed convolution is a convolution whose channels are blocks of the
result, shuffled into place (Shi et al. 2016, arXiv:1609.07009, section 3), and blocks fill it.

Legend: H, W sides; C channels of the input, F of the output; P side of a block.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Layer, Tensor

NARROW = 4  # channels, at most: wider gradients are quick as they are
LANES = 16  # float32 numbers in a vector register, at most


def quick(head: Any) -> Any:
    """Return the network with first convolutions of quick gradients; all weights are shared.

    Outputs are equal, and gradients but for rounding. Accelerators are left alone, and networks
    without such a convolution or that are no graph of layers.

    Args:
        head: a Keras network.
    """
    if any(device.device_type != "CPU" for device in tf.config.list_logical_devices()):
        return head
    is_graph = hasattr(head, "operations") and not isinstance(head, keras.Sequential)
    if not is_graph or not any(map(_is_narrow, head.layers)):
        return head
    return keras.models.clone_model(
        head, clone_function=lambda layer: Quick(layer) if _is_narrow(layer) else layer
    )


class Quick(keras.layers.Layer):
    """A convolution that has the weights of another, and a gradient of its own."""

    def __init__(self, own: Any) -> None:
        """Take on the convolution `own`."""
        super().__init__(name=own.name, dtype=own.dtype_policy)
        self.own = own

    def call(self, x: Tensor) -> Any:
        """Return what the convolution returns, (B, H, W, C) to (B, H', W', F)."""
        own = self.own
        kernel = tf.convert_to_tensor(own.kernel)
        y = _convolution(x, kernel, own.strides[0], own.padding.upper())
        y = y if own.bias is None else tf.nn.bias_add(y, tf.convert_to_tensor(own.bias))
        return y if own.activation is None else own.activation(y)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return that of the convolution."""
        return self.own.compute_output_shape(shape)


def block_of(stride: int, channels: int) -> int:
    """Return the side P of the blocks: a multiple of the stride, P * P * channels within a vector.

    It is the stride itself where none fits, and 1 is no gain.
    """
    fitting = [p for p in (2, 4) if p % stride == 0 and p * p * channels <= LANES]
    return max([stride, *fitting])


def _is_narrow(layer: Layer) -> bool:
    """Return whether the gradient of a layer by its input can be computed faster."""
    if type(layer) is not keras.layers.Conv2D or layer.compute_dtype != "float32":
        return False
    channels, strides = layer.kernel.shape[2], set(layer.strides)
    return bool(
        channels <= NARROW
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and tuple(layer.dilation_rate) == (1, 1)
        and len(strides) == 1
        and block_of(layer.strides[0], channels) > 1
        and None not in layer.input.shape[1:3]
    )


def _convolution(x: Tensor, kernel: Any, stride: int, padding: str) -> Any:
    """Return the convolution of x (B, H, W, C) with kernel (h, w, C, F)."""

    @tf.custom_gradient
    def of(x: Tensor, kernel: Any) -> Any:
        def gradient(flow: Any) -> tuple[Any, Any]:
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=x,
                filter_sizes=kernel.shape,
                out_backprop=flow,
                strides=[1, stride, stride, 1],
                padding=padding,
            )
            return by_input(flow, kernel, x.shape[1:3], stride=stride, padding=padding), by_kernel

        return tf.nn.conv2d(x, kernel, stride, padding), gradient

    return of(x, kernel)


def by_input(flow: Any, kernel: Any, sides: Any, *, stride: int, padding: str) -> Any:
    """Return the gradient (B, H, W, C) of a convolution by its input.

    Args:
        flow: the gradient by its output (B, H', W', F).
        kernel: (h, w, C, F).
        sides: H and W.
        stride: of both sides.
        padding: SAME or VALID.
    """
    channels, filters = kernel.shape[2:]
    block = block_of(stride, channels)
    axes = [
        _axis(*of, stride=stride, block=block, is_same=padding == "SAME")
        for of in zip(sides, kernel.shape[:2], flow.shape[1:3], strict=True)
    ]
    (rows, high, above), (columns, wide, left) = axes
    spread = tf.pad(kernel, [[0, 1], [0, 1], [0, 0], [0, 0]])  # its last row and column are nothing
    spread = tf.gather(tf.gather(spread, rows, axis=0), columns, axis=2)
    shape = (len(rows), len(columns), filters, block * block * channels)
    spread = tf.reshape(tf.transpose(spread, (0, 2, 5, 1, 3, 4)), shape)
    used = flow[:, : flow.shape[1] + min(0, above[1]), : flow.shape[2] + min(0, left[1])]
    pads = [[0, 0], *([first, max(0, last)] for first, last in (above, left)), [0, 0]]
    blocks = tf.nn.conv2d(used, spread, block // stride, pads)
    blocks = tf.reshape(blocks, (-1, high, wide, block, block, channels))
    shape = (-1, high * block, wide * block, channels)
    gradient = tf.reshape(tf.transpose(blocks, (0, 1, 3, 2, 4, 5)), shape)
    return gradient[:, : sides[0], : sides[1]]


def _axis(
    side: int, reach: int, outputs: int, *, stride: int, block: int, is_same: bool
) -> tuple[Any, int, tuple[int, int]]:
    """Return how blocks of the gradient are made along one axis.

    Args:
        side: values of the input.
        reach: values of the kernel.
        outputs: values of the output.
        stride: inputs from one output to the next.
        block: values of the gradient that are made together.
        is_same: whether the input was padded.

    Returns:
        Index in the kernel for each output that a block needs and each value of the block (Q, P),
        `reach` where there is none; number of blocks; outputs to add before and after, negative
        to leave out.
    """
    padding = max((outputs - 1) * stride + reach - side, 0) // 2 if is_same else 0
    first, last = -((reach - 1 - padding) // stride), (block - 1 + padding) // stride
    outputs_of = stride * (first + np.arange(last - first + 1)[:, None])
    indices = padding + np.arange(block)[None] - outputs_of
    indices = np.where((indices >= 0) & (indices < reach), indices, reach)
    blocks = -(-side // block)
    have = (blocks - 1) * (block // stride) + len(indices)
    return indices, blocks, (-first, have + first - outputs)
