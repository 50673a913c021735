"""The cross entropy of logits with class numbers, and the negative log-likelihood it is made of.

The losses of all rows are added up in one task, row by row in float64.  No class number reaches memory that
has not been compared with the number of classes.
"""

from __future__ import annotations

import functools

import numpy as np

from .functions import like
from .jit import part
from .launch import Launch, Task
from .masked import doubles_of, integers_of
from .softmax import exponentials, log_softmax, prepared, share_of_rows

__all__ = ["cross_entropy", "cross_entropy_backward", "nll", "nll_backward"]


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
    first, last, columns, group = share_of_rows(numbers, task)
    ignore_index, weighted = numbers[4], numbers[5]
    for begin in range(first, last, group):
        end = min(begin + group, last)
        exponentials(out, arrays[2], begin * columns, end * columns)
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


@functools.lru_cache(maxsize=1024)
def _one_task(task: Task, dtype, shape, *numbers: int) -> Launch:
    """The launch of a kernel that adds up all rows."""
    return Launch(task, dtype, (*shape, *numbers), 1, shape[0])


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
    losses, log_probabilities, sums = np.empty(shape[0], dtype), log_softmax(logits), np.empty(3)
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
    prepared(_cross_entropy_backward, dtype, shape, 0, ignore_index, weight is not None)(
        out, grad, np.ascontiguousarray(log_probabilities), factors, np.ascontiguousarray(target))
    return out
