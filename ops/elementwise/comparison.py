"""Comparisons, truth and closeness: ops whose result is boolean and that have no gradient.

Source: https://docs.pytorch.org/docs/stable/torch.html#comparison-ops
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, op
from ops.elementwise.pointwise import pointwise, tensor_only
from ops.promotion import not_a_tensor
from ops.samples import binary, spaced

__all__ = ["allclose", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite",
           "isinf", "isnan", "isneginf", "isposinf", "le", "less", "less_equal", "logical_and",
           "logical_not", "logical_or", "logical_xor", "lt", "ne", "not_equal"]

_MISMATCH = Bad(
    (np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"
)
_NOT_A_NUMBER = Bad(
    (np.ones(2), "1"), {}, TypeError, r"argument 'other' \(position 2\) must be Tensor, not str"
)


def _truth(function):
    """A reference: ``function`` of two Python numbers, for every pair of elements."""
    return np.vectorize(function, otypes=[bool])


def _comparison_cases(rng):
    yield from binary()(rng)
    yield case(np.array([1.0, 2.0, math.nan, math.inf]), np.array([1.0, 3.0, math.nan, math.inf]))
    yield case(np.arange(3), 1.5)
    yield case(np.arange(4), np.array([[2], [1]]))


_compares = dict(samples=_comparison_cases, bad=[_MISMATCH, _NOT_A_NUMBER])


@op(**_compares, reference=_truth(lambda a, b: a == b))
def eq(input, other):
    """Whether each element of ``input`` equals that of ``other`` (array or number).

    >>> eq(np.array([1, 2]), 2)
    array([False,  True])
    """
    return pointwise(np.equal, input, other)


@op(**_compares, reference=_truth(lambda a, b: a != b))
def ne(input, other):
    """Whether each element of ``input`` differs from that of ``other``.

    >>> ne(np.array([1, 2]), 2)
    array([ True, False])
    """
    return pointwise(np.not_equal, input, other)


@op(**_compares, reference=_truth(lambda a, b: a < b))
def lt(input, other):
    """Whether each element of ``input`` is less than that of ``other``.

    >>> lt(np.array([1, 2]), 2)
    array([ True, False])
    """
    return pointwise(np.less, input, other)


@op(**_compares, reference=_truth(lambda a, b: a <= b))
def le(input, other):
    """Whether each element of ``input`` is at most that of ``other``.

    >>> le(np.array([1, 3]), 2)
    array([ True, False])
    """
    return pointwise(np.less_equal, input, other)


@op(**_compares, reference=_truth(lambda a, b: a > b))
def gt(input, other):
    """Whether each element of ``input`` is greater than that of ``other``.

    >>> gt(np.array([1, 3]), 2)
    array([False,  True])
    """
    return pointwise(np.greater, input, other)


@op(**_compares, reference=_truth(lambda a, b: a >= b))
def ge(input, other):
    """Whether each element of ``input`` is at least that of ``other``.

    >>> ge(np.array([1, 2]), 2)
    array([False,  True])
    """
    return pointwise(np.greater_equal, input, other)


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


# ------------------------------------------------------------------ truth: any dtype counts, 0 is false


def _logical(ufunc, input, other):
    tensor_only(input, other)
    return pointwise(ufunc, input, other)


def _logical_cases(rng):
    for first, second in (((), ()), ((2, 3), (3,)), ((0, 3), (1, 3))):
        yield case(rng.integers(0, 2, first), rng.integers(0, 2, second) * 0.5)
    yield case(np.array([0.0, math.nan]), np.array([True, True]))


_NUMBER = Bad((np.ones(2), 1), {}, TypeError, r"argument 'other' \(position 2\) must be Tensor, not int")
_combines = dict(samples=_logical_cases, bad=[_MISMATCH, _NUMBER])


@op(**_combines, reference=_truth(lambda a, b: bool(a) and bool(b)))
def logical_and(input, other):
    """Whether both elements are non-zero.

    >>> logical_and(np.array([0, 2]), np.array([1.0, 1.0]))
    array([False,  True])
    """
    return _logical(np.logical_and, input, other)


@op(**_combines, reference=_truth(lambda a, b: bool(a) or bool(b)))
def logical_or(input, other):
    """Whether one of two elements is non-zero.

    >>> logical_or(np.array([0, 2]), np.array([0.0, 1.0]))
    array([False,  True])
    """
    return _logical(np.logical_or, input, other)


@op(**_combines, reference=_truth(lambda a, b: bool(a) != bool(b)))
def logical_xor(input, other):
    """Whether exactly one of two elements is non-zero.

    >>> logical_xor(np.array([0, 2]), np.array([1.0, 1.0]))
    array([ True, False])
    """
    return _logical(np.logical_xor, input, other)


def _special_cases(rng):
    yield case(np.array(math.inf))
    yield case(
        np.array([[0.0, -1.5, math.nan], [math.inf, -math.inf, 1e300 * math.pi]]).astype(np.float32)
    )
    yield case(np.zeros((0, 3)))
    yield case(np.arange(3))


def _asks(reference, name):
    bad = [
        Bad(
            (1.0,),
            {},
            TypeError,
            rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float",
        )
    ]
    return dict(samples=_special_cases, reference=_truth(reference), bad=bad)


@op(**_asks(lambda a: not a, "logical_not"))
def logical_not(input):
    """Whether each element is zero.

    >>> logical_not(np.array([0.0, 2.0]))
    array([ True, False])
    """
    tensor_only(input)
    return np.logical_not(input)


# ------------------------------------------------------------------ NaN and infinity


@op(**_asks(math.isnan, "isnan"))
def isnan(input):
    """Whether each element is not a number.

    >>> isnan(np.array([1.0, np.nan]))
    array([False,  True])
    """
    tensor_only(input)
    return np.isnan(input)


@op(**_asks(math.isinf, "isinf"))
def isinf(input):
    """Whether each element is an infinity of either sign.

    >>> isinf(np.array([1.0, -np.inf]))
    array([False,  True])
    """
    tensor_only(input)
    return np.isinf(input)


@op(**_asks(math.isfinite, "isfinite"))
def isfinite(input):
    """Whether each element is neither an infinity nor NaN.

    >>> isfinite(np.array([1.0, -np.inf]))
    array([ True, False])
    """
    tensor_only(input)
    return np.isfinite(input)


@op(**_asks(lambda a: math.isinf(a) and a > 0, "isposinf"))
def isposinf(input):
    """Whether each element is positive infinity.

    >>> isposinf(np.array([np.inf, -np.inf]))
    array([ True, False])
    """
    tensor_only(input)
    return np.equal(input, math.inf)


@op(**_asks(lambda a: math.isinf(a) and a < 0, "isneginf"))
def isneginf(input):
    """Whether each element is negative infinity.

    >>> isneginf(np.array([np.inf, -np.inf]))
    array([False,  True])
    """
    tensor_only(input)
    return np.equal(input, -math.inf)


# ------------------------------------------------------------------ closeness


def _close_cases(rng):
    a = spaced(rng, (2, 3))
    yield case(a, a + np.array([0, 1e-9, 1e-3]))
    yield case(a, a + 0.01, rtol=0.0, atol=0.02)
    yield case(np.array([math.nan, math.inf, math.inf]), np.array([math.nan, math.inf, -math.inf]))
    yield case(np.array([math.nan, 1.0]), np.array([math.nan, 1.0]), equal_nan=True)
    yield case(np.array(1.0), np.array(1.0))
    yield case(np.zeros((0, 3)), np.zeros((1, 3)))
    yield case(np.arange(3), np.arange(3))


_close_bad = [
    Bad((np.ones(2), np.ones(2, int)), {}, RuntimeError, "float64 did not match int64"),
    Bad(
        (np.ones(2), np.ones(2)),
        {"rtol": -1.0},
        RuntimeError,
        "rtol must be greater than or equal to zero",
    ),
    Bad(
        (np.ones(2), np.ones(2)),
        {"atol": -1.0},
        RuntimeError,
        "atol must be greater than or equal to zero",
    ),
    Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match"),
    Bad((np.ones(2), 1.0), {}, TypeError, r"argument 'other' \(position 2\) must be Tensor, not float"),
]


def _close_reference(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    return np.isclose(input, other, rtol, atol, equal_nan)


@op(samples=_close_cases, reference=_close_reference, bad=_close_bad)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``|input - other| <= atol + rtol |other|``; infinities are close to themselves.

    Raises:
        RuntimeError: for two dtypes, or a negative tolerance.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.isclose.html

    >>> isclose(np.array([1.0, 2.0]), np.array([1.0, 2.1]))
    array([ True, False])
    """
    tensor_only(input, other)
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"{input.dtype} did not match {other.dtype}; convert one of the tensors first"
        )
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    close = pointwise(np.equal, input, other)
    if equal_nan and input.dtype.kind == "f":
        close = close | (np.isnan(input) & np.isnan(other))
    wide = input if input.dtype.kind == "f" else input.astype(np.float64)
    distance = np.abs(wide - other)
    return close | (np.isfinite(distance) & (distance <= atol + np.abs(rtol * other)))


@composite(
    samples=_close_cases, bad=_close_bad, differentiable=(),
    reference=lambda *args, **kwargs: bool(np.all(_close_reference(*args, **kwargs))),
)
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether `isclose` holds for all elements, as a Python bool.

    >>> allclose(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9]))
    True
    """
    return bool(np.all(array_of(isclose(input, other, rtol, atol, equal_nan))))


def _equal_cases(rng):
    a = spaced(rng, (2, 3))
    yield case(a, a.copy())
    yield case(a, np.negative(a))
    yield case(a, a[:1])
    yield case(np.array(math.nan), np.array(math.nan))
    yield case(np.zeros((0, 3)), np.zeros((0, 3)))


@composite(
    samples=_equal_cases,
    differentiable=(),
    reference=lambda input, other: (
        input.shape == other.shape and all(map(float.__eq__, input.flat, other.flat))
    ),
    bad=[
        Bad(
            (np.ones(2), 1.0),
            {},
            TypeError,
            r"argument 'other' \(position 2\) must be Tensor, not float",
        )
    ],
)
def equal(input, other):
    """Whether two arrays have the same shape and equal elements, as a Python bool.

    >>> equal(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    True
    """
    for value in (input, other):
        if not hasattr(value, "shape"):
            raise not_a_tensor(value)
    first, second = array_of(input), array_of(other)
    return np.array_equal(first, second)
