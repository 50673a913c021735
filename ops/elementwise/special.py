"""The gamma function's family, and small functions of integers."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, op
from ops.elementwise.arithmetic import mul
from ops.lazy import LazyModule
from ops.promotion import floating, operands
from ops.samples import spaced, unary

__all__ = ["digamma", "gcd", "heaviside", "lcm", "lgamma", "polygamma"]

special = LazyModule("scipy.special")


def _polygamma_reference(n, input):
    """The defining series, 400 terms, and the Euler-Maclaurin formula for the rest."""

    def at(x):
        k, far = np.arange(400), x + 400
        if n == 0:
            return math.log(far) - 1 / (2 * far) - 1 / (12 * far**2) - np.sum(1 / (x + k))
        rest = far**-n / n + far ** -(n + 1) / 2 + (n + 1) * far ** -(n + 2) / 12
        return (-1) ** (n + 1) * math.factorial(n) * (np.sum((x + k) ** -(n + 1.0)) + rest)

    return np.vectorize(at, otypes=[float])(input) if input.size else input


@op(
    grad=dict(input=lambda g, n, input: mul(g, polygamma(n + 1, input))),
    samples=lambda rng: iter(
        [
            case(n, spaced(rng, shape, 0.4, 5))
            for n, shape in ((0, (3,)), (1, (2, 3)), (2, ()), (3, (2,)), (1, (0, 3)))
        ]
    ),
    reference=_polygamma_reference,
    bad=[Bad((-1, np.ones(2)), {}, RuntimeError, "does not support negative n")],
)
def polygamma(n, input):
    """The derivative of `digamma` of order ``n``.

    Source: Abramowitz and Stegun 1964, 6.4

    >>> round(float(polygamma(1, np.array(1.0))), 6)  # pi ** 2 / 6
    1.644934
    """
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    values = floating(input)
    return np.asarray(special.polygamma(n, values)).astype(values.dtype, copy=False)


@op(
    grad=dict(input=lambda g, input: mul(g, polygamma(1, input))),
    samples=unary(0.3, 6),
    reference=lambda input: _polygamma_reference(0, input),
    bad=[Bad(([1.0],), {}, TypeError, "must be Tensor, not list")],
)
def digamma(input):
    """The derivative of `lgamma`.

    Source: Abramowitz and Stegun 1964, 6.3

    >>> round(float(digamma(np.array(1.0))), 6)  # minus Euler's constant
    -0.577216
    """
    values = floating(input)
    return np.asarray(special.digamma(values)).astype(values.dtype, copy=False)


@op(
    grad=dict(input=lambda g, input: mul(g, digamma(input))),
    samples=unary(0.3, 6),
    reference=lambda input: np.vectorize(math.lgamma, otypes=[float])(input) if input.size else input,
    bad=[Bad(([1.0],), {}, TypeError, "must be Tensor, not list")],
)
def lgamma(input):
    """The logarithm of the absolute value of the gamma function.

    >>> round(float(np.exp(lgamma(np.array(5.0)))))  # 4!
    24
    """
    values = floating(input)
    return np.asarray(special.gammaln(values)).astype(values.dtype, copy=False)


@op(
    samples=lambda rng: iter(
        [
            case(np.array([-1.5, 0.0, 2.0]), np.array([0.5, 0.25, 0.5])),
            case(spaced(rng, ()), spaced(rng, ())),
            case(np.ones((0, 2)), np.ones(2)),
        ]
    ),
    reference=lambda input, values: np.select(
        [input < 0, input == 0], [0.0 * values, values], 1.0 + 0 * input
    ),
    bad=[Bad((np.ones(2), np.ones(2, np.int64)), {}, RuntimeError, "same dtype")],
)
def heaviside(input, values):
    """0 for negative elements, 1 for positive ones, ``values`` at 0.

    >>> heaviside(np.array([-2.0, 0.0, 3.0]), np.array(0.5))
    array([0. , 0.5, 1. ])
    """
    if input.dtype != values.dtype:
        raise RuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes; they must have the "
            f"same dtype, got {input.dtype} and {values.dtype}"
        )
    return np.where(input == 0, values, (input > 0).astype(input.dtype))


def _integers(name: str, input, other) -> tuple:
    for value in (input, other):
        if array_of(value).dtype.kind not in "iu":
            raise RuntimeError(
                f'"{name}_cpu" not implemented for {array_of(value).dtype}: it takes integers'
            )
    return operands(input, other)


_PAIRS = [
    case(np.array([12, -18, 0]), np.array([18, 12, 5])),
    case(np.array(6), np.array([4, 9])),
    case(np.array(6), np.array(4)),
    case(np.zeros((0, 2), np.int64), np.array(3)),
]


@op(
    samples=lambda rng: iter(_PAIRS),
    reference=lambda input, other: (
        np.vectorize(math.gcd, otypes=[np.int64])(*np.broadcast_arrays(input, other))
        if np.size(input)
        else np.zeros((0, 2), np.int64)
    ),
    bad=[Bad((np.ones(2), np.ones(2)), {}, RuntimeError, "takes integers")],
)
def gcd(input, other):
    """The greatest common divisor of integers.

    >>> gcd(np.array([12, 7]), np.array(18))
    array([6, 1])
    """
    return np.gcd(*_integers("gcd", input, other))


@op(
    samples=lambda rng: iter(_PAIRS),
    reference=lambda input, other: (
        np.vectorize(math.lcm, otypes=[np.int64])(*np.broadcast_arrays(input, other))
        if np.size(input)
        else np.zeros((0, 2), np.int64)
    ),
    bad=[Bad((np.ones(2), np.ones(2)), {}, RuntimeError, "takes integers")],
)
def lcm(input, other):
    """The least common multiple of integers.

    >>> lcm(np.array([4, 7]), np.array(6))
    array([12, 42])
    """
    return np.lcm(*_integers("lcm", input, other))
