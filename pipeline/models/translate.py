"""A layer of Keras 3 as the same layer of tf_keras: for networks that did not come from a builder.

What tf_keras does not know is left out of a layer's settings, for weights are copied and outputs
compared afterwards: see export/tf_keras_copy.py.
"""

import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.arrays import Layer, Namespace
from pipeline.models.blocks import apply_activation

# Settings that say how weights begin and are held in training: an exported copy needs none.
TRAINING_ONLY = ("_initializer", "_regularizer", "_constraint")
ACTIVATIONS = {"silu": "swish", "linear": "linear"}  # Keras 3's name -> tf_keras'
HARD_SWISH = ("hard_silu", "hard_swish")
ARITHMETIC = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "Divide": operator.truediv,
    "TrueDivide": operator.truediv,
}


class Untranslatable(Exception):
    """tf_keras has no such layer; its text names the layer."""


def translate_call(tf_keras: Namespace, layer: Layer, *, unroll: bool) -> Callable[..., Any]:
    """Return what is called in tf_keras where Keras 3 calls a layer.

    Args:
        tf_keras: the namespace.
        layer: a layer of Keras 3, or an operation on tensors such as `x + 3`.
        unroll: whether recurrent cells other than LSTM are written out, a step at a time.

    Raises:
        Untranslatable: there is no such layer.
    """
    import keras

    kind = type(layer).__name__
    if not isinstance(layer, keras.layers.Layer):
        if kind not in ARITHMETIC:
            raise Untranslatable(f"{layer.name}: operation {kind}")
        return ARITHMETIC[kind]
    made = getattr(tf_keras.layers, kind, None)
    if made is None:
        raise Untranslatable(f"{layer.name}: layer {kind}")
    config = layer.get_config()
    if kind == "Activation" and config["activation"] in HARD_SWISH:
        return lambda x: apply_activation(
            tf_keras, x, "hard_swish", name=f"{layer.name}_hard_swish"
        )
    if kind in ("Bidirectional", "TimeDistributed"):
        inner = layer.forward_layer if kind == "Bidirectional" else layer.layer
        config["layer"] = translate_call(tf_keras, inner, unroll=unroll)
        config.pop("backward_layer", None)  # made of the forward one
    if kind in ("GRU", "SimpleRNN") and unroll:
        config["unroll"] = True
    return made(**_settings(made, config))


def _settings(made: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a layer that tf_keras knows, in its words."""
    known = {"name"}
    for cls in made.__mro__:
        if "__init__" in vars(cls):
            known |= set(inspect.signature(cls.__init__).parameters)
    return {
        key: _in_words(key, value)
        for key, value in config.items()
        if key in known and key not in ("dtype", "trainable") and not key.endswith(TRAINING_ONLY)
    }


def _in_words(key: str, value: Any) -> Any:
    if "activation" not in key:
        return value
    if not isinstance(value, str | None):
        raise Untranslatable(f"activation {value}")
    return ACTIVATIONS.get(value, value) if value else value
