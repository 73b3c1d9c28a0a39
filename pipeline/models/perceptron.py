"""Perceptron: one unit over the flattened input; a unit a class where there are more than two.

Rosenblatt 1958, "The perceptron". Its unit gives a number z; in place of his threshold the two
classes get the probabilities 1 - s and s, s = 1 / (1 + exp(-z)), which decide alike. With
`train.loss: perceptron` and plain SGD its weights are found by his own rule; see train/step.py.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Namespace
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, vector_of
from pipeline.tasks import TASKS


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: perceptron` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; any number of inputs of any shape.
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    inputs = inputs_of(keras, spec, batch_size)
    x = vector_of(keras, spec, inputs)
    outputs = _two_classes if _has_two_classes(spec) else blocks.output
    return keras.Model(inputs, outputs(keras, spec, x), name="perceptron")


def _has_two_classes(spec: Spec) -> bool:
    return TASKS[spec.task].has_softmax and spec.units == 2


def _two_classes(keras: Namespace, spec: Spec, x: Any) -> Any:
    """Apply the one unit, and the softmax of (-z / 2, z / 2), whose second value is s."""
    unit = keras.layers.Dense(1, kernel_initializer="zeros", name="unit")(x)
    halves = keras.layers.Dense(2, use_bias=False, trainable=False, name="logits")
    logits = halves(unit)
    halves.set_weights([np.array([[-0.5, 0.5]], np.float32)])
    return keras.layers.Activation("softmax", name=spec.outputs[0].name)(logits)
