"""Elements chosen by a bool mask of their shape, without jumps; and what dropout multiplies by.

All arrays are contiguous floats of one dtype.
"""

from __future__ import annotations

import functools

import numpy as np

from .functions import like
from .launch import Launch, Task, launch, run_serially
from .maps import BLOCK, span
from .masked import bytes_of

__all__ = ["choose", "fill", "keep", "scale", "scale_rows"]

_TASK = 16384  # elements of a task, about


@Task
def _choose(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y, mask = arrays[0], arrays[1], arrays[2], bytes_of(arrays[3])
    for i in range(start, stop):
        first, second = x[i], y[i]  # loaded both, so that LLVM makes no jump
        out[i] = first if mask[i] else second


@Task
def _fill(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, mask, value = arrays[0], arrays[1], bytes_of(arrays[2]), arrays[3][0]
    filled = numbers[1] != 0  # what the mask is where the number goes
    for i in range(start, stop):
        element = x[i]
        out[i] = value if (mask[i] != 0) == filled else element


@Task
def _scale(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, mask, scale = arrays[0], arrays[1], bytes_of(arrays[2]), arrays[3][0]
    zero = like(0, scale)
    for i in range(start, stop):
        out[i] = x[i] * (scale if mask[i] else zero)


@Task
def _scale_rows(arrays, numbers, task, worker):
    """Numbers: rows, rows of a task, elements of a row."""
    out, x, factors, size = arrays[0], arrays[1], arrays[2], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        factor = factors[r]
        for i in range(r * size, (r + 1) * size):
            out[i] = x[i] * factor


@functools.lru_cache(maxsize=1024)
def _prepared(task: Task, dtype, size: int, *numbers: int) -> Launch:
    """The launch of a task of (result, x, others) for so many elements."""
    return Launch(task, dtype, (size, *numbers), -(-size // BLOCK), size)


def choose(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x where the mask is true, y elsewhere.

    >>> choose(np.array([True, False]), np.array([1.0, 2.0]), np.array([3.0, 4.0])).tolist()
    [1.0, 4.0]
    """
    out, launch = np.empty(x.shape, x.dtype), _prepared(_choose, x.dtype, x.size)
    if launch.little:  # 0.1 microseconds less than a call of it
        arrays = out, x, y, mask
        run_serially(launch.place, id(arrays))
    else:
        launch(out, x, y, mask)
    return out


def fill(x: np.ndarray, mask: np.ndarray, value: float) -> np.ndarray:
    """A number where the mask is true, x elsewhere.

    >>> fill(np.array([1.0, 2.0]), np.array([True, False]), 5.0).tolist()
    [5.0, 2.0]
    """
    return _filled(x, mask, np.array([value], x.dtype), 1)


def keep(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """x where the mask is true, 0 elsewhere.

    >>> keep(np.array([1.0, np.nan]), np.array([True, False])).tolist()
    [1.0, 0.0]
    """
    return _filled(x, mask, np.zeros(1, x.dtype), 0)


def _filled(x: np.ndarray, mask: np.ndarray, value: np.ndarray, where: int) -> np.ndarray:
    """A copy of x with a number where the mask is 1 or 0."""
    out = np.empty(x.shape, x.dtype)
    _prepared(_fill, x.dtype, x.size, where)(out, x, mask, value)
    return out


def scale(x: np.ndarray, mask: np.ndarray, factor: float) -> np.ndarray:
    """``x * mask * factor``.

    >>> scale(np.array([1.0, 2.0]), np.array([True, False]), 3.0).tolist()
    [3.0, 0.0]
    """
    out = np.empty(x.shape, x.dtype)
    _prepared(_scale, x.dtype, x.size)(out, x, mask, np.array([factor], x.dtype))
    return out


def scale_rows(x: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """x, cut into as many rows as there are factors, each row times its factor.

    >>> scale_rows(np.ones((2, 2)), np.array([2.0, 3.0])).tolist()
    [[2.0, 2.0], [3.0, 3.0]]
    """
    out, count = np.empty(x.shape, x.dtype), factors.size
    size = x.size // count
    share = max(1, _TASK // size)
    launch(_scale_rows, (out, x, factors), (count, share, size), -(-count // share), x.size)
    return out
