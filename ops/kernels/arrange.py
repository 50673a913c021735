"""Triangles of matrices, copied row by row, where NumPy makes a mask first; reversed rows; one number."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .launch import Task, launch
from .maps import BLOCK, span

__all__ = ["fill", "reversed_rows", "triangles"]

_TASK = 16384  # elements of a task, about


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


@Task
def _reverse_rows(arrays, numbers, task, worker):
    """Rows backwards; numbers: rows, rows of a task, elements of a row."""
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        first, last = r * size, (r + 1) * size - 1
        for i in range(size):
            out[first + i] = x[last - i]


@Task
def _fill(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, value = arrays[0], arrays[1][0]
    for i in range(start, stop):
        out[i] = value


def fill(out: np.ndarray, value: float) -> None:
    """Write one number to all of a contiguous array of floats.

    >>> fill(out := np.empty((2, 2)), 1.5)
    >>> out.tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """
    launch(_fill, (out, np.array([value], out.dtype)), (out.size,), -(-out.size // BLOCK), out.size)


def reversed_rows(x: np.ndarray) -> np.ndarray:
    """Contiguous floats with every row, along the last dimension, backwards; there is at least one.

    >>> reversed_rows(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 2.0, 1.0]]
    """
    out, size = np.empty(x.shape, x.dtype), x.shape[-1]
    rows, share = x.size // size, max(1, _TASK // size)
    launch(_reverse_rows, (out, x), (rows, share, size), -(-rows // share), x.size * 2)
    return out


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
