"""Names for what numeric libraries pass around, so that a signature says what it takes.

TensorFlow and Keras are imported for type checkers only, never at run time.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Tensor: TypeAlias = tf.Tensor
    Model: TypeAlias = keras.Model
    Layer: TypeAlias = keras.layers.Layer
    Variable: TypeAlias = keras.Variable
    Optimizer: TypeAlias = keras.optimizers.Optimizer
    Strategy: TypeAlias = tf.distribute.Strategy
else:
    Tensor = Model = Layer = Variable = Optimizer = Strategy = Any

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""A NumPy array of any type and shape; the docstring beside it says which."""

Arrays: TypeAlias = Mapping[str, Array]
"""What a model predicts, or should: name of output or target -> (N, ...) of the same samples."""

Tensors: TypeAlias = Mapping[str, Tensor]
"""The same on tensors: name of output or target -> (B, ...) of a batch."""

Namespace: TypeAlias = ModuleType
"""A library that is passed in: keras or tf_keras, which build the same network; or tensorflow."""

Value = TypeVar("Value")


def only(named: Mapping[str, Value]) -> Value:
    """Return the one value of a mapping: an output or a target, where there must be exactly one.

    Raises:
        ValueError: there are several, and the caller makes sense of one.
    """
    if len(named) != 1:
        raise ValueError(f"wanted one output or target; came {len(named)}: {', '.join(named)}")
    return next(iter(named.values()))


def take(named: Arrays, index: Array | slice) -> dict[str, Array]:
    """Return some samples of named arrays: name -> (n, ...), by index or by mask."""
    return {name: values[index] for name, values in named.items()}
