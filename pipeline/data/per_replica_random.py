"""Random draws for a batch on several devices.

Each device takes its own samples' part of the draws for the whole batch, so that what a
sample meets does not depend on how many devices there are.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from pipeline.arrays import Tensor

# First sample of this device, how many it has, and how many there are; None: it has all.
_SHARE: ContextVar[tuple[Any, int, int] | None] = ContextVar("share", default=None)


@contextlib.contextmanager
def share_of(first: Any, count: int, total: int) -> Iterator[None]:
    """Let draws be those of some samples of a larger batch.

    Args:
        first: number of the first one in the whole batch; may be a tensor.
        count: how many there are here.
        total: in the whole batch.
    """
    token = _SHARE.set(None if count == total else (first, count, total))
    try:
        yield
    finally:
        _SHARE.reset(token)


def first_here() -> Any:
    """Return the number of this device's first sample in the whole batch."""
    share = _SHARE.get()
    return 0 if share is None else share[0]


def draw_per_replica(
    draw: Callable[..., Any], shape: Any, seed: Tensor, *given: Any, axis: int = 0
) -> Any:
    """Return what a stateless draw gives this device's samples.

    Args:
        draw: such as `tf.random.stateless_uniform`: (shape, seed, *arguments) -> values.
        shape: of the result.
        seed: int32 (2,).
        given: further arguments of `draw`.
        axis: of the samples.
    """
    share = _SHARE.get()
    if share is None:
        return draw(shape, seed, *given)
    first, count, total = share
    sizes = list(tf.unstack(shape)) if tf.is_tensor(shape) else list(shape)
    sizes[axis] = total
    whole = draw(sizes, seed, *given)
    begin = [first if number == axis else 0 for number in range(len(sizes))]
    return tf.slice(whole, begin, [count if number == axis else -1 for number in range(len(sizes))])
