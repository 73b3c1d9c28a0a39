"""A training that is killed after some of its checkpoints and begun again each time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from pipeline.train import loop

T = TypeVar("T")


def with_kills(
    patch: pytest.MonkeyPatch, dies: Callable[[int, Path], bool], train: Callable[[], T]
) -> tuple[T, int]:
    """Train to the end; return what came out, and how often it was killed on the way.

    Args:
        patch: undoes it all.
        dies: (number of the checkpoint since the very start, its path) -> killed after it.
        train: the training, which resumes by itself.
    """
    saved, count, kills = loop.save_checkpoint, 0, 0

    def save_and_die(path: Path, *arguments: Any, **named: Any) -> None:
        nonlocal count
        saved(path, *arguments, **named)
        count += 1
        if dies(count, path):
            raise KeyboardInterrupt

    with patch.context() as inner:
        inner.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        inner.setattr(loop, "save_checkpoint", save_and_die)
        while True:
            try:
                return train(), kills
            except KeyboardInterrupt:
                kills += 1


def assert_same_bits(one: Any, other: Any) -> None:
    """Hold two models' weights against each other, bit by bit."""
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
