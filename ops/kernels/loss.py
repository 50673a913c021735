"""Softmax, log-softmax and the cross entropy of logits with class indices, row by row of a 2-D array.

A row is read from the cache: its maximum, exp(x - maximum), their sum, the result.  The exponentials of
several short rows are computed in one loop, since a loop over ten classes alone is no SIMD code.  NaN or a
row of -inf only gives NaN, as in PyTorch.  Sums follow the vectors of a row, in an order that its length
alone decides: results are the same bits for any number of threads.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import exp, like
from .jit import part
from .launch import Launch, Task
from .masked import doubles_of, integers_of
from .simd import lanes_of, pointer_shift, vector_load
from .vector import vector_full, vector_largest, vector_total

__all__ = ["cross_entropy", "cross_entropy_backward", "log_softmax", "log_softmax_backward", "nll",
           "nll_backward", "softmax", "softmax_backward"]  # fmt: skip

_TASK = 16384  # elements of a task, about
_GROUP = 1024  # elements whose exponentials are computed in one loop, about
_COST = 40  # time for an element, in the multiplications that `launch` counts


# ------------------------------------------------------------------ over one row of memory


@part
def _largest(x, start, stop):
    """The largest element; NaN or any number if there is a NaN."""
    lanes = lanes_of(x)
    if stop - start < lanes:
        largest = x[start]
        for i in range(start + 1, stop):
            largest = x[i] if x[i] > largest else largest
        return largest
    best = vector_load(x, stop - lanes, None)  # may overlap the vectors before
    whole = stop - (stop - start) % (4 * lanes)
    for i in range(start, whole, 4 * lanes):  # a step waits for the one before: four vectors in each
        left = max(vector_load(x, i, None), vector_load(x, i + lanes, None))
        right = max(vector_load(x, i + 2 * lanes, None), vector_load(x, i + 3 * lanes, None))
        best = max(best, max(left, right))
    for i in range(whole, stop - lanes, lanes):
        best = max(best, vector_load(x, i, None))
    return vector_largest(best)


@part
def _sum(x, start, stop):
    lanes = lanes_of(x)
    total = vector_full(x, 0.0)
    whole = stop - (stop - start) % (4 * lanes)
    for i in range(start, whole, 4 * lanes):
        left = vector_load(x, i, None) + vector_load(x, i + lanes, None)
        right = vector_load(x, i + 2 * lanes, None) + vector_load(x, i + 3 * lanes, None)
        total = total + (left + right)
    for i in range(whole, stop, lanes):
        total = total + vector_load(x, i, stop - i)
    return vector_total(total)


@part
def _sum_of_products(x, y, start, stop):
    lanes = lanes_of(x)
    first, second = vector_full(x, 0.0), vector_full(x, 0.0)
    whole = stop - (stop - start) % (2 * lanes)
    for i in range(start, whole, 2 * lanes):
        first = first + vector_load(x, i, None) * vector_load(y, i, None)
        second = second + vector_load(x, i + lanes, None) * vector_load(y, i + lanes, None)
    for i in range(whole, stop, lanes):
        first = first + vector_load(x, i, stop - i) * vector_load(y, i, stop - i)
    return vector_total(first + second)


@part
def _exponentials(out, x, start, stop):
    for i in range(start, stop):
        out[i] = exp(x[i])


@part
def _shifted_exponentials(out, x, tops, first, last, columns):
    """out[r] = exp(x[r] - tops[r]) with the largest element of each row, which goes to ``tops``."""
    for r in range(first, last):
        tops[r - first] = top = _largest(x, r * columns, (r + 1) * columns)
        for i in range(r * columns, (r + 1) * columns):
            out[i] = x[i] - top
    _exponentials(out, out, first * columns, last * columns)


# ------------------------------------------------------------------ over a share of the rows


@part
def _share(numbers, task):
    """The first and last (excluded) row of a task, the columns, and the rows of a group."""
    return task * numbers[1], min(numbers[0], (task + 1) * numbers[1]), numbers[2], numbers[3]


@Task
def _log_softmax(arrays, numbers, task, worker):
    """out[r] = x[r] - logsumexp(x[r])."""
    out, x, (first, last, columns, group) = arrays[0], arrays[1], _share(numbers, task)
    tops = pointer_shift(arrays[2], worker * group)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _shifted_exponentials(out, x, tops, begin, end, columns)
        for r in range(begin, end):
            top = tops[r - begin]
            log_total = like(math.log(_sum(out, r * columns, (r + 1) * columns)), top)
            for i in range(r * columns, (r + 1) * columns):
                out[i] = (x[i] - top) - log_total


@Task
def _softmax(arrays, numbers, task, worker):
    """out[r] = exp(x[r]) / sum(exp(x[r]))."""
    out, (first, last, columns, group) = arrays[0], _share(numbers, task)
    tops = pointer_shift(arrays[2], worker * group)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _shifted_exponentials(out, arrays[1], tops, begin, end, columns)
        for r in range(begin, end):
            inverse = like(1, out[0]) / _sum(out, r * columns, (r + 1) * columns)
            for i in range(r * columns, (r + 1) * columns):
                out[i] *= inverse


@Task
def _log_softmax_backward(arrays, numbers, task, worker):
    """out[r] = grad[r] - exp(log_probabilities[r]) * sum(grad[r])."""
    out, grad, (first, last, columns, group) = arrays[0], arrays[1], _share(numbers, task)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _exponentials(out, arrays[2], begin * columns, end * columns)
        for r in range(begin, end):
            total = _sum(grad, r * columns, (r + 1) * columns)
            for i in range(r * columns, (r + 1) * columns):
                out[i] = grad[i] - out[i] * total


@Task
def _softmax_backward(arrays, numbers, task, worker):
    """out[r] = probabilities[r] * (grad[r] - dot(grad[r], probabilities[r]))."""
    out, grad, probabilities = arrays[0], arrays[1], arrays[2]
    first, last, columns, _ = _share(numbers, task)
    for r in range(first, last):
        total = _sum_of_products(grad, probabilities, r * columns, (r + 1) * columns)
        for i in range(r * columns, (r + 1) * columns):
            out[i] = probabilities[i] * (grad[i] - total)


@Task
def _nll(arrays, numbers, task, worker):
    """losses[r] = -weight[target[r]] * scores[r, target[r]], 0 for ignored rows.

    The last array gets the sums of the losses and of the weights, and 1 if every label is valid.
    """
    losses, scores, weight = arrays[0], arrays[1], arrays[2]
    target, sums = integers_of(arrays[3]), doubles_of(arrays[4])
    rows, columns, ignore_index, weighted = numbers[0], numbers[1], numbers[2], numbers[3]
    total, factors, valid = 0.0, 0.0, True
    for r in range(rows):
        label, factor = target[r], like(1, losses[r])
        losses[r] = like(0, factor)
        if label == ignore_index:
            continue
        if label < 0 or label >= columns:
            valid = False
            continue
        if weighted:
            factor = weight[label]
        losses[r] = -factor * scores[r * columns + label]
        total += losses[r]
        factors += factor
    sums[0], sums[1], sums[2] = total, factors, valid


@part
def _counts(label, columns, ignore_index):
    """Whether a label names a class; no memory is touched for another."""
    return label != ignore_index and 0 <= label < columns


@Task
def _nll_backward(arrays, numbers, task, worker):
    """out[r, target[r]] = -grad[r] * weight[target[r]], or of one ``grad`` for all rows.

    Of a mean (``numbers[5]``) the weights are divided by their sum.  The other elements stay as they are.
    """
    out, grad, weight, target = arrays[0], arrays[1], arrays[2], integers_of(arrays[3])
    rows, columns, ignore_index, weighted = numbers[0], numbers[1], numbers[2], numbers[3]
    grad_step, total = numbers[4], 0.0
    for r in range(rows if numbers[5] else 0):
        if _counts(target[r], columns, ignore_index):
            total += weight[target[r]] if weighted else like(1, grad[0])
    total = total if total != 0 else 1.0
    for r in range(rows):
        if _counts(target[r], columns, ignore_index):
            factor = weight[target[r]] if weighted else like(1, grad[0])
            out[r * columns + target[r]] = -grad[r * grad_step] * like(factor / total, factor)


@Task
def _cross_entropy_backward(arrays, numbers, task, worker):
    """out[r] = grad[r] * weight[target[r]] * (softmax(logits[r]) - onehot(target[r])), or 0."""
    out, grad, weight, target = arrays[0], arrays[1], arrays[3], integers_of(arrays[4])
    (first, last, columns, group), ignore_index, weighted = _share(numbers, task), numbers[4], numbers[5]
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _exponentials(out, arrays[2], begin * columns, end * columns)
        for r in range(begin, end):
            label, scale = target[r], grad[r]
            counts = _counts(label, columns, ignore_index)
            if not counts:
                scale = like(0, scale)
            elif weighted:
                scale = grad[r] * weight[label]
            for i in range(r * columns, (r + 1) * columns):
                out[i] *= scale
            if counts:
                out[r * columns + label] -= scale


# ------------------------------------------------------------------ for arrays


@functools.lru_cache(maxsize=1024)
def _one_task(task: Task, dtype, shape, *numbers: int) -> Launch:
    """The launch of a kernel that adds up all rows."""
    return Launch(task, dtype, (*shape, *numbers), 1, shape[0])


@functools.lru_cache(maxsize=1024)
def _prepared(task: Task, dtype, shape, scratch: bool = False, *numbers: int) -> Launch:
    """A launch over the rows of arrays of this shape (N, C)."""
    rows, columns = shape
    each, group = max(1, _TASK // max(columns, 1)), max(1, min(rows, _GROUP // max(columns, 1)))
    tasks = -(-rows // each) if columns else 0
    return Launch(task, dtype, (rows, each, columns, group, *numbers), tasks, _COST * rows * columns,
                  group if scratch else 0)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """log(softmax(x)) over the last axis of x (N, C), stable for logits of any size.

    >>> log_softmax(np.array([[1000.0, 1000.0]])).round(6).tolist()
    [[-0.693147, -0.693147]]
    """
    x = np.ascontiguousarray(x)
    out = np.empty(x.shape, x.dtype)
    _prepared(_log_softmax, x.dtype, x.shape, True)(out, x)
    return out


def log_softmax_backward(grad: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `log_softmax` by its input, from the cotangent and the output, both (N, C).

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]])).tolist()
    [[0.75, -0.75]]
    """
    out = np.empty(grad.shape, grad.dtype)
    _prepared(_log_softmax_backward, grad.dtype, grad.shape)(
        out, np.ascontiguousarray(grad), np.ascontiguousarray(log_probabilities))
    return out


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis of x (N, C), stable for logits of any size.

    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    x = np.ascontiguousarray(x)
    out = np.empty(x.shape, x.dtype)
    _prepared(_softmax, x.dtype, x.shape, True)(out, x)
    return out


def softmax_backward(grad: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `softmax` by its input, from the cotangent and the output, both (N, C).

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]])).tolist()
    [[0.1875, -0.1875]]
    """
    out = np.empty(grad.shape, grad.dtype)
    _prepared(_softmax_backward, grad.dtype, grad.shape)(
        out, np.ascontiguousarray(grad), np.ascontiguousarray(probabilities))
    return out


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
    shape, dtype = logits.shape, logits.dtype
    losses, log_probabilities, sums = np.empty(shape[0], dtype), np.empty(shape, dtype), np.empty(3)
    _prepared(_log_softmax, dtype, shape, True)(log_probabilities, logits)
    factors = losses if weight is None else np.ascontiguousarray(weight, dtype)
    _one_task(_nll, dtype, shape, ignore_index, weight is not None)(
        losses, log_probabilities, factors, target, sums)
    total, counted, valid = sums.tolist()
    return losses, log_probabilities, total, counted, valid > 0


def nll(scores, target, weight=None, ignore_index=-100):
    """Losses of rows (N,) from log-probabilities (N, C), and the three sums of `cross_entropy`.

    >>> losses, *sums = nll(np.log([[0.5, 0.5]]), np.array([0]))
    >>> losses.round(3).tolist(), sums[1:]
    ([0.693], [1.0, True])
    """
    losses, sums = np.empty(len(scores), scores.dtype), np.empty(3)
    factors = losses if weight is None else np.ascontiguousarray(weight, scores.dtype)
    _one_task(_nll, scores.dtype, scores.shape, ignore_index, weight is not None)(
        losses, np.ascontiguousarray(scores), factors, np.ascontiguousarray(target), sums)
    total, counted, valid = sums.tolist()
    return losses, total, counted, valid > 0


def nll_backward(grad, shape, target, weight=None, ignore_index=-100, reduction="mean"):
    """Gradient of `nll` by the scores of this shape (N, C), from a cotangent of the reduced losses.

    >>> nll_backward(np.array(1.0), (1, 2), np.array([0])).tolist()
    [[-1.0, 0.0]]
    """
    grad, out = np.ascontiguousarray(grad), np.zeros(shape, grad.dtype)
    factors = grad if weight is None else np.ascontiguousarray(weight, grad.dtype)
    _one_task(_nll_backward, grad.dtype, shape, ignore_index, weight is not None, reduction == "none",
              reduction == "mean")(out, grad, factors, np.ascontiguousarray(target))
    return out


def cross_entropy_backward(grad, log_probabilities, target, weight=None, ignore_index=-100):
    """Gradient of `cross_entropy` by the logits (N, C), from a cotangent (N,) of the losses.

    >>> cross_entropy_backward(np.ones(1), np.log([[0.25, 0.75]]), np.array([0])).tolist()
    [[-0.75, 0.75]]
    """
    shape, dtype = log_probabilities.shape, log_probabilities.dtype
    grad, out = np.ascontiguousarray(grad), np.empty(shape, dtype)
    factors = grad if weight is None else np.ascontiguousarray(weight, dtype)
    _prepared(_cross_entropy_backward, dtype, shape, False, ignore_index, weight is not None)(
        out, grad, np.ascontiguousarray(log_probabilities), factors, np.ascontiguousarray(target))
    return out
