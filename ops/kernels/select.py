"""The largest or smallest elements of every row: one, or a short list that is kept in order in one pass."""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import like
from .jit import part
from .launch import Launch, Task, run_serially
from .masked import integers_of
from .reduce import largest_of_row
from .simd import pointer_shift

__all__ = ["extreme", "largest"]

_TASK = 16384  # elements of a task, about


@part
def _precedes(value, other, sign):
    """Whether ``value`` ranks before ``other``, which came first."""
    if value != value:
        return sign > 0 and other == other
    if other != other:
        return sign < 0
    return value * sign > other * sign


@Task
def _largest_rows(arrays, numbers, task, worker):
    """Keep the best k so far in ``values``; ``sign`` -1 selects the smallest.

    Elements that tie stay in the order of their indices.  NaN is above all numbers.
    """
    values, indices, x = arrays[0], integers_of(arrays[1]), arrays[2]
    rows, columns, k, sign = numbers[0], numbers[1], numbers[2], like(numbers[3], x[0])
    for r in range(rows):
        row, best = pointer_shift(x, r * columns), pointer_shift(values, r * k)
        places = pointer_shift(indices, r * k)
        count, worst = 0, row[0]
        for i in range(columns):
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


@functools.lru_cache(maxsize=1024)
def _prepared(dtype, shape: tuple, k: int, reverse: bool) -> tuple[Launch, tuple]:
    """The launch for x of this shape, and the shape of the results."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    return Launch(_largest_rows, dtype, (rows, columns, k, -1 if reverse else 1), 1, 0), (*shape[:-1], k)


def largest(x: np.ndarray, k: int, reverse: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The k largest elements along the last axis of x (..., n), best first, and their indices (..., k).

    ``reverse`` takes the smallest.  0 < k <= n; the cost grows with k.

    >>> [part.tolist() for part in largest(np.array([[2.0, 3.0, 1.0]]), 2)]
    [[[3.0, 2.0]], [[1, 0]]]
    """
    dtype = x.dtype
    launch, shape = _prepared(dtype, x.shape, k, reverse)
    values, indices = np.empty(shape, dtype), np.empty(shape, np.int64)
    arrays = values, indices, np.ascontiguousarray(x)
    run_serially(launch.place, id(arrays))
    return values, indices


@Task
def _extreme_rows(arrays, numbers, task, worker):
    """The largest of the elements of a row times ``sign``, the first of equal ones or the first NaN."""
    values, indices, x = arrays[0], integers_of(arrays[1]), arrays[2]
    rows, share, columns, sign = numbers[0], numbers[1], numbers[2], like(numbers[3], x[0])
    for r in range(task * share, min(rows, (task + 1) * share)):
        row, place = pointer_shift(x, r * columns), 0
        best = largest_of_row(row, 0, columns, sign)
        if best == best:
            while sign * row[place] != best:
                place += 1
        else:
            while row[place] == row[place]:
                place += 1
        values[r], indices[r] = row[place], place


@functools.lru_cache(maxsize=1024)
def _prepared_extreme(dtype, shape: tuple, keepdim: bool, sign: int) -> tuple[Launch, tuple]:
    """The launch for x of this shape, and the shape of the results."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    share = max(1, _TASK // columns)
    launch = Launch(_extreme_rows, dtype, (rows, share, columns, sign), -(-rows // share), 4 * rows * columns)
    return launch, shape[:-1] + (1,) * keepdim


def extreme(x: np.ndarray, keepdim: bool, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest elements along the last axis, not empty, of contiguous x, and their indices.

    ``sign`` -1 takes the smallest.  The first NaN of a row is chosen before all numbers.

    >>> [part.tolist() for part in extreme(np.array([[2.0, 3.0, 1.0]]), False, 1)]
    [[3.0], [1]]
    """
    dtype = x.dtype
    launch, shape = _prepared_extreme(dtype, x.shape, keepdim, sign)
    values, indices = np.empty(shape, dtype), np.empty(shape, np.int64)
    launch.run((values, indices, x))
    return values, indices
