"""A network of Keras 2, read by tf_keras, as the same network of Keras 3.

Its graph is gone through layer by layer; inner models become flat. Afterwards both networks predict
the same random samples, and every layer's outputs are compared. Operations on tensors (`x / 127.5`)
are rewritten from a closed list, so that a file cannot name any other TensorFlow function.
"""

import inspect
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Layer, Model, Tensor
from pipeline.errors import ConfigError
from pipeline.models.layer_settings import adapted_statistics
from pipeline.models.tolerance import largest_difference, tolerance_of

SAMPLES = 8  # random ones, that both networks predict
UNKNOWN = 16  # steps or pixels of an axis whose length is open
OPERATION = "TFOpLambda"  # the layer that Keras 2 makes of a TensorFlow function
NEVER = ("SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")
ARITHMETIC = {
    "math.add": operator.add,
    "__operators__.add": operator.add,
    "math.subtract": operator.sub,
    "math.multiply": operator.mul,
    "math.truediv": operator.truediv,
    "math.divide": operator.truediv,
}
ACTIVATIONS = {
    "nn.relu": "relu",
    "nn.relu6": "relu6",
    "nn.elu": "elu",
    "nn.silu": "silu",
    "nn.softmax": "softmax",
    "nn.sigmoid": "sigmoid",
    "math.sigmoid": "sigmoid",
    "math.tanh": "tanh",
    "nn.tanh": "tanh",
}
CONCAT = "concat"
RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}  # (layer, Keras 2's setting) -> Keras 3's
Pair = tuple[str, Tensor, Tensor]  # layer, its output in tf_keras, its output in Keras 3


def refuse_operations(described: str, path: Path) -> None:
    """Refuse a description of layers with a TensorFlow function that is not rewritten.

    Raises:
        ConfigError: it names the function.
    """
    for kind, config in _layers(json.loads(described)):
        name = str(config.get("function")) if kind == OPERATION else kind
        if kind in NEVER or (kind == OPERATION and name not in _operations()):
            raise ConfigError(
                f"model.path: {path}: layer {config.get('name')} calls TensorFlow's {name}, which "
                f"is not read from Keras 2 files; wanted one of {', '.join(sorted(_operations()))}"
                ". Save the network with Keras 3"
            )


def keras_3_copy(model: Model, path: Path) -> Any:
    """Return a network of Keras 2 as one of Keras 3, with the same weights and outputs.

    Args:
        model: of tf_keras.
        path: of its file, for messages.

    Raises:
        ConfigError: it has no graph, a layer has no counterpart, or its outputs differ.
    """
    import keras
    import tf_keras

    if not getattr(model, "outputs", None):
        raise ConfigError(f"model.path: {path}: its layers have no input shape; build it, and save")
    network = tf_keras.Model(model.inputs, model.outputs)
    inputs = [
        keras.Input(tuple(tensor.shape[1:]), dtype=tensor.dtype.name, name=_name(name))
        for tensor, name in zip(network.inputs, network.input_names, strict=True)
    ]
    made: dict[int, Callable[..., Any]] = {}
    pairs: list[Pair] = []
    try:
        outputs = _rebuild(network, inputs, made, pairs)
    except (TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"model.path: {path}: Keras 3 has no such network: {reason}") from error
    copy = keras.Model(inputs, outputs, name=_name(model.name))
    _check_outputs(network, copy, pairs, path)
    return copy


def _rebuild(
    model: Model, inputs: list[Any], made: dict[int, Callable[..., Any]], pairs: list[Pair] | None
) -> list[Any]:
    """Make the calls of a model of tf_keras in Keras 3, and return its outputs."""
    import tensorflow as tf

    tensors = dict(zip(map(id, model.inputs), inputs, strict=True))
    nodes = model._nodes_by_depth
    for node in (node for depth in sorted(nodes)[::-1] for node in nodes[depth]):
        if node.is_input:
            continue
        layer = node.layer
        args, kwargs = tf.nest.map_structure(
            lambda value: tensors.get(id(value), value), (node.call_args, node.call_kwargs)
        )
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            outputs = _rebuild(layer, tf.nest.flatten(args), made, None)
        else:
            if id(layer) not in made:
                made[id(layer)] = _translate(layer)
            given = {key: value for key, value in kwargs.items() if value is not None}
            outputs = tf.nest.flatten(made[id(layer)](*args, **given))
        theirs = tf.nest.flatten(node.outputs)
        tensors.update(zip(map(id, theirs), outputs, strict=True))
        if pairs is not None:
            pairs += [(layer.name, *both) for both in zip(theirs, outputs, strict=True)]
    return [tensors[id(tensor)] for tensor in model.outputs]


def _translate(layer: Layer) -> Callable[..., Any]:
    """Return what is called in Keras 3 where tf_keras calls a layer."""
    import keras

    if type(layer).__name__ == OPERATION:
        return _operation(layer)
    config = _settings(layer)
    bent = config.get("activation") == "hard_sigmoid" and "recurrent_activation" not in config
    if bent:  # Keras 2 has 0.2 x + 0.5 for it, and Keras 3 another slope
        config["activation"] = "linear"
    new = _layer_class(layer).from_config(config)
    is_adapted = bool(adapted_statistics(layer))

    def call(*args: Any, **kwargs: Any) -> Any:
        outputs = new(*args, **kwargs)
        if layer.get_weights() and not is_adapted:
            new.set_weights(layer.get_weights())
        if not bent:
            return outputs
        line = keras.layers.Rescaling(0.2, 0.5, name=f"{new.name}_line")(outputs)
        return keras.layers.ReLU(1.0, name=f"{new.name}_clip")(line)

    return call


def _layer_class(layer: Layer) -> Any:
    import keras

    kind = type(layer).__name__
    if not hasattr(keras.layers, kind):
        raise ValueError(f"layer {layer.name} is a {kind}")
    return getattr(keras.layers, kind)


def _settings(layer: Layer) -> dict[str, Any]:
    """Return a layer's settings that Keras 3 knows, in float32."""
    cls, kind = _layer_class(layer), type(layer).__name__
    known = {"name"}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            known |= set(inspect.signature(base.__init__).parameters)
    own = {RENAMED.get((kind, key), key): value for key, value in layer.get_config().items()}
    config = {
        key: value[0] if key == "axis" and isinstance(value, list) and len(value) == 1 else value
        for key, value in own.items()
        if key in known and key != "dtype"
    }
    for key, inner in (("layer", "layer"), ("backward_layer", None)):
        if key in config:
            config[key] = _inner(getattr(layer, "forward_layer", getattr(layer, "layer", None)))
            if inner is None:
                config[key] = _inner(layer.backward_layer)
    return config | adapted_statistics(layer) | {"name": _name(layer.name)}


def _inner(layer: Layer) -> Any:
    """Return a wrapped layer as a wrapper's settings hold it."""
    import keras

    return keras.saving.serialize_keras_object(_layer_class(layer).from_config(_settings(layer)))


def _operation(layer: Layer) -> Callable[..., Any]:
    """Return a TensorFlow function on tensors as layers of Keras 3."""
    import keras

    function, name = layer.get_config()["function"], _name(layer.name)
    if function in ACTIVATIONS:
        made = keras.layers.Activation(ACTIVATIONS[function], name=name)
        return lambda *args, **kwargs: made(*(args or (kwargs["features"],)))
    if function == CONCAT:
        return lambda values, axis, **_: keras.layers.Concatenate(axis, name=name)(values)

    def calculate(*args: Any, **kwargs: Any) -> Any:
        x, y = [*args, *(kwargs[key] for key in ("x", "y") if key in kwargs)][:2]
        if keras.backend.is_keras_tensor(x) and keras.backend.is_keras_tensor(y):
            return ARITHMETIC[function](x, y)
        return _by_constant(function, x, y, name)

    return calculate


def _by_constant(function: str, x: Any, y: Any, name: str) -> Any:
    """Return what is made of a tensor and a constant, as a `Rescaling`."""
    import keras

    is_reversed = not keras.backend.is_keras_tensor(x)
    tensor, constant = (y, x) if is_reversed else (x, y)
    value, calculate = np.asarray(constant, np.float64), ARITHMETIC[function]
    if calculate is operator.truediv and is_reversed:
        raise ValueError(f"operation {name} divides a constant by a tensor")
    one = np.ones_like(value)
    scale, offset = {
        operator.add: (one, value),
        operator.sub: (-one, value) if is_reversed else (one, -value),
        operator.mul: (value, 0 * one),
        operator.truediv: (1 / value, 0 * one),
    }[calculate]
    return keras.layers.Rescaling(scale.tolist(), offset.tolist(), name=name)(tensor)


def _check_outputs(network: Model, copy: Model, pairs: list[Pair], path: Path) -> None:
    """Raise where a layer of the copy outputs other numbers, the first such layer named."""
    import keras
    import tf_keras

    inputs = [_random(tensor) for tensor in network.inputs]
    theirs = tf_keras.Model(network.inputs, [pair[1] for pair in pairs])(inputs, training=False)
    ours = keras.Model(copy.inputs, [pair[2] for pair in pairs])(inputs, training=False)
    tolerance = tolerance_of(network)
    several = len(pairs) > 1
    for (name, *_), their, our in zip(
        pairs, theirs if several else [theirs], ours if isinstance(ours, list) else [ours],
        strict=True,
    ):  # fmt: skip
        wanted, found = np.asarray(their, np.float64), np.asarray(our, np.float64)
        worst = largest_difference(wanted, found, tolerance)
        if worst is not None:
            raise ConfigError(
                f"model.path: {path}: layer {name} outputs {wanted.flat[worst]:.4g} in Keras 2 and "
                f"{found.flat[worst]:.4g} in Keras 3; replace that layer, or save the network with "
                "Keras 3"
            )


def _random(tensor: Tensor) -> Array:
    """Return samples for an input (B, ...): half of them to 1, half to 255; integers are 0 or 1."""
    generator = np.random.Generator(np.random.Philox(0))
    shape = (SAMPLES, *(size or UNKNOWN for size in tensor.shape[1:]))
    if not tensor.dtype.is_floating:
        return generator.integers(0, 2, shape).astype(tensor.dtype.as_numpy_dtype)
    values = generator.random(shape).astype(np.float32)
    values[SAMPLES // 2 :] *= 255
    return values


def _operations() -> set[str]:
    return {*ARITHMETIC, *ACTIVATIONS, CONCAT}


def _layers(described: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield class and settings of every layer in a description."""
    if isinstance(described, Mapping):
        config = described.get("config")
        if isinstance(config, Mapping):
            yield str(described.get("class_name")), config
        for value in described.values():
            yield from _layers(value)
    elif isinstance(described, list):
        for value in described:
            yield from _layers(value)


def _name(name: str) -> str:
    return name.replace("/", "_")  # which Keras 3 refuses
