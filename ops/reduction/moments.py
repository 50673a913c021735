"""Variance and standard deviation over dimensions, alone and together with the mean."""

from __future__ import annotations

import math

import numpy as np

from ops.callers import warn_user
from ops.core import Bad, array_of, case, composite, op
from ops.elementwise.arithmetic import add, mul, sub
from ops.elementwise.division import div
from ops.elementwise.pointwise import LARGE, SEVERAL, tensor_only
from ops.lazy import LazyModule
from ops.reduction.totals import BAD_DIMS, TYPE_NAMES, keep_reduced, mean, normalize_dims, reduced_count
from ops.samples import spaced

__all__ = ["std", "std_mean", "var", "var_mean"]

_kernels = LazyModule("ops.kernels.moments")


def _moment_arguments(name: str, dim, unbiased, correction) -> tuple:
    """``(dim, correction)`` from the present or older spelling (``unbiased``, also in dim's place)."""
    if isinstance(dim, (bool, np.bool_)):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments: unbiased={unbiased} "
                        f"and correction={correction}; give correction alone (unbiased=False is "
                        "correction=0)")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


def _spread(name, input, dim, unbiased, keepdim, correction, rooted: bool):
    """The variance over dimensions, or its root."""
    dim, correction = _moment_arguments(name, dim, unbiased, correction)
    if type(input) is not np.ndarray:
        tensor_only(input)
    if input.dtype.kind != "f":
        raise RuntimeError("std and var only support floating point and complex dtypes, got "
                           f"{TYPE_NAMES[input.dtype.name]}; convert first: input.float().{name}()")
    dims = None if dim is None else normalize_dims(dim, input.ndim)
    count = input.size if dims is None else math.prod([input.shape[d] for d in dims])
    freedom = count - correction if count > correction else 0
    if freedom <= 0:
        warn_user(f"{name}(): degrees of freedom is <= 0. Correction ({correction}) should be "
                  f"strictly less than the reduction factor ({count}, input numel divided by output "
                  "numel).")
    if SEVERAL <= input.size < LARGE:
        result = _kernels.spread(input, dims, keepdim, freedom, True, rooted)
        if result is not None:
            return result
    average = np.add.reduce(input, axis=dims, keepdims=True) / input.dtype.type(count)
    deviation = input - average
    variance = np.add.reduce(deviation * deviation, axis=dims, keepdims=keepdim) / input.dtype.type(freedom)
    return np.sqrt(variance) if rooted else variance


def _variance_grad(g, input, dim, unbiased, correction):
    dim, correction = _moment_arguments("var", dim, unbiased, correction)
    freedom = reduced_count(input.shape, dim) - correction
    scale = 2.0 / freedom if freedom > 0 else math.inf
    g = keep_reduced(mul(g, scale), input.shape, dim)
    return mul(sub(input, mean(input, dim, True)), g)


def divide_or_zero(a, b):
    """``a / b``, and 0 where ``b`` is 0: the gradient that PyTorch gives roots and norms at zero.

    >>> divide_or_zero(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    """
    zero = np.equal(array_of(b), 0)
    return mul(div(a, add(b, zero)), np.logical_not(zero)) if zero.any() else div(a, b)


def _moment_cases(rng):
    yield case(spaced(rng, (2, 3, 4)))
    yield case(spaced(rng, (2, 3, 4)), 1, keepdim=True)
    yield case(spaced(rng, (2, 3, 4)), (0, -1), correction=0)
    yield case(spaced(rng, (4,)), False)
    yield case(spaced(rng, (3, 4)), 0, unbiased=False)
    yield case(spaced(rng, (3, 0)), 0)
    yield case(spaced(rng, ()), correction=0)


def _moment_reference(power):
    def reference(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        ddof = int(unbiased if unbiased is not None else dim is not False)
        axis = None if isinstance(dim, bool) else dim
        return np.var(input, axis=axis, ddof=correction if correction is not None else ddof,
                      keepdims=keepdim) ** power

    return reference


_BAD_MOMENTS = [*BAD_DIMS, Bad((np.arange(3),), {}, RuntimeError, "only support floating point"),
                Bad((np.ones(3),), {"unbiased": True, "correction": 1}, TypeError,
                    "invalid combination")]


@op(grad=dict(input=_variance_grad), samples=_moment_cases, reference=_moment_reference(1.0),
    bad=_BAD_MOMENTS)
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Variance over dimensions: the sum of squared deviations divided by ``count - correction``.

    Args:
        correction: 1 by default (Bessel's correction); 0 for the variance of the elements themselves.
        unbiased: the older spelling, True for correction 1 and False for 0.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.var.html

    >>> float(var(np.array([1.0, 2.0, 3.0]))), float(var(np.array([1.0, 3.0]), correction=0))
    (1.0, 1.0)
    """
    return _spread("var", input, dim, unbiased, keepdim, correction, False)


@op(
    grad=dict(input=lambda g, ans, input, dim, unbiased, correction: _variance_grad(
        divide_or_zero(mul(g, 0.5), ans), input, dim, unbiased, correction)),
    samples=_moment_cases, reference=_moment_reference(0.5), bad=_BAD_MOMENTS,
)
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Standard deviation over dimensions, the root of `var`; its gradient is 0 where it is 0.

    >>> float(std(np.array([1.0, 3.0]), correction=0))
    1.0
    """
    return _spread("std", input, dim, unbiased, keepdim, correction, True)


def _and_mean(moment, power):
    """Record of ``var_mean`` and ``std_mean``."""
    reference = _moment_reference(power)

    def both(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        axis = None if isinstance(dim, bool) else dim
        return (reference(input, dim, unbiased, keepdim, correction=correction),
                np.mean(input, axis=axis, keepdims=keepdim))

    return dict(samples=_moment_cases, reference=both, bad=_BAD_MOMENTS)


@composite(**_and_mean(var, 1.0))
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Variance and mean over dimensions, with the arguments of `var`.

    >>> [float(m) for m in var_mean(np.array([1.0, 3.0]), correction=0)]
    [1.0, 2.0]
    """
    variance = var(input, dim, unbiased, keepdim, correction=correction)
    return variance, mean(input, _moment_arguments("var", dim, None, None)[0], keepdim)


@composite(**_and_mean(std, 0.5))
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Standard deviation and mean over dimensions, with the arguments of `std`.

    >>> [float(m) for m in std_mean(np.array([1.0, 3.0]), correction=0)]
    [1.0, 2.0]
    """
    deviation = std(input, dim, unbiased, keepdim, correction=correction)
    return deviation, mean(input, _moment_arguments("std", dim, None, None)[0], keepdim)
