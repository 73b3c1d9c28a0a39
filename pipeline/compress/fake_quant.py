"""Round in the forward pass as int8 will, and let the gradient pass straight through.

Jacob et al. 2018 (arXiv:1712.05877), section 3; the straight-through gradient after Bengio et al.
2013 (arXiv:1308.3432). Nothing is added to the model: while `rounded` holds, its layers read
rounded weights and return rounded values, of whatever kind they are.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.models.kernels import is_depthwise, kernels

Span = tuple[float, float]
View = tuple[tuple[int, ...], tuple[int, ...]]

TINY = 1e-12  # a channel of zeros has some scale
STEPS = 127  # of a weight on either side of zero
GATES = {"LSTMCell": 4, "GRUCell": 3}  # matrices that stand side by side in a cell's kernels
BOUNDED = (-1.0, 1.0)  # of a recurrent cell's output
SHARED = "tf.linalg."  # the prefix that tf-keras adds to the name of an operation


def spans_of_layers(model: Model, tensors: list[tuple[str, Span]]) -> dict[str, Span]:
    """Return layer -> range of its output, for the layers whose output the file has.

    A converter fuses layers into one operation, and names its output by all of them: the file has
    the output of the last. The others are not rounded, here as on the device.

    Args:
        model: the Keras model.
        tensors: (name, range) of what each operation of the float32 file writes, in order.
    """
    listed = list(_operations(model))
    order = {operation.name: place for place, operation in enumerate(listed)}
    found = {operation.name: BOUNDED for operation in listed if _cell(operation) is not None}
    for name, span in tensors:
        parts = [piece.split("/") for piece in name.split(";")]
        layers = [part[1].removeprefix(SHARED) for part in parts if len(part) > 1]
        named = sorted({layer for layer in layers if layer in order}, key=order.__getitem__)
        for layer in named:
            found.pop(layer, None)  # the last tensor under its name is its output
        if named:
            found[named[-1]] = span
    return found


def _operations(model: Model) -> Iterator[Any]:
    """Yield the layers and bare operations of a model, in order; those of nested models too."""
    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _cell(operation: Any) -> Any:
    """Return the recurrent cell of a layer whose state is a hyperbolic tangent; None: no such."""
    cell = getattr(operation, "cell", None)
    return cell if getattr(cell, "activation", None) is keras.activations.tanh else None


@contextlib.contextmanager
def rounding_scope(model: Model, spans: Mapping[str, Span]) -> Iterator[None]:
    """Make a model compute with rounded weights and outputs, in what is traced meanwhile.

    Args:
        model: the Keras model; models that share its layers do so too.
        spans: layer -> range of its output, by `spans_of_layers`.
    """
    answering = [operation for operation in _operations(model) if operation.name in spans]
    asked = [(_cell(operation) or operation, spans[operation.name]) for operation in answering]
    weights = [
        (weight, rounded_weight(weight.value, _view(type(layer).__name__, weight)))
        for weight, layer in kernels(model)
    ]
    try:
        for operation, span in asked:
            operation.call = _with_rounded_outputs(operation.call, span)
        with keras.StatelessScope(state_mapping=weights):
            yield
    finally:
        for operation, _ in asked:
            vars(operation).pop("call", None)  # that of its class again


def rounded_weight(values: Tensor, view: View) -> Any:
    """Return weights on the grid of int8, symmetric about zero.

    Args:
        values: weights, float32.
        view: shape in which the scales differ, and the axes with one scale.
    """
    shape, axes = view
    seen = tf.reshape(values, shape)
    reach = tf.reduce_max(tf.abs(seen), axis=axes, keepdims=True)
    step = tf.stop_gradient(tf.maximum(reach, TINY) / STEPS)
    near = tf.reshape(tf.round(seen / step) * step, tf.shape(values))
    return values + tf.stop_gradient(near - values)


def rounded_value(values: Tensor, span: Span) -> Any:
    """Return activations rounded to int8's grid over a range, which is extended to hold zero.

    Args:
        values: of any shape; integers are returned as they are.
        span: lowest and highest value.
    """
    low, high = min(0.0, span[0]), max(0.0, span[1])
    if low == high or not tf.as_dtype(values.dtype).is_floating:
        return values
    return tf.quantization.fake_quant_with_min_max_args(values, low, high, num_bits=8)


def _with_rounded_outputs(call: Callable[..., Any], span: Span) -> Callable[..., Any]:
    def outputs_of(*arguments: Any, **named: Any) -> Any:
        found = call(*arguments, **named)
        if not isinstance(found, tuple):
            return rounded_value(found, span)
        answered, (_, *others) = found  # of a recurrent cell: its first state is its output
        near = rounded_value(answered, span)
        return near, [near, *others]

    return outputs_of


def _view(layer: str, weight: Any) -> View:
    """Return how scales lie: one for each output channel, or each gate of a recurrent cell."""
    shape = tuple(weight.shape)
    if layer in GATES:
        return (-1, GATES[layer], shape[-1] // GATES[layer]), (0, 2)
    if is_depthwise(weight, layer):
        return (-1, shape[-2] * shape[-1]), (0,)
    return (-1, shape[-1]), (0,)
