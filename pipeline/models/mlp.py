"""Multi-layer perceptron: dense layers over the flattened input.

Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Funnel, Mlp
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, vector_of


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: mlp` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; any number of inputs of any shape.
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(Mlp)
    inputs = inputs_of(keras, spec, batch_size)
    x = vector_of(keras, spec, inputs)
    if settings.input_norm:
        x = blocks.batch_norm(keras, x, "input_norm")
    x = blocks.dense_stack(
        keras, spec, x, widths=widths(settings.units), normalize=settings.batch_norm
    )
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="mlp")


def widths(units: tuple[int, ...] | Funnel) -> tuple[int, ...]:
    """Return the widths of the hidden layers; those of a funnel shrink by one factor."""
    if not isinstance(units, Funnel):
        return units
    factor = (units.last / units.first) ** (1 / max(1, units.layers - 1))
    return tuple(round(units.first * factor**i) for i in range(units.layers))
