"""The larger, the smaller, and values held between bounds.

Where two values tie, each gets half of the gradient (`maximum`, `minimum`), or the first gets all
(`fmax`, `fmin`).
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, op
from ops.elementwise.arithmetic import mul
from ops.elementwise.comparison import eq, ge, gt, isfinite, isnan, le, logical_and, logical_or, lt
from ops.elementwise.masking import keep_where, where, zero_where
from ops.elementwise.pointwise import (
    LARGE,
    SEVERAL,
    by_element,
    large,
    not_implemented,
    pointwise,
    tensor_only,
)
from ops.lazy import LazyModule
from ops.promotion import not_a_tensor, operands
from ops.samples import binary, spaced

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum", "nan_to_num"]

_pieces = LazyModule("ops.kernels.pieces")

_bad_pair = [
    Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
    Bad((np.ones(2), 1.0), {}, TypeError, r"argument 'other' \(position 2\) must be Tensor, not float"),
]


def _pair(ufunc, input, other):
    tensor_only(input, other)
    return pointwise(ufunc, input, other)


def _share(g, lost, tie):
    """The cotangent where an argument won, half of it where both are equal, 0 where it lost."""
    return zero_where(where(tie, mul(g, 0.5), g), lost)


@op(
    grad=dict(input=lambda g, input, other: _share(g, lt(input, other), eq(input, other)),
              other=lambda g, input, other: _share(g, gt(input, other), eq(input, other))),
    broadcasts=True, samples=binary(number=None), bad=_bad_pair,
    reference=by_element(lambda a, b: a if a > b else b),
)
def maximum(input, other):
    """The larger of two elements; NaN if one of them is NaN.

    >>> maximum(np.array([1.0, 5.0]), np.array([3.0, 2.0]))
    array([3., 5.])
    """
    return _pair(np.maximum, input, other)


@op(
    grad=dict(input=lambda g, input, other: _share(g, gt(input, other), eq(input, other)),
              other=lambda g, input, other: _share(g, lt(input, other), eq(input, other))),
    broadcasts=True, samples=binary(number=None), bad=_bad_pair,
    reference=by_element(lambda a, b: a if a < b else b),
)
def minimum(input, other):
    """The smaller of two elements; NaN if one of them is NaN.

    >>> minimum(np.array([1.0, 5.0]), np.array([3.0, 2.0]))
    array([1., 2.])
    """
    return _pair(np.minimum, input, other)


def _first_is_max(input, other):
    return logical_or(ge(input, other), isnan(other))


def _first_is_min(input, other):
    return logical_or(le(input, other), isnan(other))


@op(
    grad=dict(input=lambda g, input, other: keep_where(g, _first_is_max(input, other)),
              other=lambda g, input, other: zero_where(g, _first_is_max(input, other))),
    broadcasts=True, samples=binary(number=None), bad=_bad_pair,
    reference=by_element(lambda a, b: a if a > b else b),
)
def fmax(input, other):
    """The larger of two elements; a number wins over NaN.

    >>> fmax(np.array([1.0, np.nan]), np.array([3.0, 2.0]))
    array([3., 2.])
    """
    return _pair(np.fmax, input, other)


@op(
    grad=dict(input=lambda g, input, other: keep_where(g, _first_is_min(input, other)),
              other=lambda g, input, other: zero_where(g, _first_is_min(input, other))),
    broadcasts=True, samples=binary(number=None), bad=_bad_pair,
    reference=by_element(lambda a, b: a if a < b else b),
)
def fmin(input, other):
    """The smaller of two elements; a number wins over NaN.

    >>> fmin(np.array([1.0, np.nan]), np.array([3.0, 2.0]))
    array([1., 2.])
    """
    return _pair(np.fmin, input, other)


# ------------------------------------------------------------------ bounds


def _clamp_cases(rng):
    for shape in ((), (2, 3), (0, 3)):
        yield case(spaced(rng, shape, -3, 3.3), -1, 1.5)
    yield case(spaced(rng, (2, 3), -3, 3.3), min=0.1)
    yield case(spaced(rng, (2, 3), -3, 3.3), max=0.1)
    yield case(spaced(rng, (2, 3), -3, 3.3), 1, -1)
    yield case(spaced(rng, (2, 3), -3, 3.3), spaced(rng, (3,), -1, 0), spaced(rng, (2, 1), 0.5, 2))
    yield case(spaced(rng, (3,), -3, 3.3), max=spaced(rng, (2, 1), -1, 2))
    yield case(np.arange(5), 1, 2.5)


def _clamp_reference(input, min=None, max=None):
    low = -math.inf if min is None else min
    high = math.inf if max is None else max
    return by_element(
        lambda a, lower, upper: sorted((a, lower, upper))[1] if lower < upper else upper,
    )(input, low, high)


def _inside(g, input, min, max):
    """The gradient of the clamped values: it passes between the bounds, ends included."""
    if type(g) is np.ndarray and large(g) and _are_numbers(min, max):
        return _pieces.inside_slope(g, input, *_limits(min, max))
    inside = ge(input, min) if max is None else le(input, max)
    if min is not None and max is not None:
        inside = logical_and(inside, ge(input, min))
    return keep_where(g, inside)


_BOUNDS = (type(None), float, int)


def _are_numbers(min, max) -> bool:
    return all(bound is None or isinstance(bound, (int, float)) for bound in (min, max))


def _limits(min, max) -> tuple[float, float]:
    """Infinities in place of None."""
    return -math.inf if min is None else min, math.inf if max is None else max


def _below(g, input, min, max):
    below = lt(input, min)
    return keep_where(g, below if max is None else logical_and(below, lt(min, max)))


def _above(g, input, min, max):
    above = gt(input, max)
    return keep_where(g, above if min is None else logical_or(above, lt(max, min)))


@op(
    grad=dict(input=_inside, min=_below, max=_above),
    broadcasts=True,
    samples=_clamp_cases,
    reference=_clamp_reference,
    bad=[
        Bad((np.ones(2),), {}, RuntimeError, "At least one of 'min' or 'max' must not be None"),
        Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
        Bad((np.ones(2), "a"), {}, TypeError, r"argument 'min' \(position 2\) must be Tensor, not str"),
        Bad(
            (np.ones(2), 0.0, np.ones(2)),
            {},
            TypeError,
            "'min' and 'max' must both be Tensors or both numbers",
        ),
        Bad((np.array([True]), True), {}, NotImplementedError, "not implemented for 'Bool'"),
        Bad((1.0, 0), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not float"),
    ],
)
def clamp(input, min=None, max=None):
    """``minimum(maximum(input, min), max)``: the values held between two bounds.

    Args:
        min: lower bound, a number or an array; None for none.
        max: upper bound; it wins where it is below ``min``.

    Raises:
        RuntimeError: if both bounds are None.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.clamp.html

    >>> clamp(np.array([-2.0, 0.5, 2.0]), -1, 1)
    array([-1. ,  0.5,  1. ])
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    if input.dtype.kind == "f" and type(min) in _BOUNDS and type(max) in _BOUNDS and min is not max:
        # a bound 0 has two signs, one for each way
        if input.size >= SEVERAL and (min != 0 != max or input.size >= LARGE):
            return _pieces.clip(input, -math.inf if min is None else min, math.inf if max is None else max)
        input = input if min is None else np.maximum(input, min)
        return input if max is None else np.minimum(input, max)
    bounds = [bound for bound in (min, max) if bound is not None]
    if not bounds:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    numbers = any(isinstance(bound, (int, float)) for bound in bounds)
    if numbers:
        bounds = [_as_number(bound, min, max) for bound in bounds]
    input, *bounds = operands(input, *bounds)
    if numbers and input.dtype.kind == "b":
        raise not_implemented("clamp", input.dtype)
    if numbers and large(input) and _are_numbers(min, max):
        return _pieces.clip(input, *_limits(min, max))
    if min is not None:
        input = pointwise(np.maximum, input, bounds[0])
    if max is not None:
        input = pointwise(np.minimum, input, bounds[-1])
    return input


def _as_number(bound, min, max):
    """A bound next to a number: a number as well, or a 0-d array, which counts as one."""
    if isinstance(bound, (np.ndarray, np.generic)):
        if bound.ndim:
            raise TypeError(f"clamp(): arguments 'min' and 'max' must both be Tensors or both numbers, "
                            f"got {type(min).__name__} and {type(max).__name__}")
        return bound.item()
    return bound


clip = clamp


def _bound_cases(rng):
    yield from (case(spaced(rng, shape, -3, 3), 0.3) for shape in ((), (2, 3), (0, 3)))
    yield case(spaced(rng, (3, 3), -3, 3.3), spaced(rng, (3, 1), -2, 2))
    yield case(spaced(rng, (2, 3), -3, 3.3), spaced(rng, (2, 3), -2, 2))


@op(
    grad=dict(input=lambda g, input, min: _inside(g, input, min, None),
              min=lambda g, input, min: _below(g, input, min, None)),
    broadcasts=True,
    samples=_bound_cases,
    reference=by_element(lambda a, low: a if a > low else low),
    bad=[
        Bad(
            (np.ones(2), None),
            {},
            TypeError,
            r"argument 'min' \(position 2\) must be Tensor, not NoneType",
        )
    ],
)
def clamp_min(input, min):
    """``input``, but at least ``min``.

    >>> clamp_min(np.array([-2.0, 0.5]), 0)
    array([0. , 0.5])
    """
    if min is None:
        raise not_a_tensor(min)
    return clamp.forward(input, min)


@op(
    grad=dict(input=lambda g, input, max: _inside(g, input, None, max),
              max=lambda g, input, max: _above(g, input, None, max)),
    broadcasts=True,
    samples=_bound_cases,
    reference=by_element(lambda a, high: a if a < high else high),
    bad=[
        Bad(
            (np.ones(2), None),
            {},
            TypeError,
            r"argument 'max' \(position 2\) must be Tensor, not NoneType",
        )
    ],
)
def clamp_max(input, max):
    """``input``, but at most ``max``.

    >>> clamp_max(np.array([-2.0, 0.5]), 0)
    array([-2.,  0.])
    """
    if max is None:
        raise not_a_tensor(max)
    return clamp.forward(input, None, max)


def _nan_cases(rng):
    yield case(spaced(rng, (2, 3)))
    yield case(np.array(2.0), nan=3.0)
    yield case(np.zeros((0, 3)))
    yield case(np.arange(3), 1.0)


@op(grad=dict(input=lambda g, input: keep_where(g, isfinite(input))), samples=_nan_cases,
    reference=lambda input, nan=0.0, posinf=None, neginf=None: np.array(input),
    bad=[Bad((1.0,), {}, TypeError, r"'input' \(position 1\) must be Tensor, not float")])
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and the infinities replaced by numbers.

    Args:
        nan: the number for NaN.
        posinf: the number for infinity, by default the largest of the dtype.
        neginf: the number for minus infinity, by default the lowest of the dtype.

    >>> nan_to_num(np.array([np.nan, np.inf, 1.0]), posinf=9.0)
    array([0., 9., 1.])
    """
    tensor_only(input)
    return np.nan_to_num(input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)
