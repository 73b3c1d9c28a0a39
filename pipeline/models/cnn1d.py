"""One-dimensional convolutions over the steps of a series, or over words or characters.

Kim 2014 (arXiv:1408.5882) for texts; Wang et al. 2017 (arXiv:1611.06455) for series.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Cnn1d
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
    """Build the network of a `kind: cnn1d` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one series, text or picture (its rows are the steps).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(Cnn1d)
    inputs = inputs_of(keras, spec, batch_size)
    x = sequence_of(keras, spec, inputs)
    for block, filters in enumerate(settings.filters, 1):
        x = blocks.convolution(
            keras,
            spec,
            x,
            filters=filters,
            name=f"conv_{block}",
            normalize=settings.batch_norm,
            kernel_size=settings.kernel_size,
            strides=settings.strides,
        )
        if settings.pool != "none" and x.shape[1] > 1:
            pools = {"max": keras.layers.MaxPooling1D, "average": keras.layers.AveragePooling1D}
            x = pools[settings.pool](2, name=f"pool_{block}")(x)
    x = blocks.pool_sequence(keras, x, settings.head)
    x = blocks.dropout(keras, spec, x, name="head_dropout", setting="head_dropout")
    x = blocks.dense_stack(keras, spec, x, widths=tuple(settings.dense), normalize=False)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="cnn1d")
