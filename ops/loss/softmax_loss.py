"""Softmax and cross entropy in one op, on rows of logits (M, C) and class numbers (M,).

No class number reaches a kernel unchecked.
"""

from __future__ import annotations

import math

import numpy as np

from ops.contracts import check_rows, one_type, shaped
from ops.core import Bad, array_of, case, dtype_of, op
from ops.elementwise.arithmetic import mul, sub
from ops.elementwise.pointwise import fused
from ops.lazy import LazyModule
from ops.loss.softmax_family import softmax, softmax_backward
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_backward"]

_kernels = LazyModule("ops.kernels.loss")


def require_classes(target, classes: int, ignore_index: int) -> None:
    """Refuse class numbers out of range.

    Raises:
        IndexError: with the number, its place and the range.

    >>> require_classes(np.array([1, 7]), 3, -100)
    Traceback (most recent call last):
    ...
    IndexError: Target 7 is out of bounds. It stands at position 1 of the (flattened) target; the input has \
3 classes: 0 to 2 (ignore_index is -100)
    """
    if target.size and (target.min() < 0 or target.max() >= classes):
        labels = target.ravel()
        wrong = np.flatnonzero(((labels < 0) | (labels >= classes)) & (labels != ignore_index))
        if len(wrong):
            from_one = labels.min() == 1 and labels.max() == classes
            advice = "; numbers from 1 on? use target - 1" if from_one else ""
            raise IndexError(f"Target {labels[wrong[0]]} is out of bounds. It stands at position {wrong[0]} "
                             f"of the (flattened) target; the input has {classes} classes: 0 to "
                             f"{classes - 1} (ignore_index is {ignore_index}){advice}")


def row_factors(target, weight, ignore_index: int, dtype):
    """The weight of each row (M,), 0 for ignored ones.  The mean of losses divides by their sum."""
    counted = target != ignore_index
    if weight is None:
        return counted.astype(dtype)
    return np.where(counted, weight[np.where(counted, target, 0)], 0).astype(dtype)


# ------------------------------------------------------------------ the fused op


def _row_cases(rng):
    target = np.array([2, 0, -100, 1])
    for reduction in ("mean", "sum", "none"):
        yield case(spaced(rng, (4, 3)), target, None, -100, reduction)
        yield case(spaced(rng, (4, 3)), target, spaced(rng, (3,), 0.5, 2), -100, reduction)
    yield case(spaced(rng, (4, 3)), np.array([2, 0, 1, 1]), spaced(rng, (3,), 0.5, 2), 1, "mean")
    yield case(np.ones((0, 3)), np.zeros(0, np.int64), None, -100, "sum")


def _row_backward_cases(rng):
    for one in _row_cases(rng):
        logits, target, weight, ignore_index, _ = one.args
        yield case(spaced(rng, (len(logits),)), logits, target, weight, ignore_index)


def log_softmax_reference(logits):
    """Log-softmax of rows by its formula."""
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def nll_reference(scores, target, weight=None, ignore_index=-100, reduction="mean"):
    """Negative log-likelihood row by row, and its reduction."""
    losses, total = np.zeros(len(scores)), 0.0
    for row, label in enumerate(target):
        if label != ignore_index:
            factor = 1.0 if weight is None else weight[label]
            losses[row] = -factor * scores[row, label]
            total += factor
    return losses if reduction == "none" else losses.sum() / (total if reduction == "mean" else 1)


def _backward_reference(input, logits, target, weight=None, ignore_index=-100):
    result = np.exp(log_softmax_reference(logits))
    for row, label in enumerate(target):
        result[row, label % logits.shape[1]] -= 1
        factor = 1 if weight is None else weight[label % logits.shape[1]]
        result[row] *= 0 if label == ignore_index else input[row] * factor
    return result


def _row_parts(g, target, weight, ignore_index, reduction):
    """The cotangents of the losses of all rows (M,), from that of the reduced loss."""
    if reduction == "none":
        return g
    target, weight = array_of(target), array_of(weight)
    factor = 1.0
    if reduction == "mean":
        if weight is None:
            total = int(np.count_nonzero(target != ignore_index))
        else:
            total = float(row_factors(target, weight, ignore_index, dtype_of(g)).sum())
        factor = 1 / total if total else math.inf
    return mul(g, np.full(target.shape, factor, dtype_of(g)))


@op(
    grad=dict(
        input=lambda g, logits, target, weight, ignore_index: sum(mul(g, _slope(
            logits, target, weight, ignore_index)), 1),
        logits=lambda g, input, logits, target, weight, ignore_index: softmax_backward(
            mul(mul(g, reshape(input, (input.shape[0], 1))), row_factors(
                array_of(target), array_of(weight), ignore_index, dtype_of(g))[:, None]),
            softmax(logits, 1), 1),
    ),
    samples=_row_backward_cases, reference=_backward_reference,
    exempt={"zero_dim": "rows are 2-d", "bad": "the forward op checks"},
)
def softmax_cross_entropy_backward(input, logits, target, weight=None, ignore_index=-100,
                                   log_probabilities=None):
    """Gradient of `softmax_cross_entropy` by the logits, from the cotangents ``input`` (M,) of its rows.

    Args:
        log_probabilities: the log-softmax of the logits, where the forward pass has kept it.

    >>> softmax_cross_entropy_backward(np.ones(1), np.zeros((1, 2)), np.array([0]))
    array([[-0.5,  0.5]])
    """
    check_rows("softmax_cross_entropy_backward", logits, target, weight)
    one_type("softmax_cross_entropy_backward", input=input, logits=logits)
    shaped("softmax_cross_entropy_backward", "input", input, logits.shape[:1])
    shaped("softmax_cross_entropy_backward", "log_probabilities", log_probabilities, logits.shape)
    if log_probabilities is None:
        log_probabilities = _kernels.log_softmax(logits)
    return _kernels.cross_entropy_backward(input, log_probabilities, target, weight, ignore_index, "none")


def _slope(logits, target, weight, ignore_index):
    """``weight * (softmax(logits) - one_hot(target))``, written with ops."""
    target, weight = array_of(target), array_of(weight)
    one_hot = (target[:, None] == np.arange(logits.shape[1])).astype(dtype_of(logits))
    factors = row_factors(target, weight, ignore_index, one_hot.dtype)[:, None]
    return mul(sub(softmax(logits, 1), one_hot), factors)


@op(
    grad=dict(input=fused(
        lambda g, input, target, weight, ignore_index, reduction, log_probabilities: (
            _kernels.cross_entropy_backward(g, log_probabilities, target, weight, ignore_index, reduction)),
        lambda g, input, target, weight, ignore_index, reduction, log_probabilities: (
            softmax_cross_entropy_backward(_row_parts(g, target, weight, ignore_index, reduction), input,
                                           target, weight, ignore_index, log_probabilities)))),
    outputs=("loss", "log_probabilities"),
    samples=_row_cases,
    reference=lambda logits, *args: (nll_reference(log_softmax_reference(logits), *args),
                                     log_softmax_reference(logits)),
    bad=[Bad((np.ones((2, 3)), np.array([0, 7])), {}, IndexError,
             "Target 7 is out of bounds.*3 classes"),
         Bad((np.ones((2, 3)), np.array([0, -1])), {}, IndexError, "Target -1 is out of bounds")],
    exempt={"zero_dim": "rows are 2-d"},
)
def softmax_cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """Cross entropy of logits (M, C) and int64 class numbers (M,), and the logits' log-softmax.

    >>> loss, _ = softmax_cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> float(loss.round(3))
    0.693
    """
    check_rows("softmax_cross_entropy", input, target, weight)
    losses, total, log_probabilities = _kernels.cross_entropy(input, target, weight, ignore_index, reduction)
    if total != total:  # NaN, perhaps from a class number out of range
        require_classes(target, input.shape[1], ignore_index)
    return losses, log_probabilities
