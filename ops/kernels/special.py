"""Smooth elementwise functions: exponentials, logarithms, the logistic family, GELU.

Each is one loop over a block (`ops.kernels.maps`) around a function of one number.  NumPy lacks some of
them or composes them from many passes; exp, log and tanh gain from threads, and from float64 that NumPy
computes without SIMD.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import erf_scalar, exp_of_small, inlined, like, log1p_unit, normal
from .functions import exp as exp_scalar
from .functions import log as log_scalar
from .functions import log1p as log1p_scalar
from .functions import log2 as log2_scalar
from .functions import sigmoid as sigmoid_scalar
from .functions import tanh as tanh_scalar
from .launch import Task
from .maps import elementwise, span

__all__ = ["bend", "erf", "exp", "gelu", "log", "log1p", "log2", "logsigmoid", "reciprocal", "rsqrt",
           "sigmoid", "silu", "softplus", "tanh"]


@Task
def _exp(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = exp_scalar(x[i])


@Task
def _log(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = log_scalar(x[i])


@Task
def _log2(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = log2_scalar(x[i])


@Task
def _log1p(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = log1p_scalar(x[i])


@Task
def _tanh(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = tanh_scalar(x[i])


@Task
def _reciprocal(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = like(1, x[i]) / x[i]


@Task
def _rsqrt(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = like(1, x[i]) / math.sqrt(x[i])


@Task
def _erf(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = erf_scalar(x[i])


@Task
def _sigmoid(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = sigmoid_scalar(x[i])


@Task
def _silu(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = x[i] * sigmoid_scalar(x[i])


@Task
def _softplus(arrays, numbers, task, worker):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    start, stop = span(numbers, task)
    out, x, beta, threshold = arrays[0], arrays[1], arrays[2][0], arrays[2][1]
    for i in range(start, stop):
        z = x[i] * beta
        soft = ((z if z > like(0, z) else like(0, z)) + log1p_unit(exp_of_small(-abs(z)))) / beta
        out[i] = x[i] if z > threshold else soft


@Task
def _logsigmoid(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        below = x[i] if x[i] < like(0, x[i]) else like(0, x[i])
        out[i] = below - log1p_unit(exp_of_small(-abs(x[i])))


@Task
def _bend(arrays, numbers, task, worker):
    """slope x above 0, depth (exp(rate x) - 1) below."""
    start, stop = span(numbers, task)
    out, x, slope, depth, rate = arrays[0], arrays[1], arrays[2][0], arrays[2][1], arrays[2][2]
    for i in range(start, stop):
        out[i] = x[i] * slope if x[i] > like(0, x[i]) else depth * minus_one(x[i] * rate)


@inlined
def minus_one(x):
    """exp(x) - 1 for x <= 0 without cancellation: tanh(x / 2) (exp(x) + 1); for compiled code."""
    return tanh_scalar(x * like(0.5, x)) * (exp_scalar(x) + like(1, x))


@Task
def _gelu(arrays, numbers, task, worker):
    """x Phi(x) with the normal distribution function Phi."""
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        out[i] = x[i] * normal(x[i])


@Task
def _gelu_tanh(arrays, numbers, task, worker):
    """x (1 + tanh(z)) / 2 = x sigmoid(2 z), z = sqrt(2 / pi) (x + 0.044715 x^3)."""
    start, stop = span(numbers, task)
    out, x = arrays[0], arrays[1]
    for i in range(start, stop):
        slope, cubic = like(2 * math.sqrt(2 / math.pi), x[i]), like(0.044715, x[i])
        out[i] = x[i] * sigmoid_scalar(slope * (x[i] + cubic * x[i] * x[i] * x[i]))


def exp(x: np.ndarray) -> np.ndarray:
    """e to the power of every element, within 1 ulp.

    >>> exp(np.array([0.0, 1.0])).round(6).tolist()
    [1.0, 2.718282]
    """
    return elementwise(_exp, 30, x)


def log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of every element, within 1 ulp.

    >>> log(np.array([1.0, 10.0])).round(6).tolist()
    [0.0, 2.302585]
    """
    return elementwise(_log, 40, x)


def log2(x: np.ndarray) -> np.ndarray:
    """Logarithm to base 2 of every element, within 1.1 ulp and exact for powers of 2.

    >>> log2(np.array([0.25, 1.0, 8.0])).tolist()
    [-2.0, 0.0, 3.0]
    """
    return elementwise(_log2, 40, x)


def log1p(x: np.ndarray) -> np.ndarray:
    """log(1 + x) of every element, within 1 ulp also near 0.

    >>> log1p(np.array([-1.0, 0.0, 1e-30])).tolist()
    [-inf, 0.0, 1e-30]
    """
    return elementwise(_log1p, 50, x)


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent of every element, within 2.5 ulp.

    >>> tanh(np.array([-1.0, 0.0, 50.0])).round(6).tolist()
    [-0.761594, 0.0, 1.0]
    """
    return elementwise(_tanh, 40, x)


def reciprocal(x: np.ndarray) -> np.ndarray:
    """1 / x of every element.

    >>> reciprocal(np.array([4.0, 0.0])).tolist()
    [0.25, inf]
    """
    return elementwise(_reciprocal, 10, x)


def rsqrt(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x) of every element.

    >>> rsqrt(np.array([4.0, 0.0])).tolist()
    [0.5, inf]
    """
    return elementwise(_rsqrt, 15, x)


def erf(x: np.ndarray) -> np.ndarray:
    """Error function of every element, within 3 ulp.

    >>> erf(np.array([0.0, 1.0])).round(6).tolist()
    [0.0, 0.842701]
    """
    return elementwise(_erf, 60, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) of every element, without overflow, within 2.5 ulp.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return elementwise(_sigmoid, 40, x)


def silu(x: np.ndarray) -> np.ndarray:
    """x sigmoid(x) of every element.

    >>> silu(np.array([0.0, 1.0])).round(6).tolist()
    [0.0, 0.731059]
    """
    return elementwise(_silu, 40, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold (torch.nn.Softplus).

    >>> softplus(np.array([0.0, 30.0])).round(6).tolist()
    [0.693147, 30.0]
    """
    return elementwise(_softplus, 60, x, numbers=(beta, threshold))


def logsigmoid(x: np.ndarray) -> np.ndarray:
    """log(sigmoid(x)) of every element; nearly x for very negative x instead of log(0).

    >>> logsigmoid(np.array([-1000.0, 0.0])).round(6).tolist()
    [-1000.0, -0.693147]
    """
    return elementwise(_logsigmoid, 50, x)


def bend(x: np.ndarray, slope: float, depth: float, rate: float) -> np.ndarray:
    """slope x above 0, depth (exp(rate x) - 1) below: ELU, CELU and SELU.

    >>> bend(np.array([-1.0, 2.0]), 1, 1, 1).round(6).tolist()
    [-0.632121, 2.0]
    """
    return elementwise(_bend, 60, x, numbers=(slope, depth, rate))


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Gaussian error linear unit (Hendrycks and Gimpel, 2016), exact or with ``approximate="tanh"``.

    >>> gelu(np.array([-1.0, 1.0])).round(6).tolist()
    [-0.158655, 0.841345]
    """
    return elementwise(_gelu_tanh if approximate == "tanh" else _gelu, 60, x)
