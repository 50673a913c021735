"""Copies in another arrangement: triangles of matrices, rows backwards, every element repeated, one number.

An array's launch is prepared once for its shape: most of the time of a small one would go into that.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .cpu import VECTOR_BYTES
from .launch import Launch, Task, address_of, launch, run_serially
from .maps import BLOCK, span
from .simd import pointer_shift

__all__ = ["fill", "repeated", "reversed_rows", "triangles"]

_TASK = 16384  # elements of a task, about


@Task
def _triangle_rows(arrays, numbers, task, worker):
    """Rows (i, j) with first + i <= j < last + i, zeros elsewhere.

    Numbers: rows of all matrices, rows of a task, rows of a matrix, columns, first, last.
    """
    height, columns, first, last = numbers[2], numbers[3], numbers[4], numbers[5]
    i = task * numbers[1] % height - 1
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        i = i + 1 if i + 1 < height else 0
        out, x = pointer_shift(arrays[0], r * columns), pointer_shift(arrays[1], r * columns)
        start, stop = min(max(first + i, 0), columns), min(max(last + i, 0), columns)
        for j in range(start):
            out[j] = 0
        for j in range(start, stop):
            out[j] = x[j]
        for j in range(max(start, stop), columns):
            out[j] = 0


@Task
def _reverse_rows(arrays, numbers, task, worker):
    """Rows backwards; numbers: rows, rows of a task, elements of a row."""
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        first, last = r * size, (r + 1) * size - 1
        for i in range(size):
            out[first + i] = x[last - i]


@Task
def _repeat(arrays, numbers, task, worker):
    """Each element so many times; numbers: elements, elements of a task, repeats."""
    repeats = numbers[2]
    for i in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        out, value = pointer_shift(arrays[0], i * repeats), arrays[1][i]
        for j in range(repeats):
            out[j] = value


@Task
def _fill(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, value = arrays[0], arrays[1][0]
    line = min(start + numbers[1], stop)
    for i in range(start, line):
        out[i] = value
    for i in range(line, stop):  # vectors that lie on two cache lines take 78 in place of 45 us a million
        out[i] = value


def fill(out: np.ndarray, value: float) -> None:
    """Write one number to all of a contiguous array of floats.

    >>> fill(out := np.empty((2, 2)), 1.5)
    >>> out.tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """
    before_line = -address_of(out) % VECTOR_BYTES // out.itemsize
    launch(_fill, (out, np.array([value], out.dtype)), (out.size, before_line), -(-out.size // BLOCK),
           out.size)


@functools.lru_cache(maxsize=1024)
def _prepared_rows(shape: tuple, dtype) -> Launch:
    """The launch of `reversed_rows`."""
    size = shape[-1]
    rows, share = math.prod(shape[:-1]), max(1, _TASK // size)
    return Launch(_reverse_rows, dtype, (rows, share, size), -(-rows // share), 2 * rows * size)


def reversed_rows(x: np.ndarray) -> np.ndarray:
    """Contiguous floats with every row, along the last dimension, backwards; there is at least one.

    >>> reversed_rows(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 2.0, 1.0]]
    """
    out = np.empty(x.shape, x.dtype)
    _prepared_rows(x.shape, x.dtype)(out, x)
    return out


@functools.lru_cache(maxsize=1024)
def _prepared_triangles(shape: tuple, dtype, diagonal: int, lower: bool) -> Launch:
    """The launch of `triangles`."""
    height, columns = shape[-2:]
    rows, share = math.prod(shape[:-1]), max(1, _TASK // columns)
    diagonal = max(-height, min(diagonal, columns))  # farther out is as far
    first, last = (-height, diagonal + 1) if lower else (diagonal, height + columns)
    return Launch(_triangle_rows, dtype, (rows, share, height, columns, first, last), -(-rows // share),
                  2 * rows * columns)


def triangles(x: np.ndarray, diagonal: int, lower: bool) -> np.ndarray:
    """Lower or upper triangles, with the diagonal, of matrices of floats x (..., rows, columns), not empty.

    >>> triangles(np.ones((2, 2)), 0, True).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    arrays = np.empty(x.shape, x.dtype), x if x.flags.c_contiguous else np.ascontiguousarray(x)
    run = _prepared_triangles(x.shape, x.dtype, diagonal, lower)
    if run.little:  # 0.1 of 1.2 microseconds less than a call of it
        run_serially(run.place, id(arrays))
    else:
        run(*arrays)
    return arrays[0]


@functools.lru_cache(maxsize=1024)
def _prepared_repeats(shape: tuple, dtype, repeats: int) -> Launch:
    """The launch of `repeated`."""
    size = math.prod(shape)
    share = max(1, _TASK // repeats)
    return Launch(_repeat, dtype, (size, share, repeats), -(-size // share), size * repeats)


def repeated(x: np.ndarray, repeats: int) -> np.ndarray:
    """Contiguous floats, each element ``repeats`` times along the last dimension; neither is empty.

    >>> repeated(np.array([[1.0, 2.0]]), 3).tolist()
    [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]
    """
    out = np.empty((*x.shape[:-1], x.shape[-1] * repeats), x.dtype)
    _prepared_repeats(x.shape, x.dtype, repeats)(out, x)
    return out
