"""Exponentials, logarithms, powers and roots, and the functions built from them."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, Traced, case, composite, op
from ops.elementwise.arithmetic import add, mul, square, sub
from ops.elementwise.comparison import eq, ge, gt, logical_and, logical_or, lt
from ops.elementwise.division import div
from ops.elementwise.masking import where, zero_where, zeros_of
from ops.elementwise.pointwise import by_element, fused, large, not_implemented, pointwise
from ops.lazy import LazyModule
from ops.promotion import floating, not_a_tensor, operands
from ops.samples import spaced, unary
from ops.shape.layout import cast

__all__ = ["exp", "exp2", "expm1", "float_power", "log", "log10", "log1p",
           "log2", "logit", "pow", "rsqrt", "sigmoid", "sqrt"]

_special, _slopes = LazyModule("ops.kernels.special"), LazyModule("ops.kernels.slopes")


def _bad(name):
    return [
        Bad(
            (1.0,),
            {},
            TypeError,
            rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float",
        )
    ]


def _record(name, function, low=-2.0, high=2.1):
    """What all records of one argument have in common; ``function`` takes a Python float."""
    return dict(samples=unary(low, high), reference=by_element(function), bad=_bad(name))


# ------------------------------------------------------------------ exponentials


@op(grad=dict(input=lambda g, ans: mul(g, ans)), **_record("exp", math.exp))
def exp(input):
    """e to the power of each element.

    >>> exp(np.array([0.0, 1.0])).round(3)
    array([1.   , 2.718])
    """
    input = floating(input)
    return _special.exp(input) if large(input) else np.exp(input)


@op(grad=dict(input=lambda g, ans: mul(g, mul(ans, math.log(2)))), **_record("exp2", lambda a: 2**a))
def exp2(input):
    """2 to the power of each element.

    >>> exp2(np.array([0.0, 3.0]))
    array([1., 8.])
    """
    return np.exp2(floating(input))


@op(grad=dict(input=lambda g, ans: mul(g, add(ans, 1))), **_record("expm1", lambda a: math.exp(a) - 1))
def expm1(input):
    """``exp(input) - 1``, exact near 0.

    >>> expm1(np.array([0.0, 1e-10]))
    array([0.e+00, 1.e-10])
    """
    return np.expm1(floating(input))


@op(grad=dict(input=fused(lambda g, ans: _slopes.sigmoid(g, ans),
                          lambda g, ans: mul(g, mul(ans, sub(1, ans))))),
    **_record("sigmoid", lambda a: 1 / (1 + math.exp(-a))))
def sigmoid(input):
    """Logistic function ``1 / (1 + exp(-input))``.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return _special.sigmoid(floating(input))


# ------------------------------------------------------------------ logarithms


@op(grad=dict(input=lambda g, input: div(g, input)), **_record("log", math.log, 0.3, 3))
def log(input):
    """Natural logarithm; -inf at 0 and NaN below.

    >>> log(np.array([1.0, np.e]))
    array([0., 1.])
    """
    input = floating(input)
    return _special.log(input) if large(input) else np.log(input)


@op(grad=dict(input=lambda g, input: div(g, mul(input, math.log(2)))),
    **_record("log2", lambda a: math.log(a) / math.log(2), 0.3, 3))
def log2(input):
    """Logarithm to base 2.

    >>> log2(np.array([1.0, 8.0]))
    array([0., 3.])
    """
    return _special.log2(floating(input))


@op(grad=dict(input=lambda g, input: div(g, mul(input, math.log(10)))),
    **_record("log10", lambda a: math.log(a) / math.log(10), 0.3, 3))
def log10(input):
    """Logarithm to base 10.

    >>> log10(np.array([1.0, 100.0]))
    array([0., 2.])
    """
    return np.log10(floating(input))


@op(
    grad=dict(input=lambda g, input: div(g, add(input, 1))),
    **_record("log1p", lambda a: math.log(1 + a), -0.7, 2),
)
def log1p(input):
    """``log(1 + input)``, exact near 0.

    >>> log1p(np.array([0.0, 1e-10]))
    array([0.e+00, 1.e-10])
    """
    return _special.log1p(floating(input))


def log_of(value):
    """`log` of an array, a traced value or a Python number, with the values of `log` at 0 and below.

    >>> log_of(0.0)
    -inf
    """
    if not isinstance(value, (int, float)):
        return log(value)
    return math.log(value) if value > 0 else (-math.inf if value == 0 else math.nan)


def _logit_cases(rng):
    yield from unary(0.05, 0.95)(rng)
    yield case(spaced(rng, (2, 3), -0.2, 1.3), 0.1)


def _logit_grad(g, input, eps):
    low = 0.0 if eps is None else eps
    slope = div(g, mul(input, sub(1, input)))
    outside = logical_or(lt(input, low), gt(input, 1 - low))
    return where(outside, math.nan, slope) if eps is None else zero_where(slope, outside)


@op(
    grad=dict(input=_logit_grad),
    samples=_logit_cases,
    reference=lambda input, eps=0.0: by_element(lambda a: -math.log(1 / min(max(a, eps), 1 - eps) - 1))(
        input
    ),
    bad=_bad("logit"),
)
def logit(input, eps=None):
    """``log(input / (1 - input))``, the inverse of `sigmoid`.

    Args:
        eps: the input is clamped to ``[eps, 1 - eps]`` first; None leaves it as it is.

    >>> logit(np.array([0.5, 0.0]))
    array([  0., -inf])
    """
    input = floating(input)
    if eps is not None:
        input = np.minimum(np.maximum(input, eps), 1 - eps)
    return np.log(input / (1 - input))


# ------------------------------------------------------------------ roots and powers


@op(grad=dict(input=lambda g, ans: div(g, mul(ans, 2))), **_record("sqrt", lambda a: a**0.5, 0.3, 3))
def sqrt(input):
    """Square root; NaN below 0.

    >>> sqrt(np.array([4.0, 9.0]))
    array([2., 3.])
    """
    return np.sqrt(floating(input))


@op(grad=dict(input=lambda g, ans: mul(mul(g, -0.5), mul(ans, square(ans)))),
    **_record("rsqrt", lambda a: a**-0.5, 0.3, 3))
def rsqrt(input):
    """``1 / sqrt(input)``.

    >>> rsqrt(np.array([4.0, 16.0]))
    array([0.5 , 0.25])
    """
    input = floating(input)
    return _special.rsqrt(input) if large(input) else np.reciprocal(np.sqrt(input))


def _is_number(value) -> bool:
    return isinstance(value, (int, float))


def _pow_input(g, input, exponent):
    """``g * exponent * input^(exponent - 1)``, and 0 for the exponent 0 whatever the base."""
    if _is_number(exponent):
        if exponent == 0:
            return zeros_of(g)
        return mul(g, mul(exponent, input if exponent == 2 else pow(input, exponent - 1)))
    slope = mul(g, mul(exponent, pow(input, sub(exponent, 1))))
    return zero_where(slope, eq(exponent, 0))


def _pow_exponent(g, input, exponent, ans):
    """``g * ans * log(input)``, 0 for base 0 and exponents from 0 up: there the power is constant."""
    slope = mul(g, mul(ans, log_of(input)))
    if _is_number(input):
        return zero_where(slope, ge(exponent, 0)) if input == 0 else slope
    return zero_where(slope, logical_and(eq(input, 0), ge(exponent, 0)))


def _pow_cases(rng):
    for first, second in (((), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0, 3), (1, 3))):
        yield case(spaced(rng, first, 0.3, 2), spaced(rng, second, -2, 2.3))
    for exponent in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.7):
        yield case(spaced(rng, (2, 3), 0.3, 2), exponent)
    yield case(spaced(rng, (2, 3), -2, 2), 3)
    yield case(np.zeros(2), 2)
    yield case(2.5, spaced(rng, (2, 3)))
    yield case(np.array([-2, 3]), 5)
    yield case(np.array([1, -1, -1, 2]), np.array([-1, -2, -3, -1]))


# Powers that NumPy computes an order of magnitude faster by other means.
_SHORTCUTS = {2: np.square, 0.5: np.sqrt, 1: np.positive, -1: np.reciprocal, 3: lambda x: x * x * x,
              -0.5: lambda x: np.reciprocal(np.sqrt(x))}


@op(
    grad=dict(input=_pow_input, exponent=_pow_exponent),
    broadcasts=True,
    samples=_pow_cases,
    reference=np.vectorize(
        lambda a, b: float(int(a ** float(b))) if isinstance(a, (int, np.integer)) else a**b,
        otypes=[float],
    ),
    bad=[
        Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
        Bad((np.arange(2), -1), {}, RuntimeError, "Integers to negative integer powers are not allowed"),
        Bad(
            (np.ones(2), "2"),
            {},
            TypeError,
            r"pow\(\): argument 'exponent' \(position 2\) must be Tensor, not str",
        ),
        Bad((np.array([True]), np.array([True])), {}, NotImplementedError, "not implemented for 'Bool'"),
    ],
)
def pow(input, exponent):
    """``input`` to the power of ``exponent``; one of them may be a number.

    The gradient at exponent 0 is 0, and that of the exponent at base 0 is 0 from exponent 0 up.  Integer
    arrays to negative integer powers round towards 0.

    Raises:
        RuntimeError: for an integer array and a negative integer number.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.pow.html

    >>> pow(np.array([2.0, 3.0]), 2)
    array([4., 9.])
    """
    if _is_number(exponent) and type(input) is np.ndarray:
        if input.dtype.kind == "f":
            shortcut = _SHORTCUTS.get(exponent)
            return np.power(input, exponent) if shortcut is None else shortcut(input)
        if input.dtype.kind == "b" and isinstance(exponent, bool):
            return input | (not exponent)
        if exponent < 0 and isinstance(exponent, int):
            raise RuntimeError(
                f"Integers to negative integer powers are not allowed, got exponent={exponent}; "
                "convert the tensor first: x.float()"
            )
    return pointwise(_power, *operands(input, exponent))


def _power(base, exponent):
    if base.dtype.kind == "f":
        return np.power(base, exponent)
    if base.dtype.kind == "b":
        raise not_implemented("pow", base.dtype)
    if exponent.dtype.kind == "u" or np.all(exponent >= 0):
        return np.power(base, exponent)
    # 1 / base^n rounded towards 0: only 1 and -1 leave something
    inverse = np.where(base == 1, 1, np.where(base == -1, 1 - 2 * (exponent & 1), 0))
    return np.where(exponent < 0, inverse, np.power(base, np.maximum(exponent, 0))).astype(base.dtype)


def _float_power_cases(rng):
    yield case(spaced(rng, (), 0.3, 2), 2)
    yield case(spaced(rng, (2, 3), 0.3, 2), spaced(rng, (3,), -2, 2.3))
    yield case(2, spaced(rng, (0, 3)))
    yield case(np.array([2, 3]), -1)


@composite(
    samples=_float_power_cases,
    differentiable=("input", "exponent"),
    reference=np.vectorize(lambda a, b: float(a) ** float(b), otypes=[float]),
    exempt={"float32": "the result is float64 by definition"},
    bad=[
        Bad(
            (np.ones(2), "2"),
            {},
            TypeError,
            r"argument 'exponent' \(position 2\) must be Tensor, not str",
        )
    ],
)
def float_power(input, exponent):
    """`pow` in float64, whatever the dtypes.

    >>> float_power(np.array([2, 3]), -1).round(3)
    array([0.5  , 0.333])
    """
    return pow(_double(input), _double(exponent))


def _double(value):
    if not isinstance(value, (int, float, np.ndarray, np.generic, Traced)):
        raise not_a_tensor(value)
    return (
        float(value)
        if _is_number(value) and not isinstance(value, np.generic)
        else cast(value, np.float64)
    )
