"""Elementwise functions of straight pieces (relu, clamp, leaky relu, sign) and the gradients of them.

One loop over a block each (`ops.kernels.maps`); NumPy needs several passes, or branches.  The functions
named ``*_slope`` are gradients: they take the cotangent ``g`` first.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import like
from .launch import Task
from .maps import elementwise, span

__all__ = ["between_slope", "clip", "inside_slope", "leaky", "leaky_slope", "lerp", "relu_slope",
           "sign"]


@Task
def _clip(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, low, high = arrays[0], arrays[1], arrays[2][0], arrays[2][1]
    for i in range(start, stop):
        value = low if (x[i] < low) | (low != low) else x[i]
        out[i] = high if (value > high) | (high != high) else value


@Task
def _leaky(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, slope = arrays[0], arrays[1], arrays[2][0]
    for i in range(start, stop):
        out[i] = x[i] if x[i] > like(0, slope) else x[i] * slope


@Task
def _sign(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        zero, one = like(0, x[i]), like(1, x[i])
        out[i] = (one if x[i] > zero else zero) - (one if x[i] < zero else zero)


@Task
def _lerp(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, end, weight = arrays[0], arrays[1], arrays[2], arrays[3][0]
    rest = like(1, weight) - weight
    if abs(weight) < like(0.5, weight):
        for i in range(start, stop):
            out[i] = x[i] + weight * (end[i] - x[i])
    else:  # from the nearer side, so that a weight of 1 gives the end exactly
        for i in range(start, stop):
            out[i] = end[i] - rest * (end[i] - x[i])


@Task
def _relu_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, ans = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        out[i] = like(0, g[i]) if ans[i] <= like(0, g[i]) else g[i]


@Task
def _between_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, x, low, high = arrays[0], arrays[1], arrays[2], arrays[3][0], arrays[3][1]
    for i in range(start, stop):
        out[i] = like(0, low) if (x[i] <= low) | (x[i] >= high) else g[i]


@Task
def _inside_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, x, low, high = arrays[0], arrays[1], arrays[2], arrays[3][0], arrays[3][1]
    for i in range(start, stop):
        out[i] = g[i] if (low <= x[i]) & (x[i] <= high) else like(0, low)


@Task
def _leaky_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, x, slope = arrays[0], arrays[1], arrays[2], arrays[3][0]
    for i in range(start, stop):
        out[i] = g[i] if x[i] > like(0, slope) else g[i] * slope


def clip(x: np.ndarray, low: float = -math.inf, high: float = math.inf) -> np.ndarray:
    """Every element held between two bounds, the upper one first in rank.

    NaN stays, and a bound that is NaN makes all NaN.

    >>> clip(np.array([-2.0, 0.5, np.nan]), 0).tolist(), clip(np.array([0.5]), math.nan).tolist()
    ([0.0, 0.5, nan], [nan])
    """
    return elementwise(_clip, 8, x, None, (low, high))


def leaky(x: np.ndarray, slope: float) -> np.ndarray:
    """x above 0, slope x elsewhere.

    >>> leaky(np.array([-2.0, 0.5]), 0.5).tolist()
    [-1.0, 0.5]
    """
    return elementwise(_leaky, 8, x, None, (slope,))


def sign(x: np.ndarray) -> np.ndarray:
    """-1, 0 or 1; 0 for NaN.

    >>> sign(np.array([-2.0, 0.0, 0.5])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return elementwise(_sign, 8, x)


def lerp(x: np.ndarray, end: np.ndarray, weight: float) -> np.ndarray:
    """x + weight (end - x).

    >>> lerp(np.array([1.0]), np.array([3.0]), 0.25).tolist()
    [1.5]
    """
    return elementwise(_lerp, 10, x, end, (weight,))


def relu_slope(g: np.ndarray, ans: np.ndarray) -> np.ndarray:
    """Gradient of relu from its result: 0 where that is 0.

    >>> relu_slope(np.array([5.0, 5.0]), np.array([0.0, 2.0])).tolist()
    [0.0, 5.0]
    """
    return elementwise(_relu_slope, 10, g, ans)


def between_slope(g: np.ndarray, x: np.ndarray, low: float, high: float) -> np.ndarray:
    """``g`` where low < x < high or x is NaN, else 0.

    >>> between_slope(np.array([5.0, 5.0]), np.array([0.0, 1.0]), 0, 2).tolist()
    [0.0, 5.0]
    """
    return elementwise(_between_slope, 10, g, x, (low, high))


def inside_slope(g: np.ndarray, x: np.ndarray, low: float, high: float) -> np.ndarray:
    """``g`` where low <= x <= high, else 0.

    >>> inside_slope(np.array([5.0, 5.0]), np.array([0.0, 3.0]), 0, 2).tolist()
    [5.0, 0.0]
    """
    return elementwise(_inside_slope, 10, g, x, (low, high))


def leaky_slope(g: np.ndarray, x: np.ndarray, slope: float) -> np.ndarray:
    """Gradient of `leaky`: g above 0, slope g elsewhere.

    >>> leaky_slope(np.array([5.0, 5.0]), np.array([-1.0, 1.0]), 0.2).tolist()
    [1.0, 5.0]
    """
    return elementwise(_leaky_slope, 10, g, x, (slope,))
