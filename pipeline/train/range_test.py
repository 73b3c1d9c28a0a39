"""The learning-rate range test: from small to large in a few epochs, and where the loss falls best.

Smith 2017, "Cyclical learning rates for training neural networks" (arXiv:1506.01186), section 3.3.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.training import RangeTest
from pipeline.train.workers import is_chief

log = logging.getLogger(__name__)

LOW, HIGH = 1e-6, 1.0  # rates
STEPS = 120  # nine to each power of ten twice over; more do not change the rate by a third
SMOOTHING = 0.9  # weight of the old in the running mean of the loss
DIVERGED = 4.0  # times the best loss, at which it stops


def rates() -> Array:
    """Return the learning rates of the range test (STEPS,), evenly spaced in their logarithm."""
    return np.geomspace(LOW, HIGH, STEPS)


def suggest_rate(tried: Array, losses: Array) -> float:
    """Return the rate at which the smoothed loss falls fastest with the logarithm of the rate.

    Args:
        tried: rates, rising (n,).
        losses: of a step at each (n,).
    """
    smooth = smooth_losses(losses)
    best = max(2, int(np.argmin(smooth)))  # beyond it the loss rises
    slope = np.gradient(smooth[: best + 1], np.log(tried[: best + 1]))
    return float(tried[int(np.argmin(slope))])


def smooth_losses(losses: Sequence[float] | Array) -> Array:
    """Return a running mean (n,), corrected for its start (Kingma and Ba 2015, section 3)."""
    mean, means = 0.0, []
    for number, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * float(loss)
        means.append(mean / (1 - SMOOTHING**number))
    return np.array(means)


def known_rate(path: Path) -> float | None:
    """Return the rate that was suggested before a kill; None: it is to be measured."""
    return RangeTest.read(path).suggested_rate if path.exists() else None


def range_test(step_at: Callable[[int, float], float], path: Path) -> float:
    """Return the suggested rate, as it is measured.

    Args:
        step_at: (number of the step, rate) -> loss; each goes on from the one before.
        path: the file that the curve is written to.
    """
    losses: list[float] = []
    for number, rate in enumerate(rates()):
        loss = step_at(number, float(rate))
        if not np.isfinite(loss) or loss > DIVERGED * min(losses, default=loss):
            break
        losses.append(loss)
    tried = rates()[: len(losses)]
    found = suggest_rate(tried, np.array(losses))
    if is_chief():
        RangeTest(
            suggested_rate=found,
            rates=tried.tolist(),
            losses=tuple(losses),
            smoothed=smooth_losses(losses).tolist(),
        ).write(path)
    log.info("          range test: peak rate %.2g", found)
    return found
