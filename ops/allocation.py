"""Memory that is freed stays with the process, so that the next training step finds it mapped.

A step allocates and frees arrays of the same sizes again and again.  glibc gives freed memory back to the
system above a small limit, and every fresh page then costs a fault: a step of a CNN for 28x28 images (batch
64) took 42 ms with the usual limits and 30 ms with these, on one core.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt's parameters in malloc.h
_LARGEST_INT, _LARGEST_HEAP_CHUNK = 2**31 - 1, 32 * 2**20


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
    settings = ((_TRIM_THRESHOLD, _LARGEST_INT), (_MMAP_THRESHOLD, _LARGEST_HEAP_CHUNK))
    return all(mallopt(parameter, value) for parameter, value in settings)
