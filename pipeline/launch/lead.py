"""How a worker of a cluster begins: TensorFlow is imported and the others are joined, first of all.

TensorFlow takes no place in a cluster once it has computed anything.
"""

from contextlib import AbstractContextManager
from typing import Any

from pipeline.tensorflow_env import import_quietly, set_environment


def lead_workers() -> AbstractContextManager[None]:
    """Return the context in which the chief runs the stages, and the others train with it."""
    led: AbstractContextManager[None] = _workers().lead_workers()
    return led


def follow() -> int:
    """Train the chief's trials until it is done, and return the exit code."""
    _workers().follow()
    return 0


def _workers() -> Any:
    set_environment()
    return import_quietly("pipeline.train.workers")
