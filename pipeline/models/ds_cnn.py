"""DS-CNN: a convolution, then depthwise-separable ones of one width, and the average of the map.

Zhang et al. 2017, "Hello Edge" (arXiv:1711.07128), in the form of MLPerf Tiny's keyword spotting
(Banbury et al. 2021, arXiv:2106.07597, section 4): 64 filters, four blocks.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import DsCnn
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
    """Build the network of a `kind: ds_cnn` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one image input (height, width, channels).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(DsCnn)
    inputs = inputs_of(keras, spec, batch_size)
    x = blocks.convolution(
        keras,
        spec,
        picture_of(spec, inputs),
        filters=settings.filters,
        name="conv",
        kernel_size=tuple(settings.first_kernel),
        strides=tuple(settings.first_strides),
    )
    for block in range(1, settings.blocks + 1):
        x = blocks.convolution(
            keras, spec, x, filters=None, name=f"depthwise_{block}", kernel_size=3
        )
        x = blocks.convolution(
            keras, spec, x, filters=settings.filters, name=f"pointwise_{block}", kernel_size=1
        )
    x = keras.layers.GlobalAveragePooling2D(name="global_average")(x)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="ds_cnn")
