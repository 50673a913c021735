"""Sums and products of contiguous rows: one task sums many short rows, or a block of one long row.

A block is summed in SIMD lanes in the array's dtype, the blocks in float64.  How a row is cut depends on
its length alone: results are the same bits for any number of threads.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import like
from .jit import jit
from .launch import Task, launch
from .simd import pointer_shift

__all__ = ["column_sum", "cumulative_sum", "product", "product_slope", "square_sum", "sum"]

_SUMS = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinity keep their meaning
_BLOCK = 512  # elements of a sum in the array's dtype
_TASK = 16384  # elements of a task, about
_COLUMNS = 2048  # columns of a task: their sums stay in the first-level cache


@jit(fastmath=_SUMS)
def _block_sum(x, start, stop):
    total = like(0, x[start])
    for i in range(start, stop):
        total += x[i]
    return total


@jit(fastmath=_SUMS)
def _block_squares(x, start, stop):
    total = like(0, x[start])
    for i in range(start, stop):
        total += x[i] * x[i]
    return total


@jit(fastmath=_SUMS)
def _block_product(x, start, stop):
    total = like(1, x[start])
    for i in range(start, stop):
        total *= x[i]
    return total


# Tasks of (out, x): numbers are the rows, the rows of a task, the size of a row and that of x.


@Task
def _sum(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 0.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total += _block_sum(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@Task
def _square_sum(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 0.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total += _block_squares(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@Task
def _product(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 1.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total *= _block_product(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@Task
def _column_sum(arrays, numbers, task, worker):
    """Sums of a block of columns, four rows at a time; numbers: rows, columns, columns of a task."""
    out, x, rows, columns = arrays[0], arrays[1], numbers[0], numbers[1]
    first, last = task * numbers[2], min(columns, (task + 1) * numbers[2])
    for i in range(first, last):
        out[i] = like(0, x[0])
    whole = rows - rows % 4
    for r in range(0, whole, 4):
        a = pointer_shift(x, r * columns)
        b, c, d = pointer_shift(a, columns), pointer_shift(a, 2 * columns), pointer_shift(a, 3 * columns)
        for i in range(first, last):
            out[i] = (((out[i] + a[i]) + b[i]) + c[i]) + d[i]
    for r in range(whole, rows):
        for i in range(first, last):
            out[i] += x[r * columns + i]


def _rows(task: Task, combine, x: np.ndarray) -> np.ndarray:
    """Reduce the rows of x (rows, size); a long one in pieces, which ``combine`` puts together."""
    rows, size = x.shape
    if size >= 2 * _TASK and rows > 1:
        return np.concatenate([_rows(task, combine, row[None]) for row in x])
    pieces = size >= 2 * _TASK
    if pieces:
        rows, size = -(-size // _TASK), _TASK
    out, share = np.empty(rows, x.dtype), max(1, _TASK // size)
    launch(task, (out, x), (rows, share, size, x.size), -(-rows // share), x.size * 2)
    return np.array([combine(out.tolist())], x.dtype) if pieces else out


def sum(x: np.ndarray) -> np.ndarray:
    """Sums of the rows of x (rows, size), contiguous, size > 0.

    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [3.0, 7.0]
    """
    return _rows(_sum, math.fsum, x)


def column_sum(x: np.ndarray) -> np.ndarray:
    """Sums of the columns of x (rows, columns), contiguous, one row after the other as NumPy adds them.

    >>> column_sum(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [4.0, 6.0]
    """
    rows, columns = x.shape
    out = np.empty(columns, x.dtype)
    launch(_column_sum, (out, x), (rows, columns, _COLUMNS), -(-columns // _COLUMNS), x.size * 2)
    return out


def square_sum(x: np.ndarray) -> np.ndarray:
    """Sums of the squares of the rows of x (rows, size), contiguous, size > 0.

    >>> square_sum(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [5.0, 25.0]
    """
    return _rows(_square_sum, math.fsum, x)


def product(x: np.ndarray) -> np.ndarray:
    """Products of the rows of x (rows, size), contiguous, size > 0.

    >>> product(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [2.0, 12.0]
    """
    return _rows(_product, math.prod, x)


@jit
def _product_slope_rows(x, g, out):
    """out[r, i] = g[r] times the product of the other elements of row r.

    The quotient of the whole product serves where nothing over- or underflows; else the products of the
    elements before and after, so that zeros need no care.
    """
    limit = x.dtype.type(1e-20)
    for r in range(x.shape[0]):
        row, result = x[r], out[r]
        whole = x.dtype.type(1)
        for i in range(row.size):
            whole *= row[i]
        if limit < abs(whole) < 1 / limit:
            scaled = whole * g[r]
            for i in range(row.size):
                result[i] = scaled / row[i]
        else:
            before = x.dtype.type(1)
            for i in range(row.size):
                result[i] = before
                before *= row[i]
            after = g[r]
            for i in range(row.size - 1, -1, -1):
                result[i] *= after
                after *= row[i]


def product_slope(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient of `product` by x (rows, size) from a cotangent (rows,).

    >>> product_slope(np.array([[2.0, 0.0, 3.0]]), np.array([1.0])).tolist()
    [[0.0, 6.0, 0.0]]
    """
    out = np.empty_like(x)
    _product_slope_rows(x, np.ascontiguousarray(g), out)
    return out


@jit
def _cumulative_sum_rows(x, out):
    """Four rows at a time: one running sum waits for its last addition, four keep the adder busy."""
    rows, size = x.shape
    for r in range(0, rows - 3, 4):
        a, b, c, d = x[r], x[r + 1], x[r + 2], x[r + 3]
        p, q, s, t = out[r], out[r + 1], out[r + 2], out[r + 3]
        sum_a = sum_b = sum_c = sum_d = 0.0
        for i in range(size):
            sum_a += a[i]
            sum_b += b[i]
            sum_c += c[i]
            sum_d += d[i]
            p[i], q[i], s[i], t[i] = sum_a, sum_b, sum_c, sum_d
    for r in range(rows - rows % 4, rows):
        total = 0.0
        for i in range(size):
            total += x[r, i]
            out[r, i] = total


def cumulative_sum(x: np.ndarray) -> np.ndarray:
    """Running sums along the rows of x (rows, size), kept in float64.

    >>> cumulative_sum(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, 3.0, 6.0]]
    """
    out = np.empty(x.shape, x.dtype)
    _cumulative_sum_rows(x, out)
    return out
