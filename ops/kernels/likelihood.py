"""Losses of probabilities in one pass: negative log-likelihoods summed, and their gradients.

Like those of a difference (`ops.kernels.difference`) they are summed in SIMD lanes in the arrays' dtype,
block by block, and the blocks in float64.
"""

from __future__ import annotations

import numpy as np

from .difference import sum_of, summed
from .functions import exp_of_small, inlined, like, log, log1p_unit, sigmoid
from .launch import Task
from .maps import elementwise, span

__all__ = ["bernoulli_slope", "bernoulli_sum", "divergence_sum", "logits_slope", "logits_sum"]


@inlined
def _of_logits(x, target):
    """-(target log(p) + (1 - target) log(1 - p)) for p = sigmoid(x)."""
    zero, one = like(0, x), like(1, x)
    return (zero if x > zero else -x) + log1p_unit(exp_of_small(-abs(x))) + (one - target) * x


@inlined
def _of_bernoulli(p, target):
    """-(target log(p) + (1 - target) log(1 - p)), no log below -100; NaN unless both are from 0 to 1."""
    zero, one, least = like(0, p), like(1, p), like(-100, p)
    yes, no = log(p), log(one - p)
    yes, no = (least if yes < least else yes), (least if no < least else no)
    loss = -(target * yes + (one - target) * no)
    return loss if (target >= zero) & (target <= one) else like(np.nan, p)


@inlined
def _of_divergence(x, target):
    """target (log(target) - x), 0 for a target of 0."""
    zero = like(0, x)
    return (zero if target == zero else target * log(target)) - target * x


_logits, _bernoulli, _divergence = map(sum_of, (_of_logits, _of_bernoulli, _of_divergence))


@Task
def _logits_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y, factor = arrays[0], arrays[1], arrays[2], arrays[3][0]
    for i in range(start, stop):
        out[i] = factor * (sigmoid(x[i]) - y[i])


@Task
def _bernoulli_slope(arrays, numbers, task, worker):
    start, stop = span(numbers, task)
    out, x, y, factor = arrays[0], arrays[1], arrays[2], arrays[3][0]
    least, one = like(1e-12, factor), like(1, factor)
    for i in range(start, stop):
        variance = x[i] * (one - x[i])
        out[i] = factor * (x[i] - y[i]) / (least if variance < least else variance)


def logits_sum(x: np.ndarray, target: np.ndarray) -> float:
    """Sum of the losses of logits x, of one shape and float dtype with their targets, not empty.

    >>> round(logits_sum(np.array([0.0, 1000.0]), np.array([1.0, 1.0])), 3)
    0.693
    """
    return summed(_logits, 20, x, target)


def bernoulli_sum(p: np.ndarray, target: np.ndarray) -> float:
    """Sum of the losses of probabilities p; NaN if one of p or target is not from 0 to 1.

    >>> round(bernoulli_sum(np.array([0.5, 0.0]), np.array([1.0, 1.0])), 3)
    100.693
    """
    return summed(_bernoulli, 40, p, target)


def divergence_sum(x: np.ndarray, target: np.ndarray) -> float:
    """Sum of ``target * (log(target) - x)``.

    >>> round(divergence_sum(np.array([-1.0, -1.0]), np.array([1.0, 0.0])), 3)
    1.0
    """
    return summed(_divergence, 20, x, target)


def logits_slope(x: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
    """``factor * (sigmoid(x) - target)``.

    >>> logits_slope(np.array([0.0]), np.array([1.0]), 2.0).tolist()
    [-1.0]
    """
    return elementwise(_logits_slope, 40, x, target, numbers=(factor,))


def bernoulli_slope(p: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
    """``factor * (p - target) / (p * (1 - p))``, the divisor at least 1e-12.

    >>> bernoulli_slope(np.array([0.5]), np.array([1.0]), 1.0).tolist()
    [-2.0]
    """
    return elementwise(_bernoulli_slope, 20, p, target, numbers=(factor,))
