"""Losses that are negative log-likelihoods or divergences of probabilities, element by element."""

from __future__ import annotations

import math

import numpy as np

from ops.callers import warn_user
from ops.core import Bad, array_of, case, composite, dtype_of, op, shape_of
from ops.elementwise.arithmetic import add, mul, neg, square, sub
from ops.elementwise.combining import xlogy
from ops.elementwise.division import div
from ops.elementwise.exponential import exp, log
from ops.elementwise.masking import where
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
    require_same_shape,
)
from ops.promotion import operands
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import unsqueeze

__all__ = ["divergence", "gaussian_nll_loss", "kl_div", "poisson_nll_loss"]

_kernels = LazyModule("ops.kernels.likelihood")


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
    return reduced(losses, reduction)


def _divergence_slope(g, input, target, reduction):
    """The cotangent times log(target) + 1 - input; like that of `xlogy` it is NaN at 0."""
    slope = sub(add(log(target), div(target, target)), input)
    return mul(part_of(g, shape_of(input), reduction), slope)


@op(
    grad=dict(
        input=lambda g, input_shape, target, reduction: mul(neg(part_of(g, input_shape, reduction)), target),
        target=_divergence_slope,
    ),
    samples=lambda rng: (
        *loss_cases(rng, -3, -0.1, 0.1, 0.9),
        case(spaced(rng, (16, 17), -3, -0.1), spaced(rng, (16, 17), 0.1, 0.87), "batchmean")),
    reference=lambda input, target, reduction="mean": _kl_reference(input, target, reduction),
    exempt={"bad": "kl_div checks"},
)
def divergence(input, target, reduction="mean"):
    """``target * (log(target) - input)`` of equal shapes, reduced: one op for `kl_div`.

    >>> float(divergence(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]), "batchmean").round(3))
    0.693
    """
    if fits_kernel(input, target, reduction):
        return of_sum(_kernels.divergence_sum(input, target), input, reduction)
    input, target = operands(input, target, floating=True)
    return of_array(xlogy.forward(target, target) - target * input, reduction)


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
    if reduction != "batchmean":
        reduction = choose_reduction(reduction, size_average, reduce)
    elif not input.ndim:
        reduction = "sum"
    if reduction == "mean":
        warn_user("reduction: 'mean' divides the total loss by both the batch size and the support "
                  "size. 'batchmean' divides only by the batch size, and aligns with the KL div "
                  "math definition.")
    require_same_shape("kl_div", input, target)
    if not log_target:
        return divergence(input, target, reduction)
    losses = mul(exp(target), sub(target, input))
    return div(sum(losses), input.shape[0]) if reduction == "batchmean" else reduce_losses(losses, reduction)


def _poisson_reference(input, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    losses = np.exp(input) - target * input if log_input else input - target * np.log(input + eps)
    if full:
        stirling = target * np.log(target) - target + 0.5 * np.log(2 * np.pi * target)
        losses = losses + np.where(target > 1, stirling, 0)
    return reduced(losses, reduction)


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
    return reduced(losses, reduction)


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
