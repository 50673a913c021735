"""Circular and hyperbolic functions and their inverses.

Source of the derivatives: Abramowitz and Stegun, Handbook of Mathematical Functions, chapter 4.
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, composite, op
from ops.elementwise.arithmetic import add, mul, neg, square, sub
from ops.elementwise.comparison import eq
from ops.elementwise.division import div
from ops.elementwise.exponential import rsqrt
from ops.elementwise.masking import zero_where
from ops.elementwise.pointwise import by_element, fused, large, pointwise, tensor_only
from ops.lazy import LazyModule
from ops.promotion import floating
from ops.samples import binary, unary

__all__ = ["acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
           "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "rad2deg", "sin",
           "sinc", "sinh", "tan", "tanh"]

_special, _slopes = LazyModule("ops.kernels.special"), LazyModule("ops.kernels.slopes")


def _record(name, function, low=-2.0, high=2.1):
    """What all records of one argument have in common; ``function`` takes a Python float."""
    bad = [
        Bad(
            (1.0,),
            {},
            TypeError,
            rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float",
        )
    ]
    return dict(samples=unary(low, high), reference=by_element(function), bad=bad)


@op(grad=dict(input=lambda g, input: mul(g, cos(input))), **_record("sin", math.sin))
def sin(input):
    """Sine of angles in radians.

    >>> sin(np.array([0.0, np.pi / 2]))
    array([0., 1.])
    """
    return np.sin(floating(input))


@op(grad=dict(input=lambda g, input: neg(mul(g, sin(input)))), **_record("cos", math.cos))
def cos(input):
    """Cosine of angles in radians.

    >>> cos(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    return np.cos(floating(input))


@op(grad=dict(input=lambda g, ans: mul(g, add(square(ans), 1))), **_record("tan", math.tan, -1.3, 1.3))
def tan(input):
    """Tangent of angles in radians.

    >>> tan(np.array([0.0, np.pi / 4])).round(6)
    array([0., 1.])
    """
    return np.tan(floating(input))


@op(
    grad=dict(input=lambda g, input: mul(g, rsqrt(sub(1, square(input))))),
    **_record("asin", math.asin, -0.9, 0.9),
)
def asin(input):
    """The angle in [-pi/2, pi/2] of a sine; NaN outside [-1, 1].

    >>> asin(np.array([0.0, 1.0])).round(3)
    array([0.   , 1.571])
    """
    return np.arcsin(floating(input))


@op(grad=dict(input=lambda g, input: neg(mul(g, rsqrt(sub(1, square(input)))))),
    **_record("acos", math.acos, -0.9, 0.9))
def acos(input):
    """The angle in [0, pi] of a cosine; NaN outside [-1, 1].

    >>> acos(np.array([0.0, 1.0])).round(3)
    array([1.571, 0.   ])
    """
    return np.arccos(floating(input))


@op(grad=dict(input=lambda g, input: div(g, add(square(input), 1))), **_record("atan", math.atan))
def atan(input):
    """The angle in (-pi/2, pi/2) of a tangent.

    >>> atan(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.785])
    """
    return np.arctan(floating(input))


def _over_squares(g, part, input, other):
    """``g * part / (input^2 + other^2)``, 0 at the origin."""
    squares = add(square(input), square(other))
    return zero_where(mul(g, div(part, squares)), eq(squares, 0))


@op(
    grad=dict(
        input=lambda g, input, other: _over_squares(g, other, input, other),
        other=lambda g, input, other: _over_squares(g, neg(input), input, other),
    ),
    broadcasts=True,
    samples=binary(0.3, 2, number=None),
    reference=by_element(math.atan2),
    bad=[
        Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
        Bad(
            (np.ones(2), 1.0),
            {},
            TypeError,
            r"atan2\(\): argument 'other' \(position 2\) must be Tensor",
        ),
    ],
)
def atan2(input, other):
    """The angle in (-pi, pi] of the point ``(other, input)``: the arc tangent of ``input / other``.

    >>> atan2(np.array([0.0, 1.0]), np.array([-1.0, 0.0])).round(3)
    array([3.142, 1.571])
    """
    tensor_only(input, other)
    return pointwise(np.arctan2, input, other, True)


# ------------------------------------------------------------------ hyperbolic


@op(grad=dict(input=lambda g, input: mul(g, cosh(input))), **_record("sinh", math.sinh))
def sinh(input):
    """Hyperbolic sine.

    >>> sinh(np.array([0.0, 1.0])).round(3)
    array([0.   , 1.175])
    """
    return np.sinh(floating(input))


@op(grad=dict(input=lambda g, input: mul(g, sinh(input))), **_record("cosh", math.cosh))
def cosh(input):
    """Hyperbolic cosine.

    >>> cosh(np.array([0.0, 1.0])).round(3)
    array([1.   , 1.543])
    """
    return np.cosh(floating(input))


@op(grad=dict(input=fused(lambda g, ans: _slopes.tanh(g, ans),
                          lambda g, ans: mul(g, sub(1, square(ans))))),
    **_record("tanh", lambda a: math.sinh(a) / math.cosh(a)))
def tanh(input):
    """Hyperbolic tangent.

    >>> tanh(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.762])
    """
    input = floating(input)
    return _special.tanh(input) if large(input) else np.tanh(input)


@op(
    grad=dict(input=lambda g, input: mul(g, rsqrt(add(square(input), 1)))),
    **_record("asinh", math.asinh),
)
def asinh(input):
    """Inverse of the hyperbolic sine.

    >>> asinh(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.881])
    """
    return np.arcsinh(floating(input))


@op(
    grad=dict(input=lambda g, input: mul(g, rsqrt(sub(square(input), 1)))),
    **_record("acosh", math.acosh, 1.2, 3),
)
def acosh(input):
    """Inverse of the hyperbolic cosine; NaN below 1.

    >>> acosh(np.array([1.0, 2.0])).round(3)
    array([0.   , 1.317])
    """
    return np.arccosh(floating(input))


@op(
    grad=dict(input=lambda g, input: div(g, sub(1, square(input)))),
    **_record("atanh", math.atanh, -0.9, 0.9),
)
def atanh(input):
    """Inverse of the hyperbolic tangent; NaN outside [-1, 1].

    >>> atanh(np.array([0.0, 0.5])).round(3)
    array([0.   , 0.549])
    """
    return np.arctanh(floating(input))


def _sinc_grad(g, input):
    """``(cos(pi x) - sinc(x)) / x``, 0 at 0."""
    slope = div(sub(cos(mul(input, math.pi)), sinc(input)), input)
    return mul(g, zero_where(slope, eq(input, 0)))


@op(grad=dict(input=_sinc_grad), **_record("sinc", lambda a: math.sin(math.pi * a) / (math.pi * a)))
def sinc(input):
    """``sin(pi input) / (pi input)``, 1 at 0.

    >>> sinc(np.array([0.0, 0.5])).round(3)
    array([1.   , 0.637])
    """
    return np.sinc(floating(input))


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh


# ------------------------------------------------------------------ units

_LIST = Bad(([1.5],), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not list")


@composite(samples=unary(-200, 200), reference=by_element(math.radians), bad=[_LIST])
def deg2rad(input):
    """Angles in degrees, in radians.

    >>> deg2rad(np.array([0.0, 180.0])).round(3)
    array([0.   , 3.142])
    """
    return mul(input, math.pi / 180)


@composite(samples=unary(-7, 7), reference=by_element(math.degrees), bad=[_LIST])
def rad2deg(input):
    """Angles in radians, in degrees.

    >>> rad2deg(np.array([0.0, np.pi]))
    array([  0., 180.])
    """
    return mul(input, 180 / math.pi)
