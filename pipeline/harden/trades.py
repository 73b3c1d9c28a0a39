"""TRADES: right on clean inputs, and of one mind within the ball around them.

Zhang et al. 2019, equation 5 and algorithm 1 (arXiv:1901.08573). Other than there, clean and
adversarial batch go through the network in one pass, which lets batch normalisation see both; and
the search begins anywhere in the ball, not within a thirtieth of it. So near x the divergence is
the difference of two equal answers: its gradient has 300 times the rounding error of that of the
cross-entropy, and its signs depend on the order of sums. From anywhere it finds a little more.

Legend: B batch; K classes; x is of any shape (B, ...).
"""

from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.harden.attacks import pgd
from pipeline.harden.ball import Ball


def apart(logits: Tensor, others: Any) -> Any:
    """Return KL(softmax(logits) || softmax(others)) of each sample (B,); both (B, K)."""
    own, other = tf.nn.log_softmax(logits), tf.nn.log_softmax(others)
    return tf.reduce_sum(tf.exp(own) * (own - other), axis=1)


def find_disagreement(model: Model, x: Tensor, *, ball: Ball, steps: int, seed: Tensor) -> Any:
    """Return inputs in the ball around x whose answers are far from those for x.

    Args:
        model: from x to logits, called with `training=False`.
        x: float32; not modified.
        ball: what can be made of x.
        steps: gradient steps, as of `pgd`.
        seed: int32 (2,), of the random start: at x itself the divergence has no gradient.
    """
    wanted = tf.stop_gradient(tf.cast(model(x, training=False), tf.float32))

    def loss(_: Any, logits: Tensor) -> Any:
        return apart(wanted, tf.cast(logits, tf.float32))

    return pgd(model, x, None, ball=ball, steps=steps, seed=seed, loss=loss)
