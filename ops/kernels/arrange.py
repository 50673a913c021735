"""Triangles of matrices, copied row by row; NumPy makes a mask first."""

from __future__ import annotations

import numpy as np

from .jit import jit

__all__ = ["triangles"]


@jit
def _triangle_rows(x, first, last, out):
    """Copy x[m, i, j] for first + i <= j < last + i, zeros elsewhere."""
    columns = x.shape[2]
    for m in range(x.shape[0]):
        for i in range(x.shape[1]):
            row, result = x[m, i], out[m, i]
            start, stop = min(max(first + i, 0), columns), min(max(last + i, 0), columns)
            result[:start] = 0
            result[start:stop] = row[start:stop]
            result[max(start, stop):] = 0


def triangles(x: np.ndarray, diagonal: int, lower: bool) -> np.ndarray:
    """Lower or upper triangles, with the diagonal, of matrices x (..., rows, columns).

    >>> triangles(np.ones((2, 2)), 0, True).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    rows, columns = x.shape[-2:]
    matrices, out = np.ascontiguousarray(x).reshape(-1, rows, columns), np.empty(x.shape, x.dtype)
    first, last = (-rows, diagonal + 1) if lower else (diagonal, rows + columns)
    _triangle_rows(matrices, first, last, out.reshape(-1, rows, columns))
    return out
