"""TFLite operations that compute number by number, sum up or multiply matrices."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.models.tflite.node import Node, Refused, has_batch, to_sample_shape


def sum_of(layer: str, scale: float) -> Callable[[Node], Any]:
    """Return how to add or subtract; `scale` is that of the second."""

    def make(node: Node) -> Any:
        import keras

        if _is_plain(node):
            return getattr(keras.layers, layer)(name=node.name)(alike(node))
        if _widens(node):
            return getattr(keras.ops, layer.lower())(*_both(node))
        if node.stored[0] is None:
            return _rescaled(node, 1.0, scale * node.constant(1))
        return _rescaled(node, scale, node.constant(0))

    return make


def product(node: Node) -> Any:
    """Return the product of two tensors, or of one and a constant."""
    import keras

    if _is_plain(node):
        return keras.layers.Multiply(name=node.name)(alike(node))
    if _widens(node):
        return keras.ops.multiply(*_both(node))
    return _rescaled(node, node.constant(0 if node.stored[1] is None else 1), 0.0)


def quotient(node: Node) -> Any:
    """Return the quotient of two tensors, or of one and a constant."""
    import keras

    if _is_plain(node):
        return keras.ops.divide(*alike(node))
    if _widens(node) or node.stored[1] is None:
        return keras.ops.divide(*_both(node))
    return _rescaled(node, 1 / node.constant(1), 0.0)


def _is_plain(node: Node) -> bool:
    """Tell whether both that are read are computed."""
    return node.stored[0] is None and node.stored[1] is None


def _widens(node: Node) -> bool:
    """Tell whether a constant is larger than what it is combined with."""
    place = 0 if node.stored[1] is not None else 1
    return int(np.prod(node.written[0])) != int(np.prod(node.shapes[place]))


def _both(node: Node) -> list[Any]:
    """Return a tensor and a constant, in their order."""
    return [
        node.tensor(place) if constant is None else _without_batch(constant)
        for place, constant in enumerate(node.stored[:2])
    ]


def _rescaled(node: Node, scale: Any, offset: Any) -> Any:
    """Return a tensor times one constant, plus another."""
    import keras

    x = node.tensor(0 if node.stored[1] is not None else 1)
    numbers = (_without_batch(np.asarray(c)).tolist() for c in (scale, offset))
    return keras.layers.Rescaling(*numbers, name=node.name)(x)


def _without_batch(values: Array) -> Array:
    """Return a constant without leading axes of one."""
    while values.ndim and values.shape[0] == 1:
        values = values[0]
    return values


def alike(node: Node) -> list[Any]:
    """Return two tensors with the same number of axes, as the file's rules of broadcasting say."""
    most = max(map(len, node.shapes[:2]))
    is_rows = any(len(s) == most and not has_batch(s) for s in node.shapes[:2])
    made = []
    for place, shape in enumerate(node.shapes[:2]):
        full = [1] * (most - len(shape)) + shape
        inner = tuple(full) if is_rows else tuple(full[1:])
        made.append(to_sample_shape(node.tensor(place), inner, f"{node.name}_{place}"))
    return made


def pair_of(name: str) -> Callable[[Node], Any]:
    """Return how to compute from two tensors, or one and a number."""

    def make(node: Node) -> Any:
        import keras

        constants = [c for c in node.stored[:2] if c is not None]
        if not constants:
            return getattr(keras.ops, name)(*alike(node))
        if constants[0].size != 1:
            raise Refused(f"{node.name}: a constant of {constants[0].size} numbers; wanted one")
        both = [
            float(np.asarray(c).ravel()[0]) if c is not None else node.tensor(i)
            for i, c in enumerate(node.stored[:2])
        ]
        return getattr(keras.ops, name)(*both)

    return make


def function_of(name: str) -> Callable[[Node], Any]:
    """Return how to compute a function of each number."""

    def make(node: Node) -> Any:
        import keras

        return getattr(keras.ops, name)(node.tensor())

    return make


def reduction(name: str) -> Callable[[Node], Any]:
    """Return how to sum up, or take the greatest or least, along axes."""

    def make(node: Node) -> Any:
        import keras

        axes = tuple(node.axis(int(a), node.shapes[0]) for a in node.constant(1).ravel())
        return getattr(keras.ops, name)(
            node.tensor(), axis=axes, keepdims=bool(node.options.keepDims)
        )

    return make


def matmul(node: Node) -> Any:
    """Return the product of matrices, either of which may be transposed."""
    import keras

    one, two = alike(node)
    if node.options.adjX:
        one = keras.ops.swapaxes(one, -1, -2)
    if node.options.adjY:
        two = keras.ops.swapaxes(two, -1, -2)
    return keras.ops.matmul(one, two)


def squared_difference(node: Node) -> Any:
    """Return the square of the difference."""
    import keras

    return keras.ops.square(sum_of("Subtract", -1.0)(node))
