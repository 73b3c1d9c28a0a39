"""Recurrent network: simple, LSTM or GRU cells over a series or a text; then dense layers.

Elman 1990; Hochreiter and Schmidhuber 1997, "Long short-term memory", with the forget gate of Gers
et al. 2000; Cho et al. 2014 (arXiv:1406.1078), in the form with the reset gate after the product.
A text has its padding at the end: `backward` reads that first, so that the last step is a word.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Rnn
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, sequence_of


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: rnn` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one series, text or picture (its rows are the steps).
        batch_size: fixed batch for export; None for training.
        unroll: whether simple and GRU cells are written out step by step, as TFLite needs it.
    """
    settings = spec.settings(Rnn)
    inputs = inputs_of(keras, spec, batch_size)
    x = sequence_of(keras, spec, inputs)
    for number, units in enumerate(settings.units, 1):
        is_last = number == len(settings.units)
        # A fused LSTM is one operation; the other cells become one a step.
        x = _recurrent(
            keras,
            spec,
            units,
            f"{settings.cell}_{number}",
            return_sequences=not is_last,
            **({} if settings.cell == "lstm" else {"unroll": unroll}),
        )(x)
    x = blocks.dense_stack(keras, spec, x, widths=tuple(settings.dense), normalize=False)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="rnn")


def _recurrent(keras: Namespace, spec: Spec, units: int, name: str, **options: Any) -> Any:
    """Return a recurrent layer; both directions of a bidirectional one start differently.

    Only the first layer reads backward: the next one then has the steps in that order.
    """
    settings = spec.settings(Rnn)

    def layer(name: str, *, go_backwards: bool) -> Any:
        return blocks.recurrent(
            keras, spec, settings.cell, units=units, name=name, go_backwards=go_backwards, **options
        )

    if settings.direction == "bidirectional":
        return keras.layers.Bidirectional(
            layer(f"{name}_forward", go_backwards=False),
            backward_layer=layer(f"{name}_backward", go_backwards=True),
            name=name,
        )
    is_first = name.endswith("_1")
    return layer(name, go_backwards=is_first and settings.direction == "backward")
