"""Multi-layer perceptron: dense layers over the flattened input.

Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

from collections.abc import Mapping
from typing import Any

from pipeline.models import blocks


def build(
    keras: Any, spec: Mapping[str, Any], *, batch_size: int | None = None, unroll: bool = False
) -> Any:
    """Build the network of a `kind: mlp` spec; any number of inputs of any shape.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: contents of spec.json.
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec["model"]
    inputs = blocks.inputs_of(keras, spec, batch_size)
    x = blocks.flatten_to_vector(keras, spec, inputs)
    x = blocks.dense_stack(
        keras, spec, x, tuple(settings["units"]), batch_norm=settings["batch_norm"]
    )
    x = blocks.dropout(keras, spec, x, "dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="mlp")
