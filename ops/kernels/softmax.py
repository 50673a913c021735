"""Softmax, log-softmax and log-sum-exp of the rows of a matrix, and their gradients.

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
from .simd import lanes_of, pointer_shift, vector_load
from .vector import pointer_on_stack, vector_full, vector_largest, vector_total

__all__ = ["exponentials", "log_softmax", "log_softmax_backward", "logsumexp", "logsumexp_backward",
           "prepared", "share_of_rows", "softmax", "softmax_backward"]  # fmt: skip

_TASK = 16384  # elements of a task, about
GROUP = 1024  # elements whose exponentials are computed in one loop, about; rows of a group at most
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
def exponentials(out, x, start, stop):
    """out[i] = exp(x[i]) for the elements from ``start`` to ``stop`` (excluded), in one SIMD loop."""
    for i in range(start, stop):
        out[i] = exp(x[i])


@part
def _shifted_exponentials(out, x, tops, first, last, columns, finite):
    """out[r] = exp(x[r] - tops[r]) with the largest element of each row, which goes to ``tops``.

    With ``finite`` a row whose largest element is not gets 0 there.
    """
    for r in range(first, last):
        top = _largest(x, r * columns, (r + 1) * columns)
        tops[r - first] = top = top if abs(top) < np.inf or not finite else like(0, top)
        for i in range(r * columns, (r + 1) * columns):
            out[i] = x[i] - top
    exponentials(out, out, first * columns, last * columns)


# ------------------------------------------------------------------ over a share of the rows


@part
def share_of_rows(numbers, task):
    """The first and last (excluded) row of a task, the columns, and the rows of a group."""
    return task * numbers[1], min(numbers[0], (task + 1) * numbers[1]), numbers[2], numbers[3]


@part
def log_softmax_rows(out, x, first, last, columns, group):
    """out[r] = x[r] - logsumexp(x[r]) of the rows from ``first`` to ``last`` (excluded)."""
    tops = pointer_on_stack(out, GROUP)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _shifted_exponentials(out, x, tops, begin, end, columns, False)
        for r in range(begin, end):
            top = tops[r - begin]
            log_total = like(math.log(_sum(out, r * columns, (r + 1) * columns)), top)
            for i in range(r * columns, (r + 1) * columns):
                out[i] = (x[i] - top) - log_total


@Task
def _log_softmax(arrays, numbers, task, worker):
    first, last, columns, group = share_of_rows(numbers, task)
    log_softmax_rows(arrays[0], arrays[1], first, last, columns, group)


@Task
def _softmax(arrays, numbers, task, worker):
    """out[r] = exp(x[r]) / sum(exp(x[r]))."""
    out, (first, last, columns, group) = arrays[0], share_of_rows(numbers, task)
    tops = pointer_on_stack(out, GROUP)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        _shifted_exponentials(out, arrays[1], tops, begin, end, columns, False)
        for r in range(begin, end):
            inverse = like(1, out[0]) / _sum(out, r * columns, (r + 1) * columns)
            for i in range(r * columns, (r + 1) * columns):
                out[i] *= inverse


@Task
def _logsumexp(arrays, numbers, task, worker):
    """out[r] = log(sum(exp(x[r])))."""
    out, x, (first, last, columns, group) = arrays[0], arrays[1], share_of_rows(numbers, task)
    tops = pointer_shift(arrays[2], worker * group * (columns + 1))
    for begin in range(first, last, group):
        end, sizes = min(begin + group, last), pointer_shift(tops, group - begin * columns)
        _shifted_exponentials(sizes, x, tops, begin, end, columns, True)
        for r in range(begin, end):
            total = _sum(sizes, r * columns, (r + 1) * columns)
            out[r] = like(math.log(total), total) + tops[r - begin]


@Task
def _logsumexp_backward(arrays, numbers, task, worker):
    """out[r] = grad[r] * exp(x[r] - ans[r])."""
    out, x, (first, last, columns, group) = arrays[0], arrays[2], share_of_rows(numbers, task)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        for r in range(begin, end):
            log_total = arrays[3][r]
            for i in range(r * columns, (r + 1) * columns):
                out[i] = x[i] - log_total
        exponentials(out, out, begin * columns, end * columns)
        for r in range(begin, end):
            scale = arrays[1][r]
            for i in range(r * columns, (r + 1) * columns):
                out[i] *= scale


@Task
def _log_softmax_backward(arrays, numbers, task, worker):
    """out[r] = grad[r] - exp(log_probabilities[r]) * sum(grad[r])."""
    out, grad, (first, last, columns, group) = arrays[0], arrays[1], share_of_rows(numbers, task)
    for begin in range(first, last, group):
        end = min(begin + group, last)
        exponentials(out, arrays[2], begin * columns, end * columns)
        for r in range(begin, end):
            total = _sum(grad, r * columns, (r + 1) * columns)
            for i in range(r * columns, (r + 1) * columns):
                out[i] = grad[i] - out[i] * total


@Task
def _softmax_backward(arrays, numbers, task, worker):
    """out[r] = probabilities[r] * (grad[r] - dot(grad[r], probabilities[r]))."""
    out, grad, probabilities = arrays[0], arrays[1], arrays[2]
    first, last, columns, _ = share_of_rows(numbers, task)
    for r in range(first, last):
        total = _sum_of_products(grad, probabilities, r * columns, (r + 1) * columns)
        for i in range(r * columns, (r + 1) * columns):
            out[i] = probabilities[i] * (grad[i] - total)


# ------------------------------------------------------------------ for arrays


def numbers_of_rows(shape) -> tuple[int, int, int, int]:
    """What `share_of_rows` reads: the rows of a matrix, those of a task, the columns, the rows of a group.

    >>> numbers_of_rows((10_000, 10))
    (10000, 1638, 10, 102)
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    return rows, max(1, _TASK // max(columns, 1)), columns, max(1, min(rows, GROUP // max(columns, 1)))


@functools.lru_cache(maxsize=1024)
def prepared(task: Task, dtype, shape, scratch: int = 0, *numbers: int) -> Launch:
    """A launch over the rows of arrays of this shape (..., C); ``scratch``: elements for a row of a group."""
    rows, each, columns, group = numbers_of_rows(shape)
    tasks = -(-rows // each) if columns else 0
    return Launch(task, dtype, (rows, each, columns, group, *numbers), tasks, _COST * rows * columns,
                  group * scratch)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """log(softmax(x)) over the last axis of x (..., C), stable for logits of any size.

    >>> log_softmax(np.array([[1000.0, 1000.0]])).round(6).tolist()
    [[-0.693147, -0.693147]]
    """
    shape, dtype = x.shape, x.dtype
    arrays = np.empty(shape, dtype), np.ascontiguousarray(x)
    prepared(_log_softmax, dtype, shape).run(arrays)
    return arrays[0]


def log_softmax_backward(grad: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `log_softmax` by its input, from the cotangent and the output, both (..., C).

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]])).tolist()
    [[0.75, -0.75]]
    """
    out = np.empty(grad.shape, grad.dtype)
    prepared(_log_softmax_backward, grad.dtype, grad.shape)(
        out, np.ascontiguousarray(grad), np.ascontiguousarray(log_probabilities))
    return out


def logsumexp(x: np.ndarray) -> np.ndarray:
    """log(sum(exp(x))) of the rows of x (N, C), contiguous, none empty: an array (N,).

    >>> logsumexp(np.array([[1000.0, 1000.0], [-np.inf, -np.inf]])).round(6).tolist()
    [1000.693147, -inf]
    """
    out = np.empty(len(x), x.dtype)
    prepared(_logsumexp, x.dtype, x.shape, x.shape[1] + 1)(out, x)
    return out


def logsumexp_backward(grad: np.ndarray, x: np.ndarray, ans: np.ndarray) -> np.ndarray:
    """Gradient of `logsumexp` by its input, from the cotangent (N,) and the output (N,).

    >>> logsumexp_backward(np.array([2.0]), np.zeros((1, 2)), np.log([2.0])).round(6).tolist()
    [[1.0, 1.0]]
    """
    out = np.empty(x.shape, x.dtype)
    prepared(_logsumexp_backward, x.dtype, x.shape)(out, grad, x, ans)
    return out


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis of x (..., C), stable for logits of any size.

    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    shape, dtype = x.shape, x.dtype
    arrays = np.empty(shape, dtype), np.ascontiguousarray(x)
    prepared(_softmax, dtype, shape).run(arrays)
    return arrays[0]


def softmax_backward(grad: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Gradient of `softmax` by its input, from the cotangent and the output, both (..., C).

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]])).tolist()
    [[0.1875, -0.1875]]
    """
    out = np.empty(grad.shape, grad.dtype)
    prepared(_softmax_backward, grad.dtype, grad.shape)(
        out, np.ascontiguousarray(grad), np.ascontiguousarray(probabilities))
    return out
