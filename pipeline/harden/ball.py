"""The ball of an attack: what an attacker can make of a sample.

A norm over values that are each measured in a radius of their own bounds how far a sample moves,
and every value stays within its range. A radius of zero is a value that nobody can change.

Legend: B batch; x is a model input or what it is made from, of any shape (B, ...).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from pipeline.arrays import Tensor
from pipeline.data.per_replica_random import draw_per_replica

UNIFORM = tf.random.stateless_uniform

Norm = Literal["linf", "l2"]


@dataclass(frozen=True)
class Ball:
    """The inputs x' with ||(x' - x) / radius|| <= 1 and low <= x' <= high, element by element.

    `radius`, `low` and `high` are numbers, or arrays that broadcast with one sample.
    """

    norm: Norm
    radius: Any
    """How far each value may move, in its own unit."""
    low: Any = 0.0
    high: Any = 1.0

    def start(self, x: Tensor, seed: Tensor) -> Any:
        """Return a random input of the ball around x; `seed` is an int32 (2,) tensor."""
        return self.clip(x + self.noise(x, seed), x)

    def noise(self, x: Tensor, seed: Tensor) -> Any:
        """Return random changes (B, ...) of at most one radius, regardless of the range.

        Under L2 they are uniform in the ball: a direction, and the root of a uniform length.
        """
        if self.norm == "linf":
            return self.radius * draw_per_replica(UNIFORM, tf.shape(x), seed, -1.0, 1.0)
        direction = draw_per_replica(tf.random.stateless_normal, tf.shape(x), seed)
        values = math.prod(x.shape[1:])
        inner = [tf.shape(x)[0], *[1] * (len(x.shape) - 1)]
        share = draw_per_replica(UNIFORM, inner, seed + 1) ** (1.0 / values)
        return self.radius * share * _unit(direction)

    def step(self, x: Tensor, gradient: Tensor, size: Any) -> Any:
        """Return x after a step of steepest ascent of `size` radii; it may leave the ball.

        Under L2 that is the gradient in units of the radius, brought to length 1 (Madry et al.
        2018, section 2.1, arXiv:1706.06083). However small a gradient is, its step is whole.

        Args:
            x: where it begins.
            gradient: like x.
            size: a number, or one for each sample (B, 1, ...).
        """
        if self.norm == "linf":
            return x + size * self.radius * tf.sign(gradient)
        return x + size * self.radius * _unit(gradient * self.radius)

    def clip(self, moved: Tensor, x: Tensor) -> Any:
        """Return the input of the ball around x that is nearest to `moved`, all (B, ...).

        Under L2 the range is cut first and the length then, which stays in both where x does.
        """
        if self.norm == "linf":
            low = tf.maximum(x - self.radius, self.low)
            return tf.clip_by_value(moved, low, tf.minimum(x + self.radius, self.high))
        change = self.in_range(moved) - x
        scaled = tf.math.divide_no_nan(change, tf.zeros_like(x) + self.radius)
        longer = tf.maximum(tf.sqrt(tf.reduce_sum(scaled * scaled, _inner(x), keepdims=True)), 1.0)
        near = x + scaled * self.radius / longer  # beyond the range by no more than rounding
        return tf.clip_by_value(near, tf.minimum(x, self.low), tf.maximum(x, self.high))

    def in_range(self, moved: Tensor) -> Any:
        """Return `moved` (B, ...) with every value clipped to the range."""
        return tf.clip_by_value(moved, self.low, self.high)


def _unit(x: Tensor) -> Any:
    """Return each sample at length 1 under L2; zero stays zero.

    Its greatest value is made 1 first: squares of what is below 1e-19 are zero in float32.
    """
    greatest = tf.reduce_max(tf.abs(x), _inner(x), keepdims=True)
    near = tf.math.divide_no_nan(x, greatest)
    length = tf.sqrt(tf.reduce_sum(near * near, _inner(x), keepdims=True))
    return tf.math.divide_no_nan(near, length)


def _inner(x: Tensor) -> list[int]:
    """Return all axes but that of the batch."""
    return list(range(1, len(x.shape)))
