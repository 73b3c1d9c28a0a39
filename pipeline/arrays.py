"""Names for what numeric libraries pass around, so that a signature says what it takes.

TensorFlow and Keras are imported for type checkers only, never at run time.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

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

Namespace: TypeAlias = ModuleType
"""A library that is passed in: keras or tf_keras, which build the same network; or tensorflow."""
