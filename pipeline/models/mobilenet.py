"""MobileNet: thirteen depthwise-separable convolutions, thinner by one factor.

Howard et al. 2017 (arXiv:1704.04861), table 1, with the width multiplier of section 3.3. For small
pictures the first stride may be 1; blocks of stride 2 become stride 1 where the map is 2 pixels
wide or less.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Mobilenet
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, picture_of

SMALLEST = 2  # pixels: a map of this side is not halved any more
# Filters and stride of each block, at width 1.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: mobilenet` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one image input (height, width, channels).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(Mobilenet)
    inputs = inputs_of(keras, spec, batch_size)
    x = blocks.convolution(
        keras,
        spec,
        picture_of(spec, inputs),
        filters=_thinned(32, settings.width),
        name="conv",
        kernel_size=3,
        strides=settings.first_stride,
    )
    for block, (filters, strides) in enumerate(BLOCKS[: settings.blocks], 1):
        strides = strides if min(x.shape[1:3]) > SMALLEST else 1
        name = f"depthwise_{block}"
        x = blocks.convolution(
            keras, spec, x, filters=None, name=name, kernel_size=3, strides=strides
        )
        width = _thinned(filters, settings.width)
        x = blocks.convolution(
            keras, spec, x, filters=width, name=f"pointwise_{block}", kernel_size=1
        )
    x = keras.layers.GlobalAveragePooling2D(name="global_average")(x)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="mobilenet")


def _thinned(filters: int, width: float) -> int:
    """Return a number of filters times the width multiplier, in multiples of 8 as NPUs like it."""
    return max(8, int(filters * width + 4) // 8 * 8)
