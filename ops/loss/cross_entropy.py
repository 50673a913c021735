"""Negative log-likelihood and cross entropy, for class numbers and probabilities.

An input has shape ``(C,)``, ``(N, C)`` or ``(N, C, d1, ..., dk)``, class numbers that without ``C``.
All are brought to rows ``(M, C)`` and ``(M,)``.  `ops.loss.softmax_loss` computes on rows.
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, Traced, array_of, case, composite, dtype_of, op
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.elementwise.division import div
from ops.elementwise.masking import keep_where
from ops.indexing.gather import scatter_add
from ops.lazy import LazyModule
from ops.loss.regression import choose_reduction, reduce_losses, reduction_of, refuse_swapped
from ops.loss.softmax_family import log_softmax
from ops.loss.softmax_loss import (
    log_softmax_reference,
    nll_reference,
    require_classes,
    row_factors,
    softmax_cross_entropy,
)
from ops.reduction.totals import TYPE_NAMES, sum
from ops.samples import spaced
from ops.shape.layout import permute, reshape, zeros_like_view

__all__ = ["cross_entropy", "nll_loss"]

_kernels = LazyModule("ops.kernels.loss")
_INT64 = np.dtype(np.int64)


# ------------------------------------------------------------------ what is refused


def _require_shapes(input, target) -> None:
    """Refuse class numbers whose shape does not belong to the input's."""
    shape, labels = tuple(input.shape), tuple(target.shape)
    if len(shape) > 1 and labels[:1] != shape[:1]:
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size "
                         f"({(labels or (0,))[0]}).")
    if len(shape) <= 2:
        if len(labels) > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported: the target "
                               f"has shape {labels}; use target.squeeze(1) for class numbers in a "
                               "column")
        if len(shape) == 1 and labels not in ((), (1,)):
            raise ValueError("For 1D input, 1D target must have size 1, but got target size: "
                             f"{labels[0]}")
    elif labels != (shape[0], *shape[2:]):
        raise RuntimeError(f"size mismatch (got input: {list(shape)}, target: {list(labels)}); expected "
                           f"target size {[shape[0], *shape[2:]]}")


def _prepare(name: str, input, target, weight) -> int:
    """Check types and dtypes; returns the number of classes."""
    for position, (label, value) in enumerate((("input", input), ("target", target)), 1):
        if not isinstance(array_of(value), (np.ndarray, np.generic)):
            raise TypeError(f"{name}(): argument '{label}' (position {position}) must be Tensor, not "
                            f"{type(value).__name__}")
    if input.ndim == 0:
        raise ValueError(f"{name}: Expected 1 or more dimensions (got 0)")
    if dtype_of(input).kind != "f":
        refuse_swapped(name, input, target)
        raise NotImplementedError(f"\"{name}\" not implemented for "
                                  f"'{TYPE_NAMES[dtype_of(input).name]}'; convert the input: "
                                  "input.float()")
    classes = input.shape[0 if input.ndim == 1 else 1]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes or no "
                           f"classes but got weight tensor of shape: {list(weight.shape)}")
    return classes


def _are_rows(scores, labels) -> bool:
    """Whether there is nothing to check or to bring into shape: arrays of floats (N, C) and of int64 (N,)."""
    return (type(scores) is np.ndarray and type(labels) is np.ndarray
            and scores.ndim == 2 and labels.ndim == 1 and len(scores) == len(labels)
            and labels.dtype is _INT64 and scores.dtype.kind == "f")


def _class_numbers(input, target, weight):
    """Class numbers as an int64 array; weights for them have the input's dtype."""
    if weight is not None and dtype_of(weight) != dtype_of(input):
        names = [TYPE_NAMES[dtype_of(value).name] for value in (input, weight)]
        raise RuntimeError(f"expected scalar type {names[0]} but found {names[1]}: convert the "
                           f"weight with weight.{names[0].lower()}()")
    labels = array_of(target)
    if labels.dtype not in (np.int64, np.uint8):
        raise RuntimeError("expected target dtype to be Long or Byte, but got "
                           f"{TYPE_NAMES[labels.dtype.name]}; convert class numbers with target.long()")
    return labels.astype(np.int64, copy=False)


def _rows(input):
    """``input`` as rows (M, C), with the classes last."""
    if input.ndim == 2:
        return input
    if input.ndim > 2:
        input = permute(input, (0, *range(2, input.ndim), 1))
    return reshape(input, (math.prod(input.shape[:-1]), input.shape[-1]))


def _from_rows(rows, shape: tuple):
    """Rows (M, C) in the shape of the input that `_rows` made them of."""
    if len(shape) == 2:
        return rows
    if len(shape) == 1:
        return reshape(rows, shape)
    last = len(shape) - 1
    return permute(reshape(rows, (shape[0], *shape[2:], shape[1])), (0, last, *range(1, last)))


# ------------------------------------------------------------------ public


def _shaped_cases(rng, **options):
    """Every shape an input may have, with class numbers."""
    for shape, labels in (((4, 3), (4,)), ((3,), ()), ((2, 3, 2), (2, 2)), ((2, 3, 1, 2), (2, 1, 2))):
        yield case(spaced(rng, shape), rng.integers(0, 3, labels), **options)
    yield case(spaced(rng, (4, 3)), np.array([2, -100, 1, 0]), spaced(rng, (3,), 0.5, 2), **options)
    yield case(spaced(rng, (2, 3, 2)), rng.integers(0, 3, (2, 2)), reduction="none", **options)
    yield case(np.ones((0, 3)), np.zeros(0, np.int64), reduction="sum", **options)


def _shaped_reference(input, target, weight=None, ignore_index=-100, reduction="mean",
                      log_scores=np.array):
    axis = 0 if input.ndim == 1 else 1
    rows = np.moveaxis(input, axis, -1).reshape(-1, input.shape[axis])
    result = nll_reference(log_scores(rows), np.ravel(target), weight, ignore_index, reduction)
    return result.reshape(np.shape(target)) if reduction == "none" else result


_BAD = [Bad((np.ones((4, 5)), np.arange(3)), {}, ValueError, r"Expected input batch_size \(4\) to match "
                                                             r"target .*\(3\)"),
        Bad((np.ones((2, 3)), np.array([0, 7])), {}, IndexError, "Target 7 is out of bounds.*position 1 .*"
                                                                 "3 classes"),
        Bad((np.array([0, 1]), np.ones((2, 3))), {}, NotImplementedError, "for 'Long'.*swapped"),
        Bad((np.ones((2, 3)), np.ones(2)), {}, RuntimeError, "Long or Byte, but got Double"),
        Bad((np.ones((2, 3)), np.ones((2, 1), int)), {}, RuntimeError, "multi-target not supported"),
        Bad((np.ones((2, 3, 4)), np.ones((2, 3), int)), {}, RuntimeError, r"size mismatch.*\[2, "
                                                                          r"3\].*\[2, 4\]"),
        Bad((np.ones((2, 3)), np.arange(2), np.ones(2)), {}, RuntimeError, r"either for all 3 "
                                                                           r"classes.*\[2\]"),
        Bad((np.ones((2, 3)), np.arange(2)), {"reduction": "all"}, ValueError, "not a valid value for "
                                                                               "reduction")]


def _nll_cases(rng):
    yield from _shaped_cases(rng)
    for labels in ([2, 0, 1, 1], [2, -100, 1, 0]):
        for weight in (None, spaced(rng, (3,), 0.5, 2)):
            for reduction in ("mean", "sum", "none"):
                yield case(spaced(rng, (4, 3)), np.array(labels), weight, reduction=reduction)
    yield case(spaced(rng, (3,)), np.array(1), reduction="none")
    yield case(spaced(rng, (0, 3)), np.zeros(0, np.int64), reduction="none")


def _nll_grad(g, input_shape, target, weight, ignore_index, size_average, reduce, reduction):
    """The cotangent of each loss, negative and times its factor, at the place of the score it was."""
    reduction = reduction_of(reduction, size_average, reduce)
    labels = array_of(target).reshape(-1).astype(np.int64, copy=False)
    shape = len(labels), input_shape[0 if len(input_shape) == 1 else 1]
    if type(g) is np.ndarray:
        slope = _kernels.nll_backward(g, shape, labels, weight, ignore_index, reduction)
        return _from_rows(slope, input_shape)
    factors = -row_factors(labels, array_of(weight), ignore_index, dtype_of(g))
    if reduction == "mean":
        factors /= -factors.sum() or 1
    places = np.where(labels == ignore_index, 0, labels)
    values = mul(reshape(g, (-1,)) if reduction == "none" else g, factors)
    rows = scatter_add(zeros_like_view(values, shape), 1, places[:, None], reshape(values, (len(labels), 1)))
    return _from_rows(rows, input_shape)


@op(grad=dict(input=_nll_grad), samples=_nll_cases, reference=_shaped_reference, bad=_BAD)
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
             reduction="mean"):
    """Negative log-likelihood ``-weight[target] * input[target]`` of log-probabilities.

    Args:
        input: log-probabilities ``(C,)``, ``(N, C)`` or ``(N, C, d1, ..., dk)``.
        target: class numbers (int64 or uint8), of the input's shape without ``C``.
        weight: one factor a class; the mean divides by the sum of the factors used.
        ignore_index: class number of elements that do not count.

    Raises:
        IndexError: for a class number out of range.
        ValueError, RuntimeError: for shapes or dtypes that do not belong together.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html

    >>> float(nll_loss(np.log([[0.5, 0.5]]), np.array([0])).round(3))
    0.693
    """
    reduction, rows, labels = choose_reduction(reduction, size_average, reduce), input, target
    if weight is not None or not _are_rows(input, target):
        _prepare("nll_loss", input, target, weight)
        labels = _class_numbers(input, target, weight).reshape(-1)
        _require_shapes(input, target)
        rows = _rows(input)
    losses, total = _kernels.nll(rows, labels, weight, ignore_index, reduction)
    if total != total:  # NaN, perhaps from a class number out of range
        require_classes(labels, rows.shape[1], ignore_index)
    return losses.reshape(target.shape if input.ndim > 1 else ()) if reduction == "none" else losses


def _mean_of_rows(losses, factors):
    """The sum of the losses divided by that of the weights; NaN with gradient 0 where no row counts."""
    total = sum(losses)
    return div(total, np.asarray(factors.sum())) if factors.any() else add(mul(total, 0.0), math.nan)


def _cross_entropy_cases(rng):
    yield from _shaped_cases(rng)
    yield from _shaped_cases(rng, label_smoothing=0.3)
    for shape in ((4, 3), (3,), (2, 3, 2)):
        yield case(spaced(rng, shape), spaced(rng, shape, 0, 1))
        yield case(spaced(rng, shape), spaced(rng, shape, 0, 1), spaced(rng, (3,), 0.5, 2),
                   label_smoothing=0.3)
    yield case(spaced(rng, (4, 3)), spaced(rng, (4, 3), 0, 1), reduction="none")


def _cross_entropy_reference(input, target, weight=None, ignore_index=-100, reduction="mean",
                             label_smoothing=0.0):
    """By the definition: probabilities for every target, then sums over classes."""
    axis = 0 if input.ndim == 1 else 1
    classes = input.shape[axis]
    scores = log_softmax_reference(np.moveaxis(input, axis, -1).reshape(-1, classes))
    numbers = target.dtype.kind != "f"
    counted = np.ravel(target) != ignore_index if numbers else np.ones(len(scores), bool)
    wanted = (np.eye(classes)[np.ravel(target) % classes] if numbers
              else np.moveaxis(target, axis, -1).reshape(-1, classes))
    factor = np.ones(classes) if weight is None else weight
    smooth = (1 - label_smoothing) * wanted + label_smoothing / classes
    losses = -(smooth * factor * scores).sum(axis=1) * counted
    if reduction == "none":
        return losses.reshape(np.delete(input.shape, axis))
    divisor = (wanted * factor)[counted].sum() if numbers else len(scores)
    return losses.sum() / (divisor if reduction == "mean" else 1)


def _smoothed(scores, labels, weight, ignore_index: int, reduction: str, label_smoothing: float):
    """Cross entropy of log-probabilities (M, C) and class numbers, with label smoothing."""
    factors = row_factors(labels, weight, ignore_index, dtype_of(scores))
    counted = labels != ignore_index
    spread = sum(scores if weight is None else mul(scores, weight), 1)
    uniform = keep_where(spread, counted)
    chosen = nll_loss(scores, labels, weight, None, ignore_index, None, "none")
    losses = sub(mul(chosen, 1 - label_smoothing), mul(uniform, label_smoothing / scores.shape[1]))
    return _mean_of_rows(losses, factors) if reduction == "mean" else reduce_losses(losses, reduction)


def _of_probabilities(input, target, weight, reduction: str, label_smoothing: float):
    """Cross entropy with targets that are probabilities of the input's shape."""
    if dtype_of(target).kind != "f":
        raise RuntimeError("Expected floating point type for target with class probabilities, got "
                           f"{TYPE_NAMES[dtype_of(target).name]}; a target of the input's shape is "
                           "probabilities, class numbers have shape "
                           f"{(*input.shape[:1], *input.shape[2:]) if input.ndim > 1 else ()}")
    scores, wanted = log_softmax(_rows(input), 1), _rows(target)
    if label_smoothing:
        wanted = add(mul(wanted, 1 - label_smoothing), label_smoothing / scores.shape[1])
    products = mul(scores, wanted)
    losses = neg(sum(products if weight is None else mul(products, weight), 1))
    if reduction == "none":
        return reshape(losses, tuple(input.shape[:1] + input.shape[2:]) if input.ndim > 1 else ())
    total = sum(losses)
    return div(total, scores.shape[0]) if reduction == "mean" else total


@composite(samples=_cross_entropy_cases, reference=_cross_entropy_reference,
           differentiable=("input", "target"),
           bad=[*_BAD, Bad((np.ones((2, 3)), np.arange(2)), {"label_smoothing": 2}, RuntimeError,
                           "between 0.0 and 1.0"),
                Bad((np.ones((2, 3)), np.ones((2, 3))), {"ignore_index": 1}, RuntimeError,
                    "not supported for floating point target"),
                Bad((np.ones((2, 3)), np.ones((2, 3), int)), {}, RuntimeError, "class probabilities, "
                                                                               "got Long")])
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
                  reduction="mean",
                  label_smoothing=0.0):
    """Cross entropy of logits and classes: `nll_loss` of their `log_softmax`, fused into one op.

    Args:
        input: logits ``(C,)``, ``(N, C)`` or ``(N, C, d1, ..., dk)``; no softmax before.
        target: class numbers of the input's shape without ``C``, or probabilities of the input's shape.
        weight: one factor a class.  With class numbers the mean divides by the sum of the factors used,
            with probabilities by the number of rows.
        ignore_index: class number of elements that do not count; not for probabilities.
        label_smoothing: share of the uniform distribution that is mixed into the target, from 0 to 1.

    Raises:
        IndexError: for a class number out of range.
        ValueError, RuntimeError: for shapes or dtypes that do not belong together.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html

    >>> float(cross_entropy(np.array([[0.0, 0.0]]), np.array([1])).round(3))
    0.693
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    labels = array_of(target)
    if weight is None and label_smoothing == 0 and _are_rows(array_of(input), labels):
        if isinstance(input, Traced):  # 0.3 microseconds less than a call of the op
            return input.record(softmax_cross_entropy, (input, labels, None, ignore_index, reduction), {})[0]
        return softmax_cross_entropy(input, labels, None, ignore_index, reduction)[0]
    classes = _prepare("cross_entropy", input, target, weight)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if tuple(input.shape) == tuple(target.shape):
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target, got "
                               f"{ignore_index=}; leave those rows out instead")
        return _of_probabilities(input, target, weight, reduction, label_smoothing)
    weight = array_of(weight)
    _require_shapes(input, target)
    labels = _class_numbers(input, target, weight)
    rows, numbers = _rows(input), labels.reshape(-1)
    if label_smoothing:
        require_classes(labels, classes, ignore_index)
        losses = _smoothed(log_softmax(rows, 1), numbers, weight, ignore_index, reduction,
                           label_smoothing)
    else:
        losses = softmax_cross_entropy(rows, numbers, weight, ignore_index, reduction)[0]
    return reshape(losses, tuple(target.shape) if input.ndim > 1
                   else ()) if reduction == "none" else losses
