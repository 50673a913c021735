"""Losses that are negative log-likelihoods or divergences of probabilities, element by element."""

from __future__ import annotations

import math

import numpy as np

from ops.activation.smooth import softplus
from ops.broadcasting import broadcast_shapes
from ops.callers import warn_user
from ops.core import Bad, array_of, case, composite, dtype_of, op, shape_of
from ops.elementwise.arithmetic import add, mul, neg, square, sub
from ops.elementwise.clamping import clamp_min
from ops.elementwise.combining import xlogy
from ops.elementwise.division import div
from ops.elementwise.exponential import exp, log, sigmoid
from ops.elementwise.masking import where
from ops.loss.regression import (
    BAD_LOSS,
    choose_reduction,
    loss_cases,
    reduce_losses,
    refuse_swapped,
    require_same_shape,
)
from ops.promotion import operands
from ops.reduction.totals import TYPE_NAMES
from ops.samples import spaced
from ops.shape.layout import unsqueeze

__all__ = ["bernoulli_nll", "binary_cross_entropy", "binary_cross_entropy_with_logits",
           "gaussian_nll_loss", "kl_div",
           "logits_nll", "poisson_nll_loss"]


def _require_floating(name: str, input, target) -> None:
    if dtype_of(input).kind != "f":
        refuse_swapped(name, input, target)
    for value in (input, target):
        if dtype_of(value).kind != "f":
            raise RuntimeError(f"{name}: Found dtype {TYPE_NAMES[dtype_of(value).name]} but expected "
                               "Float; convert it first: x.float()")


def _reduced(values, reduction):
    return values if reduction == "none" else np.sum(values) / (np.size(values) if reduction == "mean"
                                                                else 1)


def _probability_cases(rng, **options):
    return loss_cases(rng, 0.1, 0.9, 0.1, 0.9, **options)


# ------------------------------------------------------------------ yes or no


def _log(x):
    """Logarithm that is never below -100, so that a loss of certainty stays finite, as in PyTorch."""
    return np.maximum(np.log(x), x.dtype.type(-100))


@op(
    grad=dict(
        input=lambda g, input, target: div(mul(g, sub(input, target)),
                                           clamp_min(mul(input, sub(1.0, input)), 1e-12)),
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


@composite(samples=_probability_cases, differentiable=("input", "target"),
           reference=lambda input, target, reduction="mean": _reduced(bernoulli_nll.reference(input,
                                                                                              target),
                                                                      reduction),
           bad=[*BAD_LOSS, *bernoulli_nll.bad])
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
    losses = bernoulli_nll(input, target)
    return reduce_losses(losses if weight is None else mul(losses, weight), reduction)


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
    return _reduced(losses, reduction)


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
    losses = logits_nll(input, target, pos_weight)
    return reduce_losses(losses if weight is None else mul(losses, weight), reduction)


# ------------------------------------------------------------------ divergence and other distributions


def _kl_cases(rng):
    for bounds, options in (((0.1, 0.9), {}), ((-3, -0.1), {"log_target": True})):
        for one in loss_cases(rng, -3, -0.1, *bounds, **options):
            if one.kwargs["reduction"] != "mean":  # which warns
                yield one
    yield case(np.array(-1.0), np.array(0.5), reduction="none")
    yield case(spaced(rng, (2, 3), -3, 0), spaced(rng, (2, 3), 0.1, 1), reduction="batchmean")


def _kl_reference(input, target, reduction="mean", log_target=False):
    losses = np.exp(target) * (target - input) if log_target else target * (np.log(target) - input)
    return np.sum(losses) / len(input) if reduction == "batchmean" else _reduced(losses, reduction)


@composite(samples=_kl_cases, reference=_kl_reference, bad=BAD_LOSS, differentiable=("input", "target"))
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """Kullback-Leibler divergence ``target * (log(target) - input)``; ``input`` is log-probabilities.

    Args:
        reduction: besides the usual ones ``'batchmean'``, the sum divided by the batch size, which is
            the divergence's definition; ``'mean'`` divides by the number of elements.
        log_target: whether the target is log-probabilities too.

    >>> float(kl_div(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]), reduction="batchmean").round(3))
    0.693
    """
    batch_mean = reduction == "batchmean"
    reduction = "sum" if batch_mean else choose_reduction(reduction, size_average, reduce)
    if reduction == "mean":
        warn_user("reduction: 'mean' divides the total loss by both the batch size and the support "
                  "size. 'batchmean' divides only by the batch size, and aligns with the KL div "
                  "math definition.")
    require_same_shape("kl_div", input, target)
    if log_target:
        losses = mul(exp(target), sub(target, input))
    else:
        losses = sub(xlogy(target, target), mul(target, input))
    result = reduce_losses(losses, reduction)
    return div(result, input.shape[0]) if batch_mean and input.ndim else result


def _poisson_reference(input, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    losses = np.exp(input) - target * input if log_input else input - target * np.log(input + eps)
    if full:
        stirling = target * np.log(target) - target + 0.5 * np.log(2 * np.pi * target)
        losses = losses + np.where(target > 1, stirling, 0)
    return _reduced(losses, reduction)


@composite(
    samples=lambda rng: (*loss_cases(rng, 0.2, 2, 0.2, 3),
                         *loss_cases(rng, 0.2, 2, 0.2, 3, log_input=False, full=True)),
    reference=_poisson_reference, bad=BAD_LOSS,
)
def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
                     reduction="mean"):
    """Negative log-likelihood of counts ``target`` under a Poisson distribution of mean ``exp(input)``.

    Args:
        log_input: whether the input is the mean's logarithm; else it is the mean itself.
        full: whether to add Stirling's approximation of the constant ``log(target!)``.

    >>> float(poisson_nll_loss(np.array([0.0]), np.array([2.0])))
    1.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("poisson_nll_loss", input, target)
    if log_input:
        losses = sub(exp(input), mul(target, input))
    else:
        losses = sub(input, mul(target, log(add(input, eps))))
    if full:
        large = array_of(target) > 1
        counts = where(large, target, 1.0)
        stirling = add(sub(mul(counts, log(counts)), counts), mul(log(mul(counts, 2 * math.pi)), 0.5))
        losses = add(losses, mul(stirling, large))
    return reduce_losses(losses, reduction)


def _gaussian_cases(rng):
    for one in loss_cases(rng):
        yield case(*one.args, spaced(rng, one.args[0].shape, 0.2, 2), **one.kwargs)
    yield case(spaced(rng, (2, 3)), spaced(rng, (2, 3)), spaced(rng, (2,), 0.2, 2), True)


def _gaussian_reference(input, target, var, full=False, eps=1e-6, reduction="mean"):
    var = var[:, None] if var.ndim < input.ndim else var
    losses = 0.5 * (np.log(var) + (input - target) ** 2 / var) + (0.5 * math.log(2 * math.pi) if full
                                                                  else 0)
    return _reduced(losses, reduction)


@composite(
    samples=_gaussian_cases, reference=_gaussian_reference, differentiable=("input", "target", "var"),
    bad=[Bad((np.ones(3), np.ones(3), np.ones(2)), {}, ValueError, r"var is of incorrect size.*\(2,\)"),
         Bad((np.ones(3), np.ones(3), -np.ones(3)), {}, ValueError, "var has negative entry/entries"),
         Bad((np.ones((3, 1)), np.ones(3), np.ones(3)), {}, ValueError, r"\(3, 1\).*\(3,\)")],
)
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """Negative log-likelihood of ``target`` under normals of mean ``input`` and variance ``var``.

    Args:
        var: number or array of the input's shape, also without or with size 1 in the last dimension.
        full: whether to add the constant ``log(2 * pi) / 2``.
        eps: the smallest variance; the clamp does not change the gradient.

    >>> float(gaussian_nll_loss(np.array([1.0]), np.array([3.0]), np.array([1.0])))
    2.0
    """
    reduction = choose_reduction(reduction)
    require_same_shape("gaussian_nll_loss", input, target)
    if isinstance(var, (int, float)):
        var = np.full(input.shape, var, dtype_of(input))
    if shape_of(var) != shape_of(input):
        if shape_of(var) == shape_of(input)[:-1]:
            var = unsqueeze(var, -1)
        elif shape_of(var) != (*input.shape[:-1], 1):
            raise ValueError(f"var is of incorrect size: {tuple(var.shape)} for an input of "
                             f"{tuple(input.shape)}")
    values = array_of(var)
    if (values < 0).any():
        raise ValueError(f"var has negative entry/entries, the smallest is {values.min()}")
    var = add(var, np.maximum(values, values.dtype.type(eps)) - values)
    losses = mul(add(log(var), div(square(sub(input, target)), var)), 0.5)
    return reduce_losses(add(losses, 0.5 * math.log(2 * math.pi)) if full else losses, reduction)
