"""Between real numbers and the integers of a tensor."""

import numpy as np


def quantize(x, detail):
    """Return x in the type of a tensor: round(x / scale) + zero point, clipped; half to even.

    Args:
        x: real numbers, float32.
        detail: of the tensor, as an interpreter describes it: `dtype` and `quantization`.
    """
    dtype, (scale, zero_point) = detail["dtype"], detail["quantization"]
    if scale == 0 or np.issubdtype(dtype, np.floating):
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    steps = x / np.float32(scale)
    np.round(steps, out=steps)
    steps += zero_point
    return np.clip(steps, limits.min, limits.max, out=steps).astype(dtype)


def dequantize(q, detail):
    """Return the real numbers of a tensor's values, float32."""
    scale, zero_point = detail["quantization"]
    if scale == 0 or np.issubdtype(q.dtype, np.floating):
        return q.astype(np.float32)
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
