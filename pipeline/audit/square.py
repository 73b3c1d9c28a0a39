"""Square attack: random search by scores alone. Pure NumPy.

Andriushchenko et al. 2020, algorithms 1 to 3 (arXiv:1912.00049). We differ in one thing: a change
that leaves the margin as it was is taken too, for the outputs of an integer file have steps.

Legend: B samples, H height, W width, C channels; x is (B, H, W, C) in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.terminal import show_progress

Outputs = Callable[[Array], Array]

FIRST_FRACTION = 0.8  # of an image that the first square covers
# Fraction of the queries after which the covered fraction is halved, section 3.1 (10,000 queries).
HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
TILES = 5  # of the start under L2, along each side
MIN_WINDOW = 3  # under L2: one of a single pixel has no center to fall off from
TINY = 1e-12


@dataclass(frozen=True)
class SearchResult:
    """The result of a search."""

    x: Array
    """The inputs (B, H, W, C) with the smallest margin."""
    is_robust: Array
    """Which of them are still predicted correctly (B,)."""
    queries: Array
    """Queries of each sample (B,), until it was misclassified."""


def search(
    outputs: Outputs,
    x: Array,
    labels: Array,
    *,
    norm: Literal["linf", "l2"],
    epsilon: float,
    queries: int,
    seed: int,
) -> SearchResult:
    """Search for inputs within epsilon that are misclassified.

    Args:
        outputs: inputs (n, H, W, C) -> outputs (n, K).
        x: clean inputs that are predicted correctly; not modified.
        labels: class ids (B,).
        norm: of the change.
        epsilon: its largest size.
        queries: of each sample at most, at least 1.
        seed: of all that is drawn.
    """
    draw = np.random.Generator(np.random.Philox(seed))
    start, change = (_stripes, _square) if norm == "linf" else (_tiles, _window)
    best = start(x, epsilon, draw)
    margin = margins(outputs(best), labels)
    used = np.ones(len(x), np.int64)
    for query in show_progress(range(1, queries), "queries", "Square attack"):
        (active,) = np.nonzero(margin > 0)
        if not len(active):
            break
        fraction = covered_fraction(query / queries)
        tried = change(x[active], best[active], epsilon, fraction, draw)
        reached = margins(outputs(tried), labels[active])
        used[active] += 1
        better = reached <= margin[active]
        best[active[better]], margin[active[better]] = tried[better], reached[better]
    return SearchResult(best, margin > 0, used)


def covered_fraction(progress: float) -> float:
    """Return the fraction of an image that a change covers after a fraction of the queries."""
    return float(FIRST_FRACTION / 2 ** sum(progress > limit for limit in HALVINGS))


def margins(outputs: Array, labels: Array) -> Array:
    """Return by how much the true class leads (B,); not above zero where it is not predicted.

    Of equal outputs the first is predicted, as by argmax.
    """
    rows = np.arange(len(labels))
    true = outputs[rows, labels].astype(np.float64)
    others = outputs.astype(np.float64)
    others[rows, labels] = -np.inf
    lead = true - others.max(axis=1)
    tied = (lead == 0) & (outputs.argmax(axis=1) == labels)
    return np.where(tied, TINY, lead)


def _stripes(x: Array, epsilon: float, draw: np.random.Generator) -> Array:
    """Return the start under Linf: each column of each channel moved up or down."""
    count, _, width, channels = x.shape
    moved = epsilon * _signs(draw, (count, 1, width, channels))
    return np.asarray(np.clip(x + moved, 0, 1), np.float32)


def _square(x: Array, best: Array, epsilon: float, fraction: float, draw: Any) -> Array:
    """Return the best with one square moved up or down as far as may be, in each channel."""
    count, height, width, channels = x.shape
    side = max(1, min(height, width, round(float(np.sqrt(fraction * height * width)))))
    top, left = (int(draw.integers(0, size - side + 1)) for size in (height, width))
    part = np.s_[:, top : top + side, left : left + side]
    tried = best.copy()
    moved = epsilon * _signs(draw, (count, 1, 1, channels))
    tried[part] = np.clip(x[part] + moved, 0, 1)
    return tried


def _tiles(x: Array, epsilon: float, draw: np.random.Generator) -> Array:
    """Return the start under L2: a grid of bumps, up or down."""
    count, height, width, channels = x.shape
    side = max(1, min(height, width) // TILES)
    change = np.zeros_like(x)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            signs = _signs(draw, (count, 1, 1, channels))
            change[:, top : top + side, left : left + side] = _bump(side, draw) * signs
    return _within(x, change, epsilon)


def _window(x: Array, best: Array, epsilon: float, fraction: float, draw: Any) -> Array:
    """Return the best with a bump added in one window, at the cost of the change in another."""
    count, height, width, channels = x.shape
    side = max(MIN_WINDOW, round(float(np.sqrt(fraction * height * width))))
    side = max(1, min(side + 1 - side % 2, height, width))
    one, two = (_place(height, width, side, draw) for _ in range(2))
    change = best - x
    both = np.zeros((height, width, 1), bool)
    both[one[1:]] = both[two[1:]] = True
    held = (np.where(both, change, 0) ** 2).sum(axis=(1, 2), keepdims=True)
    spare = np.maximum(epsilon**2 - _squares(change), 0) / channels
    bump = _bump(side, draw) * _signs(draw, (count, 1, 1, channels))
    old = change[one] / (np.sqrt((change[one] ** 2).sum(axis=(1, 2), keepdims=True)) + TINY)
    new = bump + old
    new /= np.sqrt((new**2).sum(axis=(1, 2), keepdims=True)) + TINY
    change[two] = 0
    change[one] = new * np.sqrt(held + spare)
    return _within(x, change, epsilon)


def _signs(draw: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return +1 or -1 by chance, float32."""
    return np.asarray(2 * draw.integers(0, 2, shape) - 1, np.float32)


def _place(height: int, width: int, side: int, draw: Any) -> Any:
    top, left = (int(draw.integers(0, size - side + 1)) for size in (height, width))
    return np.s_[:, top : top + side, left : left + side]


def _bump(side: int, draw: np.random.Generator) -> Array:
    """Return two hills (side, side, 1) side by side, one up and one down, of length 1: eta."""
    hills = np.concatenate([_hill(side // 2, side), -_hill(side - side // 2, side)])
    turned = hills.T if draw.integers(2) else hills
    return np.asarray(turned / np.sqrt((turned**2).sum()), np.float32)[..., None]


def _hill(height: int, width: int) -> Array:
    """Return the sum of boxes around the middle, the box of radius k weighted by 1 / (k + 1)^2."""
    rows, columns = (np.abs(np.arange(n) - n // 2) for n in (height, width))
    away = np.maximum(rows[:, None], columns[None, :])
    weights = 1.0 / np.arange(1, max(height, width) // 2 + 2) ** 2
    return np.cumsum(weights[::-1])[::-1][away]


def _squares(change: Array) -> Array:
    return (change**2).sum(axis=(1, 2, 3), keepdims=True)


def _within(x: Array, change: Array, epsilon: float) -> Array:
    """Return x with a change brought to the length of epsilon, then cut to [0, 1]."""
    moved = x + change * (epsilon / (np.sqrt(_squares(change)) + TINY))
    return np.asarray(np.clip(moved, 0, 1), np.float32)
