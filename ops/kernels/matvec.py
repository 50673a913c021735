"""Products with vectors: dot products, matrix times vector, and the outer product.

They read or write every element of a matrix once, so memory decides; the packing of `ops.kernels.gemm`
would only cost.  Sums of up to 512 products are formed in the dtype of the arrays, the sums of those in
float64; how a sum is cut depends on its length alone.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import like
from .jit import jit
from .launch import Launch, Task, launch

__all__ = ["dot", "outer", "times_vector"]

_SUMS = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinity keep their meaning
_BLOCK = 512  # products of a sum in the arrays' dtype
_TASK = 16384  # elements of a task, about
_COLUMNS = 2048  # columns of a task: their sums stay in the first-level cache


@jit(fastmath=_SUMS)
def _block_dot(x, y, first, second, count):
    """Sum of count products of x from ``first`` and y from ``second`` on."""
    total = like(0, x[first])
    for i in range(count):
        total += x[first + i] * y[second + i]
    return total


@jit
def _long_dot(x, y, first, second, count):
    total = 0.0
    for start in range(0, count, _BLOCK):
        total += _block_dot(x, y, first + start, second + start, min(_BLOCK, count - start))
    return total


@Task
def _dots(arrays, numbers, task, worker):
    """One piece of a long dot product; numbers: the size."""
    out, x, y, first = arrays[0], arrays[1], arrays[2], task * _TASK
    out[task] = like(_long_dot(x, y, first, first, min(_TASK, numbers[0] - first)), x[0])


@Task
def _rows(arrays, numbers, task, worker):
    """Rows of a matrix times a vector; numbers: rows, rows of a task, columns, elements between rows."""
    out, matrix, vector = arrays[0], arrays[1], arrays[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        out[r] = like(_long_dot(matrix, vector, r * numbers[3], 0, numbers[2]), vector[0])


@Task
def _columns(arrays, numbers, task, worker):
    """The same for a matrix stored column by column; numbers: rows, columns, elements between columns."""
    out, matrix, vector = arrays[0], arrays[1], arrays[2]
    first, last, step = task * _COLUMNS, min(numbers[0], (task + 1) * _COLUMNS), numbers[2]
    for i in range(first, last):
        out[i] = like(0, vector[0])
    whole = numbers[1] - numbers[1] % 4
    for k in range(0, whole, 4):
        a, b, c, d = vector[k], vector[k + 1], vector[k + 2], vector[k + 3]
        for i in range(first, last):
            j = k * step + i
            out[i] += (a * matrix[j] + b * matrix[j + step]) + (
                c * matrix[j + 2 * step] + d * matrix[j + 3 * step])
    for k in range(whole, numbers[1]):
        for i in range(first, last):
            out[i] += vector[k] * matrix[k * step + i]


@Task
def _outer(arrays, numbers, task, worker):
    """Rows of an outer product; numbers: rows, rows of a task, columns."""
    out, x, y, columns = arrays[0], arrays[1], arrays[2], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        for i in range(columns):
            out[r * columns + i] = x[r] * y[i]


def dot(x: np.ndarray, y: np.ndarray):
    """Dot product of two vectors of one length > 0 and dtype, float32 or float64.

    >>> float(dot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    11.0
    """
    shape, run = _dot(x.dtype, x.size)
    out, x, y = np.empty(shape, x.dtype), np.ascontiguousarray(x), np.ascontiguousarray(y)
    run(out, x, y)
    return out if not shape else np.array(math.fsum(out.tolist()), x.dtype)


@functools.lru_cache(maxsize=1024)
def _dot(dtype, size: int) -> tuple[tuple[int, ...], Launch]:
    """The shape of the sums of the pieces, () of a single one, and the launch that forms them."""
    pieces = -(-size // _TASK)
    return () if pieces == 1 else (pieces,), Launch(_dots, dtype, (size,), pieces, size * 2)


def times_vector(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Matrix (M, K) times vector (K,), both of one float dtype, M and K > 0.

    Rows that are contiguous in memory, and columns that are, are read in place.

    >>> times_vector(np.eye(2), np.array([3.0, 4.0])).tolist()
    [3.0, 4.0]
    """
    run = _product(matrix.dtype, matrix.shape, matrix.strides)
    if run is None:
        matrix, size = np.ascontiguousarray(matrix), matrix.itemsize
        run = _product(matrix.dtype, matrix.shape, (matrix.shape[1] * size, size))
    out = np.empty(len(matrix), matrix.dtype)
    run(out, matrix, np.ascontiguousarray(vector))
    return out


@functools.lru_cache(maxsize=1024)
def _product(dtype, shape: tuple[int, int], strides: tuple[int, int]) -> Launch | None:
    """The launch for such a matrix; None if it cannot be read in place."""
    (rows, columns), size = shape, dtype.itemsize
    if strides[0] == size and strides[1] >= rows * size:
        numbers = rows, columns, strides[1] // size
        return Launch(_columns, dtype, numbers, -(-rows // _COLUMNS), rows * columns * 2)
    if strides[1] != size or strides[0] < columns * size:
        return None
    share = max(1, _TASK // columns)
    numbers = rows, share, columns, strides[0] // size
    return Launch(_rows, dtype, numbers, -(-rows // share), rows * columns * 2)


def outer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All products of the elements of two vectors of one float dtype, neither empty.

    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0])).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    out, share = np.empty((x.size, y.size), x.dtype), max(1, _TASK // y.size)
    launch(_outer, (out, x, y), (x.size, share, y.size), -(-x.size // share), out.size * 2)
    return out
