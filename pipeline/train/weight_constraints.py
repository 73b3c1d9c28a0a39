"""What single weights keep while they learn: zeros stay zero, equal weights stay equal.

Their gradients are made to fit before the optimizer sees them, and their values after each step. It
needs nothing but the weights and the number of the step, so a killed run goes on exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Strategy, Tensor, Variable


@dataclass(frozen=True)
class WeightConstraint:
    """What one weight keeps."""

    weight: Any
    gradient: Callable[[Any, Any], Any]
    """(weight before the step, its gradient) -> the gradient that the optimizer is given."""
    value: Callable[[Any, Any, Any], Any]
    """(weight before the step, after it, number of the step) -> what it is to be."""


def sparsity_mask(weight: Variable) -> WeightConstraint:
    """Return the constraint under which zeros stay zeros."""
    return WeightConstraint(
        weight, where_kept, lambda before, after, number: where_kept(before, after)
    )


def where_kept(before: Tensor, values: Tensor) -> Any:
    """Return values where a weight was not zero, and zero elsewhere; all three have one shape."""
    return tf.where(before != 0, values, tf.zeros_like(values))


def cluster_mask(weight: Variable, groups: Array) -> WeightConstraint:
    """Return the constraint under which a weight's groups stay equal, and learn as one value each.

    A group's gradient is the sum of its members' (Han et al. 2016, arXiv:1510.00149, section 3.3).
    Equal steps may round differently in the last bit, hence the mean. A group of zeros stays.

    Args:
        weight: the Keras variable.
        groups: number of each weight's group, in its shape, from 0 on.
    """
    count, places = int(groups.max()) + 1, tf.constant(groups.ravel(), tf.int32)

    def over(values: Tensor, reduce: Callable[..., Any]) -> Any:
        found = tf.gather(reduce(tf.reshape(values, [-1]), places, count), places)
        return tf.reshape(found, tf.shape(values))

    def gradient(before: Tensor, found: Tensor) -> Any:
        return where_kept(before, over(found, tf.math.unsorted_segment_sum))

    def value(before: Tensor, after: Tensor, number: Tensor) -> Any:
        return where_kept(before, over(after, tf.math.unsorted_segment_mean))

    return WeightConstraint(weight, gradient, value)


def constrain_gradients(
    constraints: Sequence[WeightConstraint], weights: Sequence[Any], gradients: Sequence[Any]
) -> list[Any]:
    """Return the gradients as the constraints of their weights ask; others as is."""
    asked = {id(constraint.weight): constraint for constraint in constraints}
    return [
        asked[id(weight)].gradient(tf.convert_to_tensor(weight.value), tf.convert_to_tensor(found))
        if id(weight) in asked
        else found
        for weight, found in zip(weights, gradients, strict=True)
    ]


def constrained_values(constraints: Sequence[WeightConstraint]) -> list[Any]:
    """Return the current values of the constrained weights."""
    return [tf.identity(constraint.weight.value) for constraint in constraints]


def constrain_values(
    strategy: Strategy,
    constraints: Sequence[WeightConstraint],
    before: Sequence[Any],
    *,
    number: Tensor,
) -> None:
    """Apply the constraints to the weights, on all devices.

    Args:
        strategy: of the training; outside of its replicas.
        constraints: whose weights made a step.
        before: weights before the step, each in its shape, by `constrained_values`.
        number: of the step, a scalar from 0 on.
    """

    def assign(variable: Variable, constraint: WeightConstraint, old: Tensor) -> None:
        variable.assign(constraint.value(old, tf.convert_to_tensor(variable), number))

    for constraint, old in zip(constraints, before, strict=True):
        strategy.extended.update(constraint.weight.value, assign, args=(constraint, old))


def made_small(weights: Sequence[Any], clusters: int | None) -> list[WeightConstraint]:
    """Return what keeps weights as small as they are: their zeros, and their clusters.

    Args:
        weights: matrices of a model.
        clusters: values that a clustered kernel takes at most; None: none is clustered.
    """
    constraints = []
    for weight in weights:
        values = np.asarray(weight.value)
        distinct, groups = np.unique(values, return_inverse=True)
        if clusters is not None and len(distinct) <= clusters < values.size:
            constraints.append(cluster_mask(weight, groups))
        elif (values == 0).any():
            constraints.append(sparsity_mask(weight))
    return constraints
