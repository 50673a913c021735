"""Softmax, log-softmax and the cross entropy of logits with class indices, row by row of a 2-D array.

A row is read three times at most, from the cache: its maximum, the sum of exp(x - maximum), the result.
NaN or a row of -inf only gives NaN, as in PyTorch. Every ``*_rows`` kernel treats the rows ``start`` to
``stop`` and writes nothing else, so the rows may be shared out among threads.
"""

from __future__ import annotations

import math

import numpy as np

from .functions import exp
from .jit import jit, part

__all__ = ["cross_entropy", "cross_entropy_backward", "log_softmax", "log_softmax_backward", "nll", "softmax",
           "softmax_backward"]  # fmt: skip

#: Lets LLVM sum in SIMD lanes; NaN and infinity keep their meaning.
_SUMS = {"reassoc", "contract", "nsz", "arcp"}


@part
def _maximum(row, lanes):
    """Largest element of a row (any number if it holds a NaN).

    The running maxima in ``lanes`` become SIMD code, which a single one would not.
    """
    largest = row.dtype.type(-np.inf)
    whole = row.size - row.size % lanes.size
    if whole > 0:
        for j in range(lanes.size):
            lanes[j] = row[j]
        for first in range(lanes.size, whole, lanes.size):
            block = row[first : first + lanes.size]
            for j in range(lanes.size):
                lanes[j] = block[j] if block[j] > lanes[j] else lanes[j]
        for value in lanes:
            largest = value if value > largest else largest
    for i in range(whole, row.size):
        largest = row[i] if row[i] > largest else largest
    return largest


@part(fastmath=_SUMS)
def _sum(row):
    total = row.dtype.type(0)
    for i in range(row.size):
        total += row[i]
    return total


@jit
def log_softmax_rows(start, stop, x, out):
    """out[r] = x[r] - logsumexp(x[r])."""
    lanes = np.empty(16, x.dtype)
    for r in range(start, stop):
        row, result = x[r], out[r]
        largest = _maximum(row, lanes)
        for i in range(row.size):  # exp and sum in one loop would leave short rows to scalar code
            result[i] = exp(row[i] - largest)
        log_total = x.dtype.type(math.log(_sum(result)))
        for i in range(row.size):
            result[i] = (row[i] - largest) - log_total


@jit(fastmath=_SUMS)
def softmax_rows(start, stop, x, out):
    """out[r] = exp(x[r]) / sum(exp(x[r]))."""
    lanes = np.empty(16, x.dtype)
    for r in range(start, stop):
        row, result = x[r], out[r]
        largest = _maximum(row, lanes)
        for i in range(row.size):  # summed in this loop, the order would depend on where `out` lies
            result[i] = exp(row[i] - largest)
        total = _sum(result)
        for i in range(row.size):
            result[i] /= total


@jit(fastmath=_SUMS)
def log_softmax_backward_rows(start, stop, grad, log_probabilities, out):
    """out[r] = grad[r] - exp(log_probabilities[r]) * sum(grad[r])."""
    for r in range(start, stop):
        g, row, result = grad[r], log_probabilities[r], out[r]
        total = grad.dtype.type(0)
        for i in range(g.size):
            total += g[i]
        for i in range(g.size):
            result[i] = g[i] - exp(row[i]) * total


@jit(fastmath=_SUMS)
def softmax_backward_rows(start, stop, grad, probabilities, out):
    """out[r] = probabilities[r] * (grad[r] - dot(grad[r], probabilities[r]))."""
    for r in range(start, stop):
        g, row, result = grad[r], probabilities[r], out[r]
        total = grad.dtype.type(0)
        for i in range(g.size):
            total += g[i] * row[i]
        for i in range(g.size):
            result[i] = row[i] * (g[i] - total)


@jit
def nll_rows(start, stop, scores, target, weight, ignore_index, losses):
    """losses[r] = -weight[target[r]] * scores[r, target[r]], 0 for ignored rows; an empty weight is ones.

    Returns the sums of the losses and of the weights, and whether every label is a class or ignored.
    """
    total, factors, valid, one = 0.0, 0.0, True, scores.dtype.type(1)
    for r in range(start, stop):
        label = target[r]
        losses[r] = 0
        if label == ignore_index:
            continue
        if label < 0 or label >= scores.shape[1]:
            valid = False
            continue
        factor = weight[label] if weight.size > 0 else one
        losses[r] = -factor * scores[r, label]
        total += losses[r]
        factors += factor
    return total, factors, valid


@jit
def cross_entropy_rows(start, stop, logits, target, weight, ignore_index, losses, log_probabilities):
    """losses[r] = -weight[target[r]] * log_softmax(logits[r])[target[r]]; an empty weight is ones.

    Returns the sums of the losses and of the weights, and whether every label is a class or ignored.
    """
    log_softmax_rows(start, stop, logits, log_probabilities)
    return nll_rows(start, stop, log_probabilities, target, weight, ignore_index, losses)


@jit
def cross_entropy_backward_rows(start, stop, grad, log_probabilities, target, weight, ignore_index, out):
    """out[r] = grad[r] * weight[target[r]] * (softmax(logits[r]) - onehot(target[r])), or 0."""
    for r in range(start, stop):
        row, result, label = log_probabilities[r], out[r], target[r]
        scale = grad[r]
        counts = label != ignore_index and 0 <= label < row.size  # no memory is touched for a wrong label
        if not counts:
            scale = grad.dtype.type(0)
        elif weight.size > 0:
            scale = grad[r] * weight[label]
        for i in range(row.size):
            result[i] = exp(row[i]) * scale
        if counts:
            result[label] -= scale


def _rows(kernel, *arrays):
    """Run a kernel that has one output of the shape of its inputs over all rows."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    out = np.empty_like(arrays[0])
    if out.size:
        kernel(0, len(out), *arrays, out)
    return out


def log_softmax(x: np.ndarray) -> np.ndarray:
    """log(softmax(x)) over the last axis of x (N, C), stable for logits of any size.

    >>> log_softmax(np.array([[1000.0, 1000.0]])).round(6).tolist()
    [[-0.693147, -0.693147]]
    """
    return _rows(log_softmax_rows, x)


def log_softmax_backward(grad: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `log_softmax` by its input, from the cotangent and the output, both (N, C).

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]])).tolist()
    [[0.75, -0.75]]
    """
    return _rows(log_softmax_backward_rows, grad, log_probabilities)


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis of x (N, C), stable for logits of any size.

    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    return _rows(softmax_rows, x)


def softmax_backward(grad: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `softmax` by its input, from the cotangent and the output, both (N, C).

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]])).tolist()
    [[0.1875, -0.1875]]
    """
    return _rows(softmax_backward_rows, grad, probabilities)


def _weight_or_empty(weight, dtype):
    return np.empty(0, dtype) if weight is None else np.ascontiguousarray(weight, dtype)


def cross_entropy(logits, target, weight=None, ignore_index=-100):
    """Cross entropy of rows: ``(losses, log_probabilities, total, factors, valid)``.

    ``logits`` is (N, C), ``target`` int64 (N,) with 0 <= target < C or target == ignore_index,
    ``weight`` (C,) or None.  The results are the loss of every row (N,), the log-softmax (N, C) that the
    backward pass needs, and as numbers the sum of the losses, the sum of weight[target], by which a mean
    divides (torch.nn.CrossEntropyLoss), and whether every target is in range.

    >>> losses, log_probabilities, *sums = cross_entropy(np.zeros((2, 4)), np.array([1, -100]))
    >>> losses.round(6).tolist(), sums[1:]
    ([1.386294, 0.0], [1.0, True])
    """
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target)
    losses, log_probabilities = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    weight = _weight_or_empty(weight, logits.dtype)
    sums = cross_entropy_rows(
        0, len(logits), logits, target, weight, ignore_index, losses, log_probabilities
    )
    return losses, log_probabilities, *sums


def nll(scores, target, weight=None, ignore_index=-100):
    """Losses of rows (N,) from log-probabilities (N, C), and the three sums of `cross_entropy`.

    >>> losses, *sums = nll(np.log([[0.5, 0.5]]), np.array([0]))
    >>> losses.round(3).tolist(), sums[1:]
    ([0.693], [1.0, True])
    """
    losses, weight = np.empty(len(scores), scores.dtype), _weight_or_empty(weight, scores.dtype)
    return losses, *nll_rows(0, len(scores), np.ascontiguousarray(scores), np.ascontiguousarray(target),
                             weight, ignore_index, losses)


def cross_entropy_backward(grad, log_probabilities, target, weight=None, ignore_index=-100):
    """Gradient of `cross_entropy` by the logits (N, C), from a cotangent (N,) of the losses.

    >>> cross_entropy_backward(np.ones(1), np.log([[0.25, 0.75]]), np.array([0])).tolist()
    [[-0.75, 0.75]]
    """
    grad, target = np.ascontiguousarray(grad), np.ascontiguousarray(target)
    log_probabilities = np.ascontiguousarray(log_probabilities)
    weight = _weight_or_empty(weight, log_probabilities.dtype)
    out = np.empty_like(log_probabilities)
    cross_entropy_backward_rows(0, len(out), grad, log_probabilities, target, weight, ignore_index, out)
    return out
