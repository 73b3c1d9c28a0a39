"""Transformer encoder over a series, a text, or the patches of a picture.

Vaswani et al. 2017 (arXiv:1706.03762), sections 3.1 to 3.3, with the normalization before each part
(Xiong et al. 2020, arXiv:2002.04745) and learned positions. Patches after Dosovitskiy et al. 2021
(arXiv:2010.11929), without their class token.

Legend: B batch, T steps, D width, H heads. What stands after a text's end is left out by a finite
amount in the scores, looked up by the word's number, which quantizes exactly: an infinite one would
take up the whole range of int8. For the same reason the mean of a text is a softmax, too.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Namespace, Tensor
from pipeline.config.model_schema import Transformer
from pipeline.documents.spec import Spec
from pipeline.models import blocks
from pipeline.models.inputs import inputs_of, picture_of, sequence_of
from pipeline.seeds import fold_seed

EPSILON = 1e-6  # of layer normalization
END = 0  # number of what stands after a text's end; see samples/tokens.py
LEFT_OUT = -30.0  # added to a score: its weight is then below 1e-12


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
) -> Any:
    """Build the network of a `kind: transformer` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; one series, text or picture (its patches or rows).
        batch_size: fixed batch for export; None for training.
        unroll: unused: nothing recurs here.
    """
    settings = spec.settings(Transformer)
    inputs = inputs_of(keras, spec, batch_size)
    x = _steps(keras, spec, inputs)
    (entry, *_) = spec.inputs
    mask = _mask(keras, inputs[0], entry.vocabulary or 0) if entry.is_text else None
    x = keras.layers.EinsumDense(
        "btc,cd->btd",
        output_shape=(x.shape[1], settings.width),
        bias_axes="td",
        kernel_initializer=blocks.initializer(keras, spec, "positions", activation=None),
        bias_initializer=keras.initializers.RandomNormal(
            stddev=0.02, seed=fold_seed(spec.seed, "initializer", "positions", "bias")
        ),
        name="positions",
    )(x)
    for block in range(1, settings.blocks + 1):
        x = _block(keras, spec, x, mask, f"block_{block}")
    x = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    x = _pooled(keras, spec, x, mask)
    x = blocks.dropout(keras, spec, x, name="dropout")
    return keras.Model(inputs, blocks.output(keras, spec, x), name="transformer")


def _steps(keras: Namespace, spec: Spec, inputs: list[Any]) -> Any:
    """Return the steps (B, T, C): of a sequence, or the patches of a picture."""
    patch = spec.settings(Transformer).patch
    if patch is None or len(spec.inputs[0].shape) != 3:
        return sequence_of(keras, spec, inputs)
    x = keras.layers.Conv2D(
        spec.settings(Transformer).width,
        patch,
        strides=patch,
        kernel_initializer=blocks.initializer(keras, spec, "patches", activation=None),
        name="patches",
    )(picture_of(spec, inputs))
    return keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="steps")(x)


def _mask(keras: Namespace, x: Tensor, vocabulary: int) -> Any:
    """Return what is added to the score of each step (B, 1, 1, T), found by the word's number."""
    layer = keras.layers.Embedding(vocabulary, 1, trainable=False, name="mask")
    found = keras.layers.Reshape((1, 1, x.shape[1]), name="mask_of_keys")(layer(x))
    table = np.zeros((vocabulary, 1), np.float32)
    table[END] = LEFT_OUT
    layer.set_weights([table])
    return found


def _block(keras: Namespace, spec: Spec, x: Tensor, mask: Any, name: str) -> Any:
    """Apply attention, then two dense layers to each step, each added to what came in."""
    settings = spec.settings(Transformer)
    norm = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm_1")(x)
    y = _attention(keras, spec, norm, mask, name)
    y = blocks.dropout(keras, spec, y, name=f"{name}_dropout_1")
    x = keras.layers.Add(name=f"{name}_add_1")([x, y])
    y = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm_2")(x)
    activation = settings.activation
    y = blocks.dense(
        keras, spec, y, units=settings.feed_forward, name=f"{name}_wide", activation=activation
    )
    y = blocks.activate(keras, spec, y, name=f"{name}_wide")
    y = blocks.dense(keras, spec, y, units=settings.width, name=f"{name}_narrow")
    y = blocks.dropout(keras, spec, y, name=f"{name}_dropout_2")
    return keras.layers.Add(name=f"{name}_add_2")([x, y])


def _attention(keras: Namespace, spec: Spec, x: Tensor, mask: Any, name: str) -> Any:
    """Apply scaled dot-product attention in several heads (section 3.2, equation 1)."""
    steps, width, heads = (
        x.shape[1],
        spec.settings(Transformer).width,
        spec.settings(Transformer).heads,
    )

    def by_head(role: str, order: tuple[int, int, int]) -> Any:
        y = blocks.dense(keras, spec, x, units=width, name=f"{name}_{role}")
        y = keras.layers.Reshape((steps, heads, width // heads), name=f"{name}_{role}_heads")(y)
        return keras.layers.Permute(order, name=f"{name}_{role}_by_head")(y)

    query = by_head("query", (2, 1, 3))  # (B, H, T, D / H)
    query = keras.layers.Rescaling((width // heads) ** -0.5, name=f"{name}_scaled")(query)
    scores = _matmul(keras, query, by_head("key", (2, 3, 1)))  # (B, H, T, T)
    if mask is not None:
        scores = keras.layers.Add(name=f"{name}_masked")([scores, mask])
    shares = keras.layers.Activation("softmax", name=f"{name}_shares")(scores)
    y = _matmul(keras, shares, by_head("value", (2, 1, 3)))
    y = keras.layers.Permute((2, 1, 3), name=f"{name}_by_step")(y)
    y = keras.layers.Reshape((steps, width), name=f"{name}_joined")(y)
    return blocks.dense(keras, spec, y, units=width, name=f"{name}_output")


def _matmul(keras: Namespace, a: Any, b: Any) -> Any:
    """Return the product of the last two axes, under either Keras."""
    return keras.ops.matmul(a, b) if hasattr(keras, "ops") else tf.matmul(a, b)


def _pooled(keras: Namespace, spec: Spec, x: Tensor, mask: Any) -> Any:
    """Return the mean over the steps; of a text, the words weighted by a softmax (B, D).

    The weights are equal before training: it begins as the mean of the words.
    """
    if mask is None:
        return keras.layers.GlobalAveragePooling1D(name="mean")(x)
    steps = x.shape[1]
    scores = keras.layers.Dense(1, kernel_initializer="zeros", name="pool_scores")(x)
    scores = keras.layers.Reshape((1, steps), name="pool_of_words")(scores)
    mask = keras.layers.Reshape((1, steps), name="mask_of_words")(mask)
    shares = keras.layers.Add(name="pool_masked")([scores, mask])
    shares = keras.layers.Activation("softmax", name="pool_shares")(shares)
    return keras.layers.Flatten(name="flatten")(_matmul(keras, shares, x))
