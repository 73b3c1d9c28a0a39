"""TFLite operations that move numbers about: shapes, parts, order."""

from typing import Any

import numpy as np

from pipeline.models.tflite.node import Node, Refused, has_batch, to_file_shape


def as_written(node: Node) -> Any:
    """Return the numbers in the shape that the file gives them."""
    return to_file_shape(node.tensor(), node.written[0], node.name)


def as_read(node: Node) -> Any:
    """Return a tensor as it is."""
    return node.tensor()


def permute_axes(node: Node) -> Any:
    """Return a tensor with its axes in another order."""
    import keras

    shape, order = node.shapes[0], [int(a) for a in node.constant(1).ravel()]
    if has_batch(shape) and order[0] != 0:
        raise Refused(f"{node.name}: moves the batch; wanted it first")
    axes = [a for a in order if a] if has_batch(shape) else [a + 1 for a in order]
    return keras.layers.Permute(axes, name=node.name)(node.tensor())


def pad_tensor(node: Node) -> Any:
    """Return a tensor padded with a number."""
    import keras

    pads = [(int(a), int(b)) for a, b in node.constant(1)]
    pads = pads if has_batch(node.shapes[0]) else [(0, 0), *pads]
    value = float(node.stored[2].ravel()[0]) if node.kind == "PADV2" else 0.0  # type: ignore[union-attr]
    x = node.tensor()
    if value == 0 and len(pads) == 4 and pads[0] == pads[3] == (0, 0):
        return keras.layers.ZeroPadding2D(tuple(pads[1:3]), name=node.name)(x)
    return keras.ops.pad(x, pads, constant_values=value)


def repeat_tensor(node: Node) -> Any:
    """Return a tensor several times over along its axes."""
    import keras

    shape, wanted = node.shapes[0], node.written[0]
    if len(shape) != len(wanted) or has_batch(shape) != has_batch(wanted):
        raise Refused(f"{node.name}: repeats {shape} to {wanted}; wanted the same axes")
    times = [b // a for a, b in zip(shape, wanted, strict=True)]
    return keras.ops.tile(node.tensor(), times if has_batch(shape) else [1, *times])


def concatenate_tensors(node: Node) -> Any:
    """Return tensors side by side along an axis."""
    import keras

    parts = [node.tensor(i) for i in range(len(node.read))]
    axis = node.axis(int(node.options.axis), node.written[0])
    return keras.layers.Concatenate(axis=axis, name=node.name)(parts)


def stack_tensors(node: Node) -> Any:
    """Return tensors side by side along a new axis."""
    import keras

    parts = [node.tensor(i) for i in range(len(node.read))]
    axis = node.axis(int(node.options.axis), node.written[0])
    return keras.ops.stack(parts, axis=axis)


def unstack_tensor(node: Node) -> Any:
    """Return the parts along an axis, which goes."""
    import keras

    axis = node.axis(int(node.options.axis), node.shapes[0])
    parts = keras.ops.unstack(node.tensor(), len(node.written), axis=axis)
    return [
        to_file_shape(x, shape, f"{node.name}_{i}")
        for i, (x, shape) in enumerate(zip(parts, node.written, strict=True))
    ]


def split_tensor(node: Node) -> Any:
    """Return equal parts along an axis."""
    import keras

    axis = node.axis(int(node.constant(0).ravel()[0]), node.shapes[1])
    return keras.ops.split(node.tensor(1), len(node.written), axis=axis)


def parted_by_size(node: Node) -> Any:
    """Return parts of given sizes along an axis."""
    import keras

    axis = node.axis(int(node.constant(2).ravel()[0]), node.shapes[0])
    ends = np.cumsum([shape[axis if has_batch(shape) else axis - 1] for shape in node.written])
    return keras.ops.split(node.tensor(), ends[:-1].tolist(), axis=axis)


def reversed_along(node: Node) -> Any:
    """Return a tensor with an axis in the other direction."""
    import keras

    axes = [node.axis(int(a), node.shapes[0]) for a in node.constant(1).ravel()]
    return keras.ops.flip(node.tensor(), axis=tuple(axes))


def slice_tensor(node: Node) -> Any:
    """Return a part, by begins and sizes."""
    begins, sizes = (node.constant(i).ravel().tolist() for i in (1, 2))
    ends = [b + s if s >= 0 else n for b, s, n in zip(begins, sizes, node.shapes[0], strict=True)]
    return _cut(node, begins, ends, [1] * len(begins))


def strided_slice(node: Node) -> Any:
    """Return a part, by begins, ends and steps."""
    begins, ends, steps = (node.constant(i).ravel().tolist() for i in (1, 2, 3))
    options = node.options
    if options.ellipsisMask or options.newAxisMask or min(steps) < 1:
        raise Refused(f"{node.name}: slices in a way that is not known here")
    for axis, size in enumerate(node.shapes[0]):
        if options.beginMask >> axis & 1:
            begins[axis] = 0
        if options.endMask >> axis & 1:
            ends[axis] = size
        if options.shrinkAxisMask >> axis & 1:
            ends[axis] = begins[axis] % size + 1
            begins[axis] %= size
    return _cut(node, begins, ends, steps)


def _cut(node: Node, begins: list[int], ends: list[int], steps: list[int]) -> Any:
    """Return a part of a tensor, in the shape that the file gives it."""
    parts = [slice(b, e, s) for b, e, s in zip(begins, ends, steps, strict=True)]
    parts = parts[1:] if has_batch(node.shapes[0]) else parts
    x = node.tensor()[(slice(None), *parts)]
    return to_file_shape(x, node.written[0], f"{node.name}_shape")
