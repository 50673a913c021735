"""Losses of yes-or-no questions: the cross entropy of probabilities, and of logits."""

from __future__ import annotations

import math

import numpy as np

from ops.activation.smooth import softplus
from ops.broadcasting import broadcast_shapes
from ops.core import Bad, case, composite, dtype_of, op
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.elementwise.clamping import clamp_min
from ops.elementwise.division import div
from ops.elementwise.exponential import log, sigmoid
from ops.lazy import LazyModule
from ops.loss.regression import (
    BAD_LOSS,
    choose_reduction,
    fits_kernel,
    loss_cases,
    of_array,
    of_sum,
    part_of,
    reduce_losses,
    reduced,
    refuse_swapped,
    require_same_shape,
)
from ops.promotion import operands
from ops.reduction.totals import TYPE_NAMES
from ops.samples import spaced

__all__ = ["bernoulli_error", "bernoulli_nll", "binary_cross_entropy", "binary_cross_entropy_with_logits",
           "logits_error", "logits_nll"]

_kernels = LazyModule("ops.kernels.likelihood")


def _require_floating(name: str, input, target) -> None:
    if dtype_of(input).kind != "f":
        refuse_swapped(name, input, target)
    for value in (input, target):
        if dtype_of(value).kind != "f":
            raise RuntimeError(f"{name}: Found dtype {TYPE_NAMES[dtype_of(value).name]} but expected "
                               "Float; convert it first: x.float()")


def _probability_cases(rng, **options):
    return loss_cases(rng, 0.1, 0.9, 0.1, 0.9, **options)


# ------------------------------------------------------------------ yes or no


def _log(x):
    """Logarithm that is never below -100, so that a loss of certainty stays finite, as in PyTorch."""
    return np.maximum(np.log(x), x.dtype.type(-100))


@op(
    grad=dict(
        input=lambda g, input, target: div(mul(g, sub(input, target)), _variance(input)),
        target=lambda g, input: mul(g, sub(clamp_min(log(sub(1.0, input)), -100.0),
                                           clamp_min(log(input), -100.0))),
    ),
    samples=lambda rng: (case(*c.args) for c in _probability_cases(rng)),
    reference=lambda input, target: -(target * np.log(input) + (1 - target) * np.log1p(-input)),
    bad=[Bad((np.array([1.5]), np.ones(1)), {}, RuntimeError, r"elements of input should be between 0 "
                                                              r"and 1.*1\.5"),
         Bad((np.array([0.5]), -np.ones(1)), {}, RuntimeError, "elements of target should be between 0 "
                                                               "and 1")],
)
def bernoulli_nll(input, target):
    """``-(target * log(input) + (1 - target) * log(1 - input))`` with each log at least -100.

    >>> bernoulli_nll(np.array([0.5, 0.0]), np.array([1.0, 1.0])).round(3)
    array([  0.693, 100.   ])
    """
    input, target = operands(input, target)
    for name, value in (("input", input), ("target", target)):
        if value.size and not (value.min() >= 0 and value.max() <= 1):
            advice = "; for logits use binary_cross_entropy_with_logits" if name == "input" else (
                "; the input is all 0 and 1: input and target seem to be swapped"
                if np.isin(input, (0, 1)).all() else "")
            raise RuntimeError(f"all elements of {name} should be between 0 and 1, got values from "
                               f"{value.min()} to {value.max()}{advice}")
    return -(target * _log(input) + (1 - target) * _log(1 - input))


def _variance(p):
    """``p * (1 - p)``, not below 1e-12."""
    return clamp_min(mul(p, sub(1.0, p)), 1e-12)


def _bernoulli_slope(g, input, target, reduction):
    part = part_of(g, input.shape, reduction)
    if type(g) is np.ndarray and fits_kernel(input, target, reduction):
        return _kernels.bernoulli_slope(input, target, float(part))
    return mul(part, div(sub(input, target), _variance(input)))


def _with_many(cases, *bounds):
    """Samples and one more that is large enough for the kernels."""
    return lambda rng: (*cases(rng), case(spaced(rng, (16, 17), *bounds), spaced(rng, (16, 17), 0.1, 0.87)))


@op(
    grad=dict(
        input=_bernoulli_slope,
        target=lambda g, input, reduction: mul(part_of(g, input.shape, reduction), sub(
            clamp_min(log(sub(1.0, input)), -100.0), clamp_min(log(input), -100.0))),
    ),
    samples=_with_many(_probability_cases, 0.1, 0.9),
    reference=lambda input, target, reduction="mean": reduced(bernoulli_nll.reference(input, target),
                                                              reduction),
    bad=[*bernoulli_nll.bad, Bad((np.full((20, 20), 1.5), np.ones((20, 20))), {}, RuntimeError,
                                 "elements of input should be between 0 and 1")],
)
def bernoulli_error(input, target, reduction="mean"):
    """`bernoulli_nll` of equal shapes, reduced: one op for `binary_cross_entropy`.

    >>> float(bernoulli_error(np.array([0.5]), np.array([1.0])).round(3))
    0.693
    """
    if fits_kernel(input, target, reduction):
        total = _kernels.bernoulli_sum(input, target)
        if total == total:  # NaN tells that something is not between 0 and 1
            return of_sum(total, input, reduction)
    return of_array(bernoulli_nll.forward(input, target), reduction)


@composite(samples=_probability_cases, differentiable=("input", "target"),
           reference=bernoulli_error.reference, bad=[*BAD_LOSS, *bernoulli_nll.bad])
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Cross entropy of probabilities ``input`` and ``target``, each between 0 and 1.

    Args:
        weight: factor of each element, of a shape that broadcasts to the input's.

    Raises:
        RuntimeError: for values outside 0 and 1, as logits are.
        ValueError: if the shapes differ.

    >>> float(binary_cross_entropy(np.array([0.5]), np.array([1.0])).round(3))
    0.693
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("binary_cross_entropy", input, target)
    _require_floating("binary_cross_entropy", input, target)
    _require_same_dtype(input, target)
    if weight is None:
        return bernoulli_error(input, target, reduction)
    return reduce_losses(mul(bernoulli_nll(input, target), weight), reduction)


def _require_same_dtype(input, target) -> None:
    """Refuse a target of another precision, as PyTorch does."""
    found, expected = dtype_of(target), dtype_of(input)
    if found != expected:
        raise RuntimeError(f"Found dtype {TYPE_NAMES[found.name]} but expected "
                           f"{TYPE_NAMES[expected.name]}: convert it, target.to(input.dtype)")


def _logits_weight(target, pos_weight):
    """How much log(sigmoid(x)) counts: 1 for pos_weight 1."""
    return add(mul(sub(pos_weight, 1.0), target), 1.0)


def _logits_grad(g, input, target, pos_weight):
    if pos_weight is None:
        return mul(g, sub(sigmoid(input), target))
    missed = mul(_logits_weight(target, pos_weight), sigmoid(neg(input)))
    return mul(g, sub(sub(1.0, target), missed))


def _logits_target_grad(g, input, pos_weight):
    if pos_weight is None:
        return neg(mul(g, input))
    return mul(g, sub(mul(sub(pos_weight, 1.0), softplus(neg(input), 1.0, math.inf)), input))


def _logits_cases(rng):
    yield from loss_cases(rng, -2, 2, 0.1, 0.9)
    yield case(spaced(rng, (2, 3)), spaced(rng, (2, 3), 0, 1), pos_weight=spaced(rng, (3,), 0.5, 2))


def _logits_reference(input, target, pos_weight=None, reduction="none"):
    positive = 1.0 if pos_weight is None else pos_weight
    losses = positive * target * np.logaddexp(0, -input) + (1 - target) * np.logaddexp(0, input)
    return reduced(losses, reduction)


@op(
    grad=dict(input=_logits_grad, target=_logits_target_grad,
              pos_weight=lambda g, input, target: mul(g, mul(target,
                                                             softplus(neg(input), 1.0, math.inf)))),
    broadcasts=True,
    samples=lambda rng: (case(*c.args, *([c.kwargs["pos_weight"]] if "pos_weight" in c.kwargs else []))
                         for c in _logits_cases(rng)),
    reference=_logits_reference,
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones(2)), {}, RuntimeError, "must match the size of "
                                                                               "tensor")],
)
def logits_nll(input, target, pos_weight=None):
    """``-(pos_weight * target * log(p) + (1 - target) * log(1 - p))`` for ``p = sigmoid(input)``.

    >>> logits_nll(np.array([0.0, 1000.0]), np.array([1.0, 1.0])).round(3)
    array([0.693, 0.   ])
    """
    input, target = operands(input, target)
    softplus = np.maximum(-input, 0) + np.log1p(np.exp(-np.abs(input)))
    if pos_weight is not None:
        broadcast_shapes(input.shape, pos_weight.shape)
        softplus = softplus * ((pos_weight - 1) * target + 1).astype(input.dtype)
    return (1 - target) * input + softplus


def _logits_slope(g, input, target, reduction):
    part = part_of(g, input.shape, reduction)
    if type(g) is np.ndarray and fits_kernel(input, target, reduction):
        return _kernels.logits_slope(input, target, float(part))
    return mul(part, sub(sigmoid(input), target))


@op(
    grad=dict(input=_logits_slope,
              target=lambda g, input, reduction: neg(mul(part_of(g, input.shape, reduction), input))),
    samples=_with_many(lambda rng: loss_cases(rng, -2, 2, 0.1, 0.9), -2, 2),
    reference=lambda input, target, reduction="mean": _logits_reference(input, target, reduction=reduction),
    exempt={"bad": "binary_cross_entropy_with_logits checks"},
)
def logits_error(input, target, reduction="mean"):
    """`logits_nll` of equal shapes, reduced: one op for `binary_cross_entropy_with_logits`.

    >>> float(logits_error(np.array([0.0]), np.array([1.0])).round(3))
    0.693
    """
    if fits_kernel(input, target, reduction):
        return of_sum(_kernels.logits_sum(input, target), input, reduction)
    return of_array(logits_nll.forward(input, target), reduction)


@composite(samples=_logits_cases, differentiable=("input", "target"),
           reference=lambda input, target, reduction="mean", pos_weight=None: _logits_reference(
               input, target, pos_weight, reduction),
           bad=BAD_LOSS)
def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None,
                                     reduction="mean",
                                     pos_weight=None):
    """Cross entropy of ``sigmoid(input)`` and ``target``, exact for logits of any size.

    Args:
        weight: factor of each element, of a shape that broadcasts to the input's.
        pos_weight: factor of the positive part, mostly one number a class: ``negatives / positives``.

    Raises:
        ValueError: if the shapes differ.

    >>> float(binary_cross_entropy_with_logits(np.array([0.0]), np.array([1.0])).round(3))
    0.693
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("binary_cross_entropy_with_logits", input, target)
    _require_floating("binary_cross_entropy_with_logits", input, target)
    if weight is None and pos_weight is None:
        return logits_error(input, target, reduction)
    losses = logits_nll(input, target, pos_weight)
    return reduce_losses(losses if weight is None else mul(losses, weight), reduction)
