"""Training-only changes to images, vectorised over the batch; every draw is a function of the seed.

Legend: B batch, H height, W width, C channels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def augment(x_BHWC: Any, changes: Sequence[Mapping[str, Any]], seed: Any) -> Any:
    """Return the batch with every change applied, in order.

    Args:
        x_BHWC: images in [0, 1], float32.
        changes: sections of `data.augment`, each with its `kind`.
        seed: int32 (2,); the same seed gives the same batch.
    """
    for number, change in enumerate(changes):
        settings = {name: value for name, value in change.items() if name != "kind"}
        own_seed = tf.random.experimental.stateless_fold_in(seed, number)
        x_BHWC = AUGMENT[change["kind"]](x_BHWC, seed=own_seed, **settings)
    return x_BHWC


def translate(x_BHWC: Any, *, fraction: float, seed: Any) -> Any:
    """Shift each image by up to `fraction` of height and width, bilinear, filled with zero."""
    batch, height, width = tf.shape(x_BHWC)[0], x_BHWC.shape[1], x_BHWC.shape[2]
    shares = tf.random.stateless_uniform((batch, 2), seed, -fraction, fraction)
    down, right = shares[:, 0] * height, shares[:, 1] * width
    one, zero = tf.ones(batch), tf.zeros(batch)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x_BHWC,
        transforms=tf.stack([one, zero, -right, zero, one, -down, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )


def flip(x_BHWC: Any, *, seed: Any) -> Any:
    """Mirror each image left to right with probability one half."""
    is_mirrored = tf.random.stateless_uniform((tf.shape(x_BHWC)[0], 1, 1, 1), seed) < 0.5
    return tf.where(is_mirrored, x_BHWC[:, :, ::-1], x_BHWC)


AUGMENT: dict[str, Any] = {"translate": translate, "flip": flip}
