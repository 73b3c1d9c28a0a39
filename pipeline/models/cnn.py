"""Convolutional network: blocks of convolution, normalisation, activation and pooling; then dense.

LeCun et al. 1998, "Gradient-based learning applied to document recognition"; batch normalisation
after Ioffe and Szegedy 2015 (arXiv:1502.03167), before the activation as in their section 3.2.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.models import blocks


def build(
    keras: Any, spec: Mapping[str, Any], *, batch_size: int | None = None, unroll: bool = False
) -> Any:
    """Build the network of a `kind: cnn` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: contents of spec.json; one image input (height, width, channels).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec["model"]
    inputs = blocks.inputs_of(keras, spec, batch_size)
    x = inputs[0]
    for block, filters in enumerate(settings["filters"], 1):
        for number in range(1, settings["convolutions"] + 1):
            x = _convolution(keras, spec, x, filters, f"conv_{block}_{number}")
        if settings["pool"] == "max":
            x = keras.layers.MaxPooling2D(2, name=f"pool_{block}")(x)
        elif settings["pool"] == "average":
            x = keras.layers.AveragePooling2D(2, name=f"pool_{block}")(x)
    if settings["head"] == "flatten":
        x = keras.layers.Flatten(name="flatten")(x)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="global_average")(x)
    x = blocks.dense_stack(keras, spec, x, tuple(settings["dense"]), batch_norm=False)
    x = blocks.dropout(keras, spec, x, "dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="cnn")


def _convolution(keras: Any, spec: Mapping[str, Any], x: Any, filters: int, name: str) -> Any:
    """Apply convolution, normalisation and activation; a bias would vanish in the normalisation."""
    settings = spec["model"]
    activation = settings["activation"]
    x = keras.layers.Conv2D(
        filters,
        settings["kernel_size"],
        strides=settings["strides"],
        padding=settings["padding"],
        use_bias=not settings["batch_norm"],
        kernel_initializer=blocks.initializer(keras, spec, name, activation),
        name=name,
    )(x)
    if settings["batch_norm"]:
        x = keras.layers.BatchNormalization(momentum=blocks.MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)
