"""Figures of an evasion audit: who withstands which attack, with intervals. Pure NumPy."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(successes: int, samples: int) -> list[float]:
    """Return the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share = successes / samples
    spread = 1 + Z95**2 / samples
    middle = (share + Z95**2 / (2 * samples)) / spread
    half = Z95 * np.sqrt(share * (1 - share) / samples + Z95**2 / (4 * samples**2)) / spread
    return [float(max(0.0, middle - half)), float(min(1.0, middle + half))]


def survivors(clean: Array, attacked: list[Array]) -> Array:
    """Return which samples are right clean and under every attack: the worst case of each."""
    return np.logical_and.reduce([clean, *attacked])


def evenly(positions: Array, count: int) -> Array:
    """Return at most `count` of the positions, spread evenly over them."""
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(int)]


def checks(found: dict[str, float], slack: float) -> list[dict[str, Any]]:
    """Return the sanity checks of an attack (Carlini et al. 2019, arXiv:1902.06705, section 5).

    Those whose figures were not measured are left out: words have no epsilon, and where a column
    stays as it is an unbounded attack need not succeed.

    Args:
        found: accuracy of the reference: clean, noise (uniform noise of the same epsilon), robust,
            robust_fewer (a fifth of the steps), robust_twice (twice the epsilon), robust_huge
            (epsilon 1).
        slack: what chance may move a share by.
    """
    robust = found["robust"]
    rows = [_check("noise is weaker than the attack", found["noise"] - robust, -slack, "above")]
    if "robust_fewer" in found:
        gained = robust - found["robust_fewer"]
        rows.append(_check("more steps never help the defender", gained, slack, "below"))
    if "robust_twice" in found:
        gained = found["robust_twice"] - robust
        rows.append(_check("a larger epsilon never helps the defender", gained, slack, "below"))
    if "robust_huge" in found:
        left = found["robust_huge"]
        rows.append(_check("an unbounded attack always succeeds", left, slack, "below"))
    return rows


def _check(name: str, value: float, limit: float, side: str) -> dict[str, Any]:
    passed = value >= limit if side == "above" else value <= limit
    return {"name": name, "value": float(value), "limit": float(limit), "passed": bool(passed)}
