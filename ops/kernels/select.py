"""The k largest or smallest elements of every row, in one pass: a short list that is kept in order."""

from __future__ import annotations

import numpy as np

from .jit import jit

__all__ = ["largest"]


@jit
def _largest_rows(x, sign, values, indices):
    """Keep the best k so far in ``values``; ``sign`` -1 selects the smallest.

    Elements that tie stay in the order of their indices.  NaN is above all numbers.
    """
    k = values.shape[1]
    for r in range(x.shape[0]):
        row, best, places = x[r], values[r], indices[r]
        count, worst = 0, row[0]
        for i in range(row.size):
            value = row[i]
            if count == k and value * sign <= worst * sign:  # nearly always; false for NaN
                continue
            if count == k and not _precedes(value, worst, sign):
                continue
            place = count if count < k else k - 1
            while place > 0 and _precedes(value, best[place - 1], sign):
                best[place], places[place] = best[place - 1], places[place - 1]
                place -= 1
            best[place], places[place] = value, i
            count = min(count + 1, k)
            worst = best[count - 1]


@jit
def _precedes(value, other, sign):
    """Whether ``value`` ranks before ``other``, which came first."""
    if value != value:
        return sign > 0 and other == other
    if other != other:
        return sign < 0
    return value * sign > other * sign


def largest(x: np.ndarray, k: int, reverse: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The k largest elements of the rows of x (rows, n), best first, and their indices (rows, k).

    ``reverse`` takes the smallest.  0 < k <= n; the cost grows with k.

    >>> [part.tolist() for part in largest(np.array([[2.0, 3.0, 1.0]]), 2)]
    [[[3.0, 2.0]], [[1, 0]]]
    """
    values, indices = np.empty((len(x), k), x.dtype), np.empty((len(x), k), np.int64)
    _largest_rows(x, x.dtype.type(-1 if reverse else 1), values, indices)
    return values, indices
