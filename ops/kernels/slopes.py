"""Gradients of the smooth activation functions, one pass over memory each (`ops.kernels.maps`).

``g`` is the cotangent, ``x`` the input and ``ans`` the output of the function.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import exp, exp_of_small, inlined, like, log1p_unit, normal
from .functions import normal_sigmoid as sigmoid_scalar
from .functions import tanh as tanh_scalar
from .launch import Task
from .maps import elementwise, span

__all__ = ["bend", "gelu", "logsigmoid", "mish", "sigmoid", "silu", "softplus", "tanh"]


@Task
def _sigmoid(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, ans = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        out[i] = g[i] * (ans[i] * (like(1, ans[i]) - ans[i]))


@Task
def _tanh(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, ans = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        out[i] = g[i] * (like(1, ans[i]) - ans[i] * ans[i])


@Task
def _silu(arrays, numbers, task, worker):
    """s (1 + x (1 - s)) with s = sigmoid(x)."""
    start, stop = span(numbers, task)
    out, g, x = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        s, one = sigmoid_scalar(x[i]), like(1, x[i])
        out[i] = g[i] * (s * (one + x[i] * (one - s)))


@Task
def _softplus(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, x, beta, threshold = arrays[0], arrays[1], arrays[2], arrays[3][0], arrays[3][1]
    for i in range(start, stop):
        z = x[i] * beta
        out[i] = g[i] if z > threshold else g[i] * sigmoid_scalar(z)


@Task
def _logsigmoid(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, g, x = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        out[i] = g[i] * sigmoid_scalar(-x[i])


@Task
def _bend(arrays, numbers, task, worker):
    """slope above 0 and at NaN, depth rate exp(rate x) below."""
    start, stop = span(numbers, task)
    out, g, x, slope = arrays[0], arrays[1], arrays[2], arrays[3][0]
    depth, rate = arrays[3][1], arrays[3][2]
    for i in range(start, stop):
        out[i] = g[i] * (exp(x[i] * rate) * (depth * rate) if x[i] <= like(0, slope) else slope)


@inlined
def _softplus_of(x):
    zero = like(0, x)
    return (x if x > zero else zero) + log1p_unit(exp_of_small(-abs(x)))


@Task
def _mish(arrays, numbers, task, worker):
    """t + x (1 - t^2) sigmoid(x) with t = tanh(softplus(x))."""
    start, stop = span(numbers, task)
    out, g, x = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        t = tanh_scalar(_softplus_of(x[i]))
        out[i] = g[i] * (t + x[i] * (like(1, t) - t * t) * sigmoid_scalar(x[i]))


@Task
def _gelu(arrays, numbers, task, worker):
    """Phi(x) + x phi(x), with the normal distribution function Phi and its density phi."""
    start, stop = span(numbers, task)
    out, g, x = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        half = like(0.5, x[i])
        density = exp_of_small(-half * x[i] * x[i]) * like(1 / math.sqrt(2 * math.pi), x[i])
        out[i] = g[i] * (normal(x[i]) + x[i] * density)


@Task
def _gelu_tanh(arrays, numbers, task, worker):
    """s + x s (1 - s) z' with s = sigmoid(z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3)."""
    start, stop = span(numbers, task)
    out, g, x = arrays[0], arrays[1], arrays[2]
    for i in range(start, stop):
        slope, cubic = like(2 * math.sqrt(2 / math.pi), x[i]), like(0.044715, x[i])
        square, one = x[i] * x[i], like(1, x[i])
        s = sigmoid_scalar(slope * x[i] * (one + cubic * square))
        inner = slope * (one + like(3, x[i]) * cubic * square)
        out[i] = g[i] * (s + x[i] * s * (one - s) * inner)


def sigmoid(g: np.ndarray, ans: np.ndarray) -> np.ndarray:
    """g ans (1 - ans).

    >>> sigmoid(np.array([8.0]), np.array([0.5])).tolist()
    [2.0]
    """
    return elementwise(_sigmoid, 12, g, ans)


def tanh(g: np.ndarray, ans: np.ndarray) -> np.ndarray:
    """g (1 - ans^2).

    >>> tanh(np.array([4.0]), np.array([0.5])).tolist()
    [3.0]
    """
    return elementwise(_tanh, 12, g, ans)


def silu(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """g times the derivative of x sigmoid(x).

    >>> silu(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    return elementwise(_silu, 50, g, x)


def softplus(g: np.ndarray, x: np.ndarray, beta: float, threshold: float) -> np.ndarray:
    """g sigmoid(beta x), and g itself where beta x > threshold.

    >>> softplus(np.array([4.0, 4.0]), np.array([0.0, 30.0]), 1, 20).tolist()
    [2.0, 4.0]
    """
    return elementwise(_softplus, 50, g, x, numbers=(beta, threshold))


def logsigmoid(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """g sigmoid(-x).

    >>> logsigmoid(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    return elementwise(_logsigmoid, 45, g, x)


def bend(g: np.ndarray, x: np.ndarray, slope: float, depth: float, rate: float) -> np.ndarray:
    """Gradient of `ops.kernels.special.bend`: slope g above 0, depth rate exp(rate x) g below.

    >>> bend(np.array([4.0, 4.0]), np.array([0.0, 1.0]), 1, 0.5, 1).tolist()
    [2.0, 4.0]
    """
    return elementwise(_bend, 40, g, x, numbers=(slope, depth, rate))


def mish(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """g times the derivative of x tanh(softplus(x)).

    >>> mish(np.array([1.0]), np.array([0.0])).tolist()
    [0.6]
    """
    return elementwise(_mish, 100, g, x)


def gelu(g: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """g times the derivative of GELU.

    >>> gelu(np.array([4.0]), np.array([0.0])).tolist()
    [2.0]
    """
    return elementwise(_gelu_tanh if approximate == "tanh" else _gelu, 80, g, x)
