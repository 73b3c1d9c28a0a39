"""Categories that an attacker can change: each in turn becomes the code with the greatest loss.

Legend: B batch; x is of any shape (B, ...).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Model, Tensor


@dataclass(frozen=True)
class Choice:
    """A value of a point that is one of a few codes: a category."""

    index: int
    """In the flattened sample of its input."""
    codes: tuple[float, ...]


def choose_categories(
    model: Model, x: Tensor, labels: Tensor, *, choices: tuple[Choice, ...]
) -> Any:
    """Return points with each category in turn replaced by the code with the greatest loss.

    Greedy coordinate ascent on the loss itself: one pass over the categories, in order, each code
    evaluated, the present one too.

    Args:
        model: (x, training) -> logits.
        x: points (B, ...), in which categories are codes.
        labels: class ids (B,).
        choices: the categories and their codes.
    """
    flat = tf.reshape(x, (tf.shape(x)[0], -1))
    best, worst = flat, _loss(model, x, labels)
    for choice in choices:
        is_choice = tf.range(tf.shape(flat)[1]) == choice.index
        base = best
        for code in choice.codes:
            tried = tf.where(is_choice, np.float32(code), base)
            loss = _loss(model, tf.reshape(tried, tf.shape(x)), labels)
            is_worse = loss > worst
            best, worst = tf.where(is_worse[:, None], tried, best), tf.maximum(loss, worst)
    return tf.reshape(best, tf.shape(x))


def _loss(model: Model, x: Tensor, labels: Tensor) -> Any:
    logits = tf.cast(model(x, training=False), tf.float32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
