"""The error function, its complement and its inverse."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, op
from ops.elementwise.arithmetic import mul, neg, square
from ops.elementwise.exponential import exp
from ops.elementwise.pointwise import by_element
from ops.lazy import LazyModule
from ops.promotion import floating
from ops.samples import unary

__all__ = ["erf", "erfc", "erfinv"]

special = LazyModule("ops.kernels.special")


def _bad(name):
    return [Bad((1.0,), {}, TypeError, rf"{name}\(\): argument 'input' \(position 1\) must be Tensor")]


def _record(name, function):
    return dict(samples=unary(), reference=by_element(function), bad=_bad(name))


@op(grad=dict(input=lambda g, input: mul(g, mul(exp(neg(square(input))), 2 / math.sqrt(math.pi)))),
    **_record("erf", lambda a: 1 - math.erfc(a)))
def erf(input):
    """Error function ``2 / sqrt(pi) * integral of exp(-t^2) from 0 to input``.

    >>> erf(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    return special.erf(floating(input))


@op(grad=dict(input=lambda g, input: mul(g, mul(exp(neg(square(input))), -2 / math.sqrt(math.pi)))),
    **_record("erfc", lambda a: 1 - math.erf(a)))
def erfc(input):
    """``1 - erf(input)``, exact where that difference is small.

    >>> erfc(np.array([0.0, 1.0])).round(4)
    array([1.    , 0.1573])
    """
    input = floating(input)
    return _erfc(input).astype(input.dtype)


_erfc = np.vectorize(math.erfc, otypes=[float])


@op(grad=dict(input=lambda g, ans: mul(g, mul(exp(square(ans)), math.sqrt(math.pi) / 2))),
    samples=unary(-0.95, 0.95),
    reference=by_element(lambda a: _bisect(math.erf, a)), bad=_bad("erfinv"))
def erfinv(input):
    """The inverse of `erf`: infinite at -1 and 1, NaN beyond.

    A start by Winitzki's formula (2008), then Halley steps on erfc, which keeps its digits near 1.

    >>> erfinv(np.array([0.0, 0.5, 1.0])).round(4)
    array([0.    , 0.4769,    inf])
    """
    input = floating(input)
    y = np.asarray(input, np.float64)
    size = np.minimum(np.abs(y), 1)
    rest = np.log(np.maximum((1 - size) * (1 + size), np.finfo(np.float64).tiny))
    half = 2 / (math.pi * 0.147) + rest / 2
    x = np.sqrt(np.sqrt(half * half - rest / 0.147) - half)
    for _ in range(3):
        error = ((1 - size) - _erfc(x)) * (math.sqrt(math.pi) / 2) * np.exp(x * x)
        x = x - error / (1 + x * error)
    x = np.where(size < 1, x, np.where(np.abs(y) == 1, math.inf, math.nan))
    return np.copysign(x, y).astype(input.dtype)


def _bisect(function, value):
    """The x at which a rising function takes a value."""
    low, high = -6.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < value else (low, middle)
    return low
