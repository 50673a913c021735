"""Memory that is freed stays with the process, so that the next training step finds it mapped.

A step allocates and frees arrays of the same sizes again and again.  glibc gives freed memory back to the
system above a small limit, and every fresh page then costs a fault: a step of a CNN for 28x28 images (batch
64) took 42 ms with the usual limits and 30 ms with these, on one core.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt's parameters in malloc.h
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc not to return freed memory; whether it took effect.

    Nothing happens with another C library, or with ``TINYGRAD_HW_KEEP_MEMORY=0`` in the environment.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if os.environ.get("TINYGRAD_HW_KEEP_MEMORY", "1") == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_TRIM_THRESHOLD, _LARGEST_INT), (_MMAP_MAX, 0))  # no allocation by mmap of its own
    return all(mallopt(parameter, value) for parameter, value in settings)
