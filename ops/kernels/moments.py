"""Norms, variances and standard deviations of rows of small arrays, to the bit what NumPy computes.

NumPy takes a call for each step of the formula, which is most of the time of a thousand elements.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import like
from .launch import Launch, Task, run_serially
from .maps import parameters
from .reduce import in_pairs

__all__ = ["spread"]

_LARGE, _SHORTEST = 8192, 8  # NumPy sums more elements in another order, and shorter rows one by one


@Task
def _spread(arrays, numbers, task, worker):
    """out[r] = sum((x[r] - center) ** 2) / freedom, or its root; the center is the mean of the row or 0."""
    out, x, squares, freedom = arrays[0], arrays[1], arrays[2], arrays[3][0]
    rows, columns, centered, rooted = numbers[0], numbers[1], numbers[2], numbers[3]
    for r in range(rows):
        first, center = r * columns, like(0, freedom)
        if centered:
            center = (center + in_pairs(x, first, columns)) / like(columns, freedom)
        for i in range(first, first + columns):
            deviation = x[i] - center
            squares[i] = deviation * deviation
        result = in_pairs(squares, first, columns) / freedom
        out[r] = math.sqrt(result) if rooted else result


@functools.lru_cache(maxsize=1024)
def _prepared(dtype, shape, dims, keepdim, freedom, centered: bool, rooted: bool) -> tuple | None:
    """The launch, the shape of the result, and the array of ``freedom``."""
    kept = 0 if dims is None else len(shape) - len(dims)
    rows, columns = math.prod(shape[:kept]), math.prod(shape[kept:])
    fits = dims is None or sorted(dims) == list(range(kept, len(shape)))
    if dtype.kind != "f" or not fits or not rows or columns < _SHORTEST or rows * columns >= _LARGE:
        return None
    launch = Launch(_spread, dtype, (rows, columns, centered, rooted), 1, 0)
    ones = (1,) * (len(shape) - kept) if keepdim else ()
    return launch, shape[:kept] + ones, parameters((freedom,), dtype)


def spread(x: np.ndarray, dims: tuple | None, keepdim: bool, freedom: float, centered: bool,
           rooted: bool) -> np.ndarray | None:
    """``sum((x - center) ** 2) / freedom`` over the last dimensions (``dims``, None for all), or its root.

    The center is the mean, or 0 where not ``centered``.  None where it takes NumPy: for many elements, and
    for what are no rows of memory.

    >>> spread(np.arange(8.0), None, False, 7, True, False).tolist()
    6.0
    """
    dtype = x.dtype
    plan = _prepared(dtype, x.shape, dims, keepdim, freedom, centered, rooted)
    if plan is None or not x.flags.c_contiguous:
        return None
    launch, shape, divisor = plan
    arrays = np.empty(shape, dtype), x, np.empty(x.size, dtype), divisor
    run_serially(launch.place, id(arrays))
    return arrays[0]
