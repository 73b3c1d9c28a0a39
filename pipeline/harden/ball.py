"""The ball of an attack: what an attacker can make of a sample.

A norm over values that are each measured in a radius of their own bounds how far a sample moves,
and every value stays within its range. A radius of zero is a value that nobody can change.

Legend: B batch; x is a model input or what it is made from, of any shape (B, ...).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

Norm = Literal["linf", "l2"]

TINY = 1e-12  # added below a square root: the gradient of a saturated sample may be zero


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

    def start(self, x: Any, seed: Any) -> Any:
        """Return a random input of the ball around x; `seed` is an int32 (2,) tensor."""
        if self.norm == "linf":
            moved = tf.random.stateless_uniform(tf.shape(x), seed, -1.0, 1.0)
        else:
            moved = self._on_sphere(x, seed)
        return self.clip(x + self.radius * moved, x)

    def step(self, x: Any, gradient: Any, size: float) -> Any:
        """Return x after a step of steepest ascent of `size` radii; it may leave the ball.

        Under L2 that is the gradient in units of the radius, brought to length 1 (Madry et al.
        2018, section 2.1, arXiv:1706.06083).
        """
        if self.norm == "linf":
            return x + size * self.radius * tf.sign(gradient)
        scaled = gradient * self.radius
        return x + size * self.radius * scaled / _length(scaled)

    def clip(self, moved: Any, x: Any) -> Any:
        """Return the input of the ball around x that is nearest to `moved`.

        Under L2 the range is cut first and the length then, which stays in both where x does.
        """
        if self.norm == "linf":
            low = tf.maximum(x - self.radius, self.low)
            return tf.clip_by_value(moved, low, tf.minimum(x + self.radius, self.high))
        change = tf.clip_by_value(moved, self.low, self.high) - x
        scaled = tf.math.divide_no_nan(change, tf.zeros_like(x) + self.radius)
        return x + scaled * self.radius / tf.maximum(_length(scaled), 1.0)

    def _on_sphere(self, x: Any, seed: Any) -> Any:
        """Return uniform points of the unit ball: a direction, and the root of a uniform length."""
        direction = tf.random.stateless_normal(tf.shape(x), seed)
        values = math.prod(x.shape[1:])
        inner = [tf.shape(x)[0], *[1] * (len(x.shape) - 1)]
        share = tf.random.stateless_uniform(inner, seed + 1) ** (1.0 / values)
        return share * direction / _length(direction)


def _length(x: Any) -> Any:
    """Return the L2 norm of each sample, (B, 1, ...)."""
    axes = list(range(1, len(x.shape)))
    return tf.sqrt(tf.reduce_sum(x * x, axis=axes, keepdims=True) + TINY)
