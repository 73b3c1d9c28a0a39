"""Which pixels an answer rests on: integrated gradients. NumPy around a function of gradients.

Sundararajan et al. 2017 (arXiv:1703.01365), equation 1, from black, of the lead of the answered
class over the next: what an attack takes away.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.ascent import Gradient

STEPS = 32  # of the path; the sum then misses the change of the answer by a few per cent at most


def integrated_gradients(gradient: Gradient, x: Array, answered: Array) -> Array:
    """Return how much each value of x speaks for the class that was answered, of the shape of x.

    Args:
        gradient: `WhiteBox.gradient`.
        x: (n, *shape) float32; black is 0.
        answered: class ids (n,).
    """
    total = np.zeros(x.shape, np.float64)
    for place in range(STEPS):
        part = np.asarray(x * ((place + 0.5) / STEPS), np.float32)
        total -= gradient(part, answered, "margin")[2]
    return np.asarray(x * total / STEPS, np.float32)
