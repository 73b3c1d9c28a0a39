"""ResNet-8: residual stacks of two convolutions each, the map halved from stack to stack.

He et al. 2015 (arXiv:1512.03385), in the form of MLPerf Tiny's image classification (Banbury et
al. 2021, arXiv:2106.07597, section 4): stacks of 16, 32 and 64 filters. The shortcut of a stack
that changes the shape is a 1x1 convolution.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.config.model_schema import Resnet8
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
    """Build the network of a `kind: resnet8` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one image input (height, width, channels).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    first, *_ = filters = spec.settings(Resnet8).filters
    inputs = inputs_of(keras, spec, batch_size)
    x = blocks.convolution(
        keras, spec, picture_of(spec, inputs), filters=first, name="conv", kernel_size=3
    )
    for stack, width in enumerate(filters, 1):
        x = _stack(keras, spec, x, width, f"stack_{stack}", strides=1 if stack == 1 else 2)
    x = keras.layers.GlobalAveragePooling2D(name="global_average")(x)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="resnet8")


def _stack(keras: Namespace, spec: Spec, x: Any, filters: int, name: str, *, strides: int) -> Any:
    """Apply two convolutions, and add what came in (section 3.2, equations 1 and 2)."""
    activation = spec.settings(Resnet8).activation
    y = blocks.convolution(
        keras, spec, x, filters=filters, name=f"{name}_a", kernel_size=3, strides=strides
    )
    y = keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=blocks.initializer(keras, spec, f"{name}_b", activation=activation),
        name=f"{name}_b",
    )(y)
    y = blocks.batch_norm(keras, y, f"{name}_b_norm")
    if x.shape[-1] != filters or strides != 1:
        x = keras.layers.Conv2D(
            filters,
            1,
            strides=strides,
            padding="same",
            kernel_initializer=blocks.initializer(keras, spec, f"{name}_shortcut", activation=None),
            name=f"{name}_shortcut",
        )(x)
    return blocks.activate(keras, spec, keras.layers.Add(name=f"{name}_add")([x, y]), name=name)
