"""Autoencoder: it reconstructs its input through a code of a few numbers.

Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"; the
convolutional form after Masci et al. 2011, the recurrent one after Malhotra et al. 2016
(arXiv:1607.00148), with a dense layer that gives the decoder
a few numbers at every step. What it makes badly again is
unlike what it was trained on: the mean squared error is the anomaly score.

Legend: B batch, T steps, C channels, H height, W width.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Model, Namespace, Tensor
from pipeline.config.model_schema import Autoencoder
from pipeline.documents.spec import Spec, SpecOutput
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of
from pipeline.tasks import TASKS

CODE = "code"  # name of the layer whose output is the code
RECONSTRUCTION = "reconstruction"  # and of the one that gives the input again
Sizes = list[tuple[int, ...]]


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: autoencoder` spec: whole, or only its encoder.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one input of numbers: a table, a series or a picture. The task
            of its output is anomaly: the input again; embedding: the code; else what the task asks
            for, on the code, once it was trained to reconstruct its input (Erhan et al. 2010,
            "Why does unsupervised pre-training help deep learning?").
        batch_size: fixed batch for export; None for training.
        unroll: unused: an LSTM is one operation.
    """
    inputs = inputs_of(keras, spec, batch_size)
    (x, *others), (entry, *_) = inputs, spec.inputs
    if others or entry.dtype != "float32":
        raise ValueError("wanted one input of numbers: a table, a series or a picture")
    encode, decode = FORMS[spec.settings(Autoencoder).form]
    shape, task = tuple(x.shape[1:]), spec.task
    x, sizes = encode(keras, spec, x)
    code = _code(keras, spec, x)
    if task == "embedding":
        return keras.Model(inputs, code, name="encoder")
    if TASKS[task].predicts_input:
        return keras.Model(inputs, decode(keras, spec, code, shape, sizes), name="autoencoder")
    x = blocks.dropout(keras, spec, code, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="autoencoder")


def reconstruction_spec(spec: Spec) -> Spec:
    """Return the spec of a network that reconstructs the first input of another."""
    shape = spec.inputs[0].shape
    output = SpecOutput(name=RECONSTRUCTION, shape=shape, meaning="the input, reconstructed")
    return spec.model_copy(
        update={"task": "anomaly", "outputs": (output,), "score": "reconstruction"}
    )


def encoder_spec(spec: Spec, encoder: Model) -> Spec:
    """Return the spec of an autoencoder's encoder.

    Args:
        spec: of the autoencoder.
        encoder: as `encoder_of` returns it.
    """
    (name,), (code,) = encoder.output_names, encoder.outputs
    output = SpecOutput(name=name, shape=tuple(code.shape[1:]), meaning="the code of the input")
    return spec.model_copy(update={"task": "embedding", "outputs": (output,), "score": None})


def encoder_of(model: Model) -> Any:
    """Return the encoder of a Keras 3 autoencoder; layers and weights are shared."""
    import keras

    own = [layer for layer in model.layers if layer.name.partition("_")[0] == CODE]
    return keras.Model(model.inputs, own[-1].output, name="encoder")


def _code(keras: Namespace, spec: Spec, x: Tensor) -> Any:
    """Apply the layer of the code, and what comes after it."""
    settings = spec.settings(Autoencoder)
    follows = settings.activation if settings.code_activation else None
    x = _dense(keras, spec, x, settings.code, CODE, activation=follows)
    return blocks.activate(keras, spec, x, name=CODE) if settings.code_activation else x


def _encode_dense(keras: Namespace, spec: Spec, x: Tensor) -> tuple[Any, Sizes]:
    """Apply dense layers, each narrower."""
    x = keras.layers.Flatten(name="flatten")(x)
    for number, width in enumerate(spec.settings(Autoencoder).units, 1):
        x = _layer(keras, spec, x, width, f"encoder_{number}")
    return x, []


def _decode_dense(
    keras: Namespace, spec: Spec, x: Tensor, shape: tuple[int, ...], sizes: Sizes
) -> Any:
    """Apply the same widths up again."""
    for number, width in enumerate(reversed(spec.settings(Autoencoder).units), 1):
        x = _layer(keras, spec, x, width, f"decoder_{number}")
    x = blocks.dense(keras, spec, x, units=int(np.prod(shape)), name="values")
    return keras.layers.Reshape(shape, name=RECONSTRUCTION)(x)


def _layer(keras: Namespace, spec: Spec, x: Tensor, width: int, name: str) -> Any:
    x = _dense(keras, spec, x, width, name, activation=spec.settings(Autoencoder).activation)
    return blocks.activate(keras, spec, x, name=name)


def _dense(
    keras: Namespace,
    spec: Spec,
    x: Tensor,
    width: int,
    name: str,
    *,
    activation: str | None,
) -> Any:
    """Apply a dense layer and, where the spec says so, normalization, in which a bias vanishes."""
    normalize = spec.settings(Autoencoder).batch_norm
    x = blocks.dense(
        keras, spec, x, units=width, name=name, activation=activation, use_bias=not normalize
    )
    return blocks.batch_norm(keras, x, f"{name}_norm") if normalize else x


def _encode_conv(keras: Namespace, spec: Spec, x: Tensor) -> tuple[Any, Sizes]:
    """Apply convolutions of stride 2 down to a map; the sizes on the way go with it."""
    if len(x.shape) < 3:
        raise ValueError("a convolutional autoencoder wanted a series or a picture")
    sizes = []
    for number, width in enumerate(spec.settings(Autoencoder).filters, 1):
        sizes.append(tuple(x.shape[1:-1]))
        x = blocks.convolution(
            keras, spec, x, filters=width, name=f"encoder_{number}", kernel_size=3, strides=2
        )
    return keras.layers.Flatten(name="flatten")(x), [*sizes, tuple(x.shape[1:])]


def _decode_conv(
    keras: Namespace, spec: Spec, x: Tensor, shape: tuple[int, ...], sizes: Sizes
) -> Any:
    """Apply the same way up again.

    A map is doubled by repeating it, and cut to the size that it had (Odena et al. 2016,
    "Deconvolution and checkerboard artifacts").
    """
    is_picture, filters = len(shape) == 3, spec.settings(Autoencoder).filters
    *sizes, last = sizes
    x = _layer(keras, spec, x, int(np.prod(last)), "decoder_code")
    x = keras.layers.Reshape(last, name="decoder_map")(x)
    for number, (width, size) in enumerate(zip(filters[::-1], sizes[::-1], strict=True), 1):
        doubled = keras.layers.UpSampling2D if is_picture else keras.layers.UpSampling1D
        x = doubled(2, name=f"decoder_{number}_doubled")(x)
        x = _cut(keras, x, size, f"decoder_{number}_cut")
        x = blocks.convolution(
            keras, spec, x, filters=width, name=f"decoder_{number}", kernel_size=3
        )
    layer = keras.layers.Conv2D if is_picture else keras.layers.Conv1D
    kernel = blocks.initializer(keras, spec, "reconstruction", activation=None)
    return layer(shape[-1], 3, padding="same", kernel_initializer=kernel, name=RECONSTRUCTION)(x)


def _cut(keras: Namespace, x: Tensor, size: tuple[int, ...], name: str) -> Any:
    """Return a map cut at its end to a size; the map itself where it has that size."""
    over = [have - want for have, want in zip(x.shape[1:-1], size, strict=True)]
    if not any(over):
        return x
    if len(over) == 1:
        return keras.layers.Cropping1D((0, over[0]), name=name)(x)
    return keras.layers.Cropping2D([(0, rows) for rows in over], name=name)(x)


def _encode_recurrent(keras: Namespace, spec: Spec, x: Tensor) -> tuple[Any, Sizes]:
    """Apply an LSTM, and keep what it knows after the last step."""
    if len(x.shape) != 3:
        raise ValueError("a recurrent autoencoder wanted a series (steps, channels)")
    return blocks.recurrent(
        keras, spec, "lstm", units=spec.settings(Autoencoder).units[0], name="encoder"
    )(x), []


def _decode_recurrent(
    keras: Namespace, spec: Spec, x: Tensor, shape: tuple[int, ...], sizes: Sizes
) -> Any:
    """Apply an LSTM over what a dense layer makes of the code, a few numbers a step."""
    (steps, channels), (width, *_) = shape, spec.settings(Autoencoder).units
    x = blocks.dense(
        keras, spec, x, units=steps * spec.settings(Autoencoder).code, name="decoder_steps"
    )
    x = keras.layers.Reshape((steps, spec.settings(Autoencoder).code), name="decoder_input")(x)
    x = blocks.recurrent(keras, spec, "lstm", units=width, name="decoder", return_sequences=True)(x)
    return blocks.dense(keras, spec, x, units=channels, name=RECONSTRUCTION)


FORMS = {  # how the code is made, and how the input is made of it
    "dense": (_encode_dense, _decode_dense),
    "conv": (_encode_conv, _decode_conv),
    "recurrent": (_encode_recurrent, _decode_recurrent),
}
