"""Pruning by magnitude: the smallest weights of each kernel become zero while the others learn.

Zhu and Gupta 2017, "To prune, or not to prune" (arXiv:1710.01878): the sparsity rises along their
equation 1, or is reached at once. Zeros stay zeros. Steps and counts are those of tfmot's
ConstantSparsity, PolynomialDecay and Pruning, save that masks are made often enough in a short
training too.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.compress.distillation import DistillationJob, distill_network
from pipeline.models.kernels import make_kernels_trainable
from pipeline.train.weight_constraints import WeightConstraint, where_kept
from pipeline.train.workers import together

POWER = 3.0  # of equation 1
# How often masks are made between begin and end: Zhu and Gupta find the same from 100 to 1000 steps
# in between, in trainings of 100,000 steps.
UPDATES = 100


@dataclass(frozen=True)
class Rise:
    """How many weights are zero at which step."""

    first: int
    last: int
    sparsity: float
    is_constant: bool

    @property
    def every(self) -> int:
        """Steps between two masks."""
        return max(1, (self.last - self.first) // UPDATES)


def rise_of(settings: Any, steps: int) -> Rise:
    """Return when a `compress.prune` section asks for how much.

    Args:
        settings: the section.
        steps: of the fine-tuning.
    """
    first, last = (min(int(share * steps), steps - 1) for share in (settings.begin, settings.end))
    is_constant = settings.schedule == "constant"
    return Rise(first, first if is_constant else last, settings.sparsity, is_constant)


def sparsity_at(rise: Rise, number: Any) -> Any:
    """Return the fraction of zeros after a step, which counts from 0 on."""
    if rise.first == rise.last:
        return tf.constant(rise.sparsity, tf.float32)
    done = tf.cast(number - rise.first, tf.float32) / (rise.last - rise.first)
    left = (1.0 - tf.clip_by_value(done, 0.0, 1.0)) ** POWER
    return rise.sparsity * (1.0 - left)


def is_due(rise: Rise, number: Any) -> Any:
    """Tell whether the mask is made anew after a step."""
    begun = tf.logical_and(number >= rise.first, number <= rise.last)
    turn = tf.logical_or(number == rise.last, (number - rise.first) % rise.every == 0)
    return tf.logical_and(begun, turn)


def largest(values: Tensor, sparsity: Any) -> Any:
    """Return weights whose smallest magnitudes are set to zero; at least one weight stays.

    Args:
        values: kernel of any shape.
        sparsity: fraction of zeros, in [0, 1].
    """
    flat = tf.reshape(values, [-1])
    count = tf.cast(tf.size(flat), tf.float32)
    kept = tf.cast(tf.maximum(tf.round(count * (1.0 - sparsity)), 1.0), tf.int32)
    _, places = tf.math.top_k(tf.abs(flat), kept, sorted=False)
    chosen = tf.scatter_nd(places[:, None], tf.gather(flat, places), tf.shape(flat))
    return tf.reshape(chosen, tf.shape(values))


def pruning_constraint(weight: Any, rise: Rise) -> WeightConstraint:
    """Return the constraint under which more and more of a weight becomes zero, and stays so."""

    def value(before: Any, after: Any, number: Any) -> Any:
        kept = where_kept(before, after)
        return tf.cond(
            is_due(rise, number), lambda: largest(kept, sparsity_at(rise, number)), lambda: kept
        )

    return WeightConstraint(weight, where_kept, value)


def prune_network(job: DistillationJob) -> Any:
    """Return a network with the sparsity that the job's settings ask for."""
    return together(job.strategy, _pruned, job)


def _pruned(job: DistillationJob) -> Any:
    """Prune the student, as one of the workers that do."""

    def constraints(model: Model, steps: int) -> list[WeightConstraint]:
        rise = rise_of(job.settings, steps)
        return [pruning_constraint(weight, rise) for weight in make_kernels_trainable(model)]

    return distill_network(job, constraints)
