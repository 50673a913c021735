"""Losses of a difference in one pass: squared, absolute and Huber errors summed, and their gradients.

NumPy would write the difference, its square and so on to memory first.  A block is summed in SIMD lanes
in the arrays' dtype, the blocks in float64; how they are cut depends on the size alone.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import inlined, like
from .jit import jit
from .launch import Task, launch
from .maps import elementwise, span

__all__ = ["absolute_slope", "absolute_sum", "huber_slope", "huber_sum", "sum_of", "summed"]

_SUMS = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinity keep their meaning
_BLOCK, _TASK = 512, 16384  # elements of a sum in the arrays' dtype, and of a task


def sum_of(term) -> Task:
    """The task that sums ``term(x[i], y[i])``; see `summed`."""

    @jit(fastmath=_SUMS)
    def block_sum(x, y, first, last):
        total = like(0, x[first])
        for i in range(first, last):
            total += term(x[i], y[i])
        return total

    @Task
    def sum_terms(arrays, numbers, task, worker):
        out, x, y, total = arrays[0], arrays[1], arrays[2], 0.0
        stop = min(numbers[0], (task + 1) * _TASK)
        for first in range(task * _TASK, stop, _BLOCK):
            total += block_sum(x, y, first, min(first + _BLOCK, stop))
        out[task] = like(total, x[0])

    return sum_terms


@inlined
def _distance(x, y):
    return abs(x - y)


_absolute = sum_of(_distance)


@jit(fastmath=_SUMS)
def _huber_block(x, y, first, last, delta):
    total = like(0, delta)
    for i in range(first, last):
        size = abs(x[i] - y[i])
        near = delta if size > delta else size
        total += near * (size - like(0.5, delta) * near)
    return total


@Task
def _huber(arrays, numbers, task, worker):
    out, x, y, delta, total = arrays[0], arrays[1], arrays[2], arrays[3][0], 0.0
    stop = min(numbers[0], (task + 1) * _TASK)
    for first in range(task * _TASK, stop, _BLOCK):
        total += _huber_block(x, y, first, min(first + _BLOCK, stop), delta)
    out[task] = like(total, x[0])


@Task
def _absolute_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y, factor, zero = arrays[0], arrays[1], arrays[2], arrays[3][0], like(0, arrays[3][0])
    for i in range(start, stop):
        out[i] = (factor if x[i] > y[i] else zero) - (factor if x[i] < y[i] else zero)


@Task
def _huber_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y, factor, delta = arrays[0], arrays[1], arrays[2], arrays[3][0], arrays[3][1]
    for i in range(start, stop):
        d = x[i] - y[i]
        d = -delta if d < -delta else d
        out[i] = factor * (delta if d > delta else d)


def summed(task: Task, cost: int, x: np.ndarray, y: np.ndarray, *more: np.ndarray) -> float:
    """The sum that the tasks of a loss of ``x`` and ``y`` leave, one part each.

    Arguments:
        cost: time for an element, in the multiplications that `launch` counts.
    """
    parts = np.empty(-(-x.size // _TASK), x.dtype)
    launch(task, (parts, np.ascontiguousarray(x), np.ascontiguousarray(y), *more), (x.size,), parts.size,
           x.size * cost)
    try:
        return math.fsum(parts.tolist())
    except (OverflowError, ValueError):  # infinities of both signs
        return float(np.add.reduce(parts))


def absolute_sum(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of abs(x - y) for arrays of one shape and float dtype, not empty.

    >>> absolute_sum(np.array([3.0, 1.0]), np.array([1.0, 2.0]))
    3.0
    """
    return summed(_absolute, 4, x, y)


def huber_sum(x: np.ndarray, y: np.ndarray, delta: float) -> float:
    """Sum of ``near * (d - near / 2)`` with d = abs(x - y) and near = min(d, delta), which may be infinite.

    >>> huber_sum(np.array([3.0, 1.0]), np.array([0.0, 2.0]), 1.0)
    3.0
    """
    return summed(_huber, 4, x, y, np.array([delta], x.dtype))


def absolute_slope(x: np.ndarray, y: np.ndarray, factor: float) -> np.ndarray:
    """``factor * sign(x - y)``, 0 where they are equal or NaN.

    >>> absolute_slope(np.array([3.0, 1.0]), np.array([1.0, 2.0]), 0.5).tolist()
    [0.5, -0.5]
    """
    return elementwise(_absolute_slope, 10, x, y, numbers=(factor,))


def huber_slope(x: np.ndarray, y: np.ndarray, factor: float, delta: float) -> np.ndarray:
    """``factor * (x - y)``, the difference held between -delta and delta.

    >>> huber_slope(np.array([3.0, 1.0]), np.array([0.0, 2.0]), 2.0, 1.0).tolist()
    [2.0, -2.0]
    """
    return elementwise(_huber_slope, 10, x, y, numbers=(factor, delta))
