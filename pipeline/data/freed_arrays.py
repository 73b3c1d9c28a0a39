"""Memory of freed arrays goes back to the system at once."""

import ctypes
import sys

M_MMAP_THRESHOLD = -3  # malloc.h of glibc
ARRAY_BYTES = 1 << 18  # from here on an array has pages of its own


def return_freed_arrays() -> None:
    """Have glibc give freed arrays back at once; it would raise its threshold and keep them.

    Elsewhere nothing changes.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, ARRAY_BYTES)
