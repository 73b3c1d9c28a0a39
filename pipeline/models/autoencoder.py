"""Autoencoder: its answer is its input again, squeezed through a code of a few numbers.

Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"; the
convolutional form after Masci et al. 2011, the recurrent one after Malhotra et al. 2016
(arXiv:1607.00148), with a dense layer that gives the decoder
a few numbers at every step. What it makes badly again is
unlike what it was trained on: the mean squared error is the anomaly score.

Legend: B batch, T steps, C channels, H height, W width.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.models import blocks
from pipeline.models.inputs import inputs_of

CODE = "code"  # name of the layer whose output is the code


def build(
    keras: Any, spec: Mapping[str, Any], *, batch_size: int | None = None, unroll: bool = False
) -> Any:
    """Build the network of a `kind: autoencoder` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: contents of spec.json; one input of numbers: a table, a series or a picture.
        batch_size: fixed batch for export; None for training.
        unroll: unused: an LSTM is one operation.
    """
    inputs = inputs_of(keras, spec, batch_size)
    (x, *others), (entry, *_) = inputs, spec["inputs"]
    if others or entry["dtype"] != "float32":
        raise ValueError("wanted one input of numbers: a table, a series or a picture")
    forms = {"dense": _dense, "conv": _conv, "recurrent": _recurrent}
    return keras.Model(inputs, forms[spec["model"]["form"]](keras, spec, x), name="autoencoder")


def _dense(keras: Any, spec: Mapping[str, Any], x: Any) -> Any:
    """Apply dense layers down to the code, and the same widths up again."""
    shape, widths = tuple(x.shape[1:]), spec["model"]["units"]
    x = keras.layers.Flatten(name="flatten")(x)
    for number, width in enumerate(widths, 1):
        x = _layer(keras, spec, x, width, f"encoder_{number}")
    x = blocks.dense(keras, spec, x, spec["model"]["code"], CODE)
    for number, width in enumerate(reversed(widths), 1):
        x = _layer(keras, spec, x, width, f"decoder_{number}")
    x = blocks.dense(keras, spec, x, int(np.prod(shape)), "values")
    return keras.layers.Reshape(shape, name="reconstruction")(x)


def _layer(keras: Any, spec: Mapping[str, Any], x: Any, width: int, name: str) -> Any:
    x = blocks.dense(keras, spec, x, width, name, activation=spec["model"]["activation"])
    return blocks.activate(keras, spec, x, name)


def _conv(keras: Any, spec: Mapping[str, Any], x: Any) -> Any:
    """Apply convolutions of stride 2 down to a map, a code of it, and the same way up again.

    On the way up a map is doubled by repeating it, and cut to the size that it had (Odena et al.
    2016, "Deconvolution and checkerboard artifacts").
    """
    is_picture = len(x.shape) == 4
    if len(x.shape) < 3:
        raise ValueError("a convolutional autoencoder wanted a series or a picture")
    channels, filters = x.shape[-1], spec["model"]["filters"]
    sizes = []
    for number, width in enumerate(filters, 1):
        sizes.append(tuple(x.shape[1:-1]))
        x = blocks.convolution(keras, spec, x, width, f"encoder_{number}", kernel_size=3, strides=2)
    shape = tuple(x.shape[1:])
    x = keras.layers.Flatten(name="flatten")(x)
    x = blocks.dense(keras, spec, x, spec["model"]["code"], CODE)
    x = _layer(keras, spec, x, int(np.prod(shape)), "decoder_code")
    x = keras.layers.Reshape(shape, name="decoder_map")(x)
    for number, (width, size) in enumerate(zip(filters[::-1], sizes[::-1], strict=True), 1):
        doubled = keras.layers.UpSampling2D if is_picture else keras.layers.UpSampling1D
        x = doubled(2, name=f"decoder_{number}_doubled")(x)
        x = _cut(keras, x, size, f"decoder_{number}_cut")
        x = blocks.convolution(keras, spec, x, width, f"decoder_{number}", kernel_size=3)
    layer = keras.layers.Conv2D if is_picture else keras.layers.Conv1D
    kernel = blocks.initializer(keras, spec, "reconstruction", None)
    return layer(channels, 3, padding="same", kernel_initializer=kernel, name="reconstruction")(x)


def _cut(keras: Any, x: Any, size: tuple[int, ...], name: str) -> Any:
    """Return a map cut at its end to a size; the map itself where it has that size."""
    over = [have - want for have, want in zip(x.shape[1:-1], size, strict=True)]
    if not any(over):
        return x
    if len(over) == 1:
        return keras.layers.Cropping1D((0, over[0]), name=name)(x)
    return keras.layers.Cropping2D([(0, rows) for rows in over], name=name)(x)


def _recurrent(keras: Any, spec: Mapping[str, Any], x: Any) -> Any:
    """Apply an LSTM down to the code, and one over what a dense layer makes of the code."""
    if len(x.shape) != 3:
        raise ValueError("a recurrent autoencoder wanted a series (steps, channels)")
    steps, channels = x.shape[1:]
    width, *_ = spec["model"]["units"]
    x = blocks.recurrent(keras, spec, "lstm", width, "encoder")(x)
    code = blocks.dense(keras, spec, x, spec["model"]["code"], CODE)
    x = blocks.dense(keras, spec, code, steps * spec["model"]["code"], "decoder_steps")
    x = keras.layers.Reshape((steps, spec["model"]["code"]), name="decoder_input")(x)
    x = blocks.recurrent(keras, spec, "lstm", width, "decoder", return_sequences=True)(x)
    return blocks.dense(keras, spec, x, channels, "reconstruction")
