"""Remainder and quotient of divisions that round down, in float32, computed in float64.

A float64 holds the product of a quotient below 2^29 and a float32 exactly, so one multiplication and one
subtraction give the exact remainder.  The kernels leave NaN where that does not hold (large quotients,
infinities, zeros) and NumPy's functions, ten times slower, do those elements.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import inlined
from .launch import Task
from .maps import elementwise, span

__all__ = ["floor_divide", "remainder"]

_LARGEST = 2.0**28  # of the quotients whose products are exact
_LARGEST_ROUNDED = 2.0**21  # beyond, NumPy and PyTorch round a quotient on the way, and may miss by one


@inlined
def _parts(x, y, largest):
    """Rounded-down quotient and remainder in float64, and whether they are exact."""
    a, b = np.float64(x), np.float64(y)
    q = math.floor(a / b)
    r = a - q * b
    wrong = r < 0.0 if b > 0.0 else r > 0.0  # a / b was rounded up to an integer
    q, r = (q - 1.0 if wrong else q), (r + b if wrong else r)
    return q, r, (abs(q) < largest) & (abs(b) < np.inf)


@Task
def _remainder(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        q, r, exact = _parts(x[i], y[i], _LARGEST)
        zero = 0.0 if y[i] > np.float32(0) else -0.0
        out[i] = np.float32((zero if r == 0.0 else r) if exact else np.nan)


@Task
def _floor_divide(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        q, r, exact = _parts(x[i], y[i], _LARGEST_ROUNDED)
        out[i] = np.float32(q if exact else np.nan)


def _completed(function, out, x, y):
    """``out`` with the elements that are NaN computed by NumPy."""
    flat = out.reshape(-1)
    if math.isnan(flat.dot(flat)):  # a third of the time of isnan and any
        missing = np.isnan(out)
        out[missing] = function(x[missing], y[missing])
    return out


def remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x - floor(x / y) y of float32 arrays of one shape; the sign is that of y.

    >>> remainder(np.float32([-7.5, 7.5]), np.float32([2, -2])).tolist()
    [0.5, -0.5]
    """
    return _completed(np.remainder, elementwise(_remainder, 30, x, y), x, y)


def floor_divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """floor(x / y) of float32 arrays of one shape.

    >>> floor_divide(np.float32([-7.5, 7.5]), np.float32([2, 2])).tolist()
    [-4.0, 3.0]
    """
    return _completed(np.floor_divide, elementwise(_floor_divide, 30, x, y), x, y)
