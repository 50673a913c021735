"""The cross entropy of logits with class numbers, and the negative log-likelihood it is made of.

The losses of all rows are added up in one task, row by row in float64.  No class number reaches memory that
has not been compared with the number of classes.
"""

from __future__ import annotations

import functools

import numpy as np

from .functions import like
from .jit import part
from .launch import Launch, Task, run_serially
from .masked import integers_of
from .simd import pointer_shift
from .softmax import (
    exponentials,
    log_softmax,
    log_softmax_rows,
    numbers_of_rows,
    prepared,
    share_of_rows,
)

__all__ = ["cross_entropy", "cross_entropy_backward", "nll", "nll_backward"]


@part
def _sum_losses(losses, scores, weight, target, total, numbers):
    """losses[r] = -weight[target[r]] * scores[r, target[r]], 0 for ignored rows, and their sum or mean.

    The sum is NaN if a label is out of range.  Losses that nobody wants (``numbers[4]`` is 0) are all written
    to the place of the sum.
    """
    rows, columns, ignore_index, weighted = numbers[0], numbers[1], numbers[2], numbers[3]
    step, nothing = numbers[4], like(0, total[0])
    losses_sum, factors = 0.0, 0.0
    for r in range(rows):
        label, factor, loss = target[r], like(1, nothing), nothing
        if label != ignore_index:
            if label < 0 or label >= columns:
                losses_sum = np.nan
                continue
            if weighted:
                factor = weight[label]
            loss = -factor * scores[r * columns + label]
            losses_sum += loss
            factors += factor
        losses[r * step] = loss
    if numbers[5]:
        losses_sum = losses_sum / factors if factors != 0 else np.nan
    total[0] = like(losses_sum, nothing)


@Task
def _nll(arrays, numbers, task, worker):
    _sum_losses(arrays[0], arrays[1], arrays[2], integers_of(arrays[3]), arrays[4], numbers)


@Task
def _cross_entropy(arrays, numbers, task, worker):
    """The log-softmax of all rows, then the losses; numbers: those of a share of the rows and of `_nll`."""
    first, last, columns, group = share_of_rows(numbers, task)
    log_softmax_rows(arrays[1], arrays[5], first, last, columns, group)
    _sum_losses(arrays[0], arrays[1], arrays[2], integers_of(arrays[3]), arrays[4], pointer_shift(numbers, 4))


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
    """out[r] = grad[r] * weight[target[r]] * (softmax(logits[r]) - onehot(target[r])), or 0.

    Of a reduced loss (``numbers[6]`` is 0) there is one ``grad`` for all rows; of a mean (``numbers[7]``) the
    weights are divided by their sum.
    """
    out, grad, weight, target = arrays[0], arrays[1], arrays[3], integers_of(arrays[4])
    first, last, columns, group = share_of_rows(numbers, task)
    ignore_index, weighted, grad_step, share = numbers[4], numbers[5], numbers[6], 1.0
    if numbers[7]:
        total = 0.0
        for r in range(numbers[0]):
            if _counts(target[r], columns, ignore_index):
                total += weight[target[r]] if weighted else like(1, grad[0])
        share = 1 / total if total != 0 else 1.0
    for begin in range(first, last, group):
        end = min(begin + group, last)
        exponentials(out, arrays[2], begin * columns, end * columns)
        for r in range(begin, end):
            label, scale = target[r], grad[r * grad_step] * like(share, grad[0])
            counts = _counts(label, columns, ignore_index)
            if not counts:
                scale = like(0, scale)
            elif weighted:
                scale *= weight[label]
            for i in range(r * columns, (r + 1) * columns):
                out[i] *= scale
            if counts:
                out[r * columns + label] -= scale


@functools.lru_cache(maxsize=1024)
def _one_task(task: Task, dtype, shape, *numbers: int) -> Launch:
    """The launch of a kernel that adds up all rows."""
    return Launch(task, dtype, (*shape, *numbers), 1, shape[0])


@functools.lru_cache(maxsize=1024)
def _prepared_nll(dtype, shape, ignore_index: int, weighted: bool, reduction: str) -> Launch:
    return _one_task(_nll, dtype, shape, ignore_index, weighted, reduction == "none", reduction == "mean")


@functools.lru_cache(maxsize=1024)
def _prepared_cross_entropy(dtype, shape, ignore_index: int, weighted: bool, reduction: str) -> Launch | None:
    """The launch of log-softmax and losses together; None where the former is no single task."""
    shares = numbers_of_rows(shape)
    if shares[1] < shape[0] or not shape[1]:
        return None
    options = ignore_index, weighted, reduction == "none", reduction == "mean"
    return Launch(_cross_entropy, dtype, (*shares, *shape, *options), 1, 0)


def cross_entropy(logits, target, weight=None, ignore_index=-100, reduction="mean"):
    """Cross entropy of rows: ``(losses, total, log_probabilities)``.

    ``logits`` is (N, C), ``target`` int64 (N,) with 0 <= target < C or target == ignore_index,
    ``weight`` (C,) or None.  The results are the loss of every row (N,), or for another ``reduction`` than
    "none" their sum or mean (an array without dimensions), then this sum or mean as a number, which is NaN
    if a target is out of range, and the log-softmax (N, C) that the backward pass needs.  The mean divides by
    the sum of weight[target] (torch.nn.CrossEntropyLoss).

    >>> losses, total, _ = cross_entropy(np.zeros((2, 4)), np.array([1, -100]), reduction="none")
    >>> losses.round(6).tolist(), round(total, 6)
    ([1.386294, 0.0], 1.386294)
    """
    logits, shape, dtype = np.ascontiguousarray(logits), logits.shape, logits.dtype
    launch = _prepared_cross_entropy(dtype, shape, ignore_index, weight is not None, reduction)
    if launch is None:
        log_probabilities = log_softmax(logits)
        return *nll(log_probabilities, target, weight, ignore_index, reduction), log_probabilities
    log_probabilities, total = np.empty(shape, dtype), np.empty((), dtype)
    losses = np.empty(shape[0], dtype) if reduction == "none" else total
    factors = total if weight is None else np.ascontiguousarray(weight, dtype)
    arrays = losses, log_probabilities, factors, np.ascontiguousarray(target), total, logits
    run_serially(launch.place, id(arrays))
    return losses, total.item(), log_probabilities


def nll(scores, target, weight=None, ignore_index=-100, reduction="mean"):
    """Losses of rows (N, C) of log-probabilities, and their sum or mean: the first two of `cross_entropy`.

    >>> nll(np.log([[0.5, 0.5]]), np.array([0]))[0].round(3).tolist()
    0.693
    """
    dtype, total = scores.dtype, np.empty((), scores.dtype)
    losses = np.empty(len(scores), dtype) if reduction == "none" else total
    factors = total if weight is None else np.ascontiguousarray(weight, dtype)
    arrays = losses, np.ascontiguousarray(scores), factors, np.ascontiguousarray(target), total
    launch = _prepared_nll(dtype, scores.shape, ignore_index, weight is not None, reduction)
    run_serially(launch.place, id(arrays))
    return losses, total.item()


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


@functools.lru_cache(maxsize=1024)
def _prepared_backward(dtype, shape, ignore_index: int, weighted: bool, reduction: str) -> Launch | None:
    """The launch of `cross_entropy_backward`; None where each of many tasks would add up all weights."""
    if reduction == "mean" and numbers_of_rows(shape)[1] < shape[0]:
        return None
    options = ignore_index, weighted, reduction == "none", reduction == "mean"
    return prepared(_cross_entropy_backward, dtype, shape, 0, *options)


def cross_entropy_backward(grad, log_probabilities, target, weight=None, ignore_index=-100, reduction="mean"):
    """Gradient of `cross_entropy` by the logits (N, C), from a cotangent of the reduced losses.

    >>> cross_entropy_backward(np.array(1.0), np.log([[0.25, 0.75]]), np.array([0])).tolist()
    [[-0.75, 0.75]]
    """
    shape, dtype = log_probabilities.shape, log_probabilities.dtype
    grad, out = np.ascontiguousarray(grad), np.empty(shape, dtype)
    launch = _prepared_backward(dtype, shape, ignore_index, weight is not None, reduction)
    if launch is None:
        labels = target[target != ignore_index]
        total = len(labels) if weight is None else weight[labels].sum(dtype=np.float64)
        grad = grad * dtype.type(1 / total if total else 1)
        launch = _prepared_backward(dtype, shape, ignore_index, weight is not None, "sum")
    factors = grad if weight is None else np.ascontiguousarray(weight, dtype)
    launch(out, grad, np.ascontiguousarray(log_probabilities), factors, np.ascontiguousarray(target))
    return out
