"""Where a mask is true: the indices, written in one pass without jumps."""

from __future__ import annotations

import numpy as np

from .jit import jit

__all__ = ["places"]


@jit
def _fill(mask, out):
    """Row by row: each place is written where the next true one belongs, which it is or will overwrite it.

    ``out`` has one row more than the mask true elements, for the places behind the last.
    """
    count = 0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            out[count, 0] = i
            out[count, -1] = j
            count += mask[i, j]


def places(mask: np.ndarray) -> np.ndarray:
    """Indices of the true elements of a contiguous mask of one or two dimensions, in row-major order.

    >>> places(np.array([[True, False], [False, True]])).tolist()
    [[0, 0], [1, 1]]
    """
    out = np.empty((np.count_nonzero(mask) + 1, mask.ndim), np.int64)
    _fill(np.atleast_2d(mask), out)
    return out[:-1]
