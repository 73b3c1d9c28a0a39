"""Convolutional network: blocks of convolution, normalization, activation and pooling; then dense.

LeCun et al. 1998, "Gradient-based learning applied to document recognition"; batch normalization
before the activation, as in section 3.2 of its paper (arXiv:1502.03167).
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Cnn
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, picture_of


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: cnn` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one image input (height, width, channels).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(Cnn)
    inputs = inputs_of(keras, spec, batch_size)
    x = picture_of(spec, inputs)
    for block, filters in enumerate(settings.filters, 1):
        for number in range(1, settings.convolutions + 1):
            x = blocks.convolution(
                keras,
                spec,
                x,
                filters=filters,
                name=f"conv_{block}_{number}",
                normalize=settings.batch_norm,
                kernel_size=settings.kernel_size,
                strides=settings.strides,
                padding=padding_of(settings.padding, block),
            )
        if settings.pool == "max":
            x = keras.layers.MaxPooling2D(2, name=f"pool_{block}")(x)
        elif settings.pool == "average":
            x = keras.layers.AveragePooling2D(2, name=f"pool_{block}")(x)
    if settings.head == "flatten":
        x = keras.layers.Flatten(name="flatten")(x)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="global_average")(x)
    x = blocks.dropout(keras, spec, x, name="head_dropout", setting="head_dropout")
    x = blocks.dense_stack(keras, spec, x, widths=tuple(settings.dense), normalize=False)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="cnn")


def padding_of(padding: Any, block: int) -> str:
    """Return the padding of a block, counted from 1: one word for all, or a word each."""
    return str(padding if isinstance(padding, str) else padding[block - 1])
