"""Whether two networks that should be one output the same numbers."""

import numpy as np

from pipeline.arrays import Array, Model

TOLERANCE = 1e-3  # as a fraction of the largest output: the same sums in another order
HALF_TOLERANCE = 0.03  # where the given network computes in 16 bits, and ours in 32


def tolerance_of(given: Model) -> float:
    """Return the tolerance for a network: wider where a layer computes in 16 bits."""
    halves = (str(getattr(layer, "compute_dtype", "")).endswith("16") for layer in given.layers)
    return HALF_TOLERANCE if any(halves) else TOLERANCE


def largest_difference(wanted: Array, found: Array, tolerance: float = TOLERANCE) -> int | None:
    """Return the flat position where outputs differ most; None: nowhere beyond the tolerance.

    Args:
        wanted: outputs of any shape, float64.
        found: outputs; 0 is returned where they have another shape.
        tolerance: as a fraction of the largest wanted output, or of 1 where that is smaller.
    """
    if wanted.shape != found.shape:
        return 0
    apart = np.abs(wanted - found)
    largest = max(1.0, float(np.abs(wanted).max()))
    if float(apart.max()) <= tolerance * largest:  # never so where one is NaN
        return None
    return int(apart.argmax())
