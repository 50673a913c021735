"""Rounding to whole numbers; the gradient is 0 where the function is flat."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, op
from ops.elementwise.masking import zeros_of
from ops.elementwise.pointwise import by_element, not_implemented, numeric
from ops.samples import spaced, unary

__all__ = ["ceil", "fix", "floor", "frac", "round", "trunc"]


def _bad(name):
    return [
        Bad(
            (1.0,),
            {},
            TypeError,
            rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float",
        ),
        Bad((np.array([True]),), {}, NotImplementedError, f"\"{name}\" not implemented for 'Bool'"),
    ]


def _record(name, reference):
    return dict(samples=unary(-3.1, 3.2), reference=by_element(reference), bad=_bad(name))


@op(grad=dict(input=lambda g: zeros_of(g)), **_record("floor", math.floor))
def floor(input):
    """The largest whole number that is at most each element.

    >>> floor(np.array([1.5, -1.5]))
    array([ 1., -2.])
    """
    return np.floor(numeric(input, "floor"))


@op(grad=dict(input=lambda g: zeros_of(g)), **_record("ceil", math.ceil))
def ceil(input):
    """The smallest whole number that is at least each element.

    >>> ceil(np.array([1.5, -1.5]))
    array([ 2., -1.])
    """
    return np.ceil(numeric(input, "ceil"))


@op(grad=dict(input=lambda g: zeros_of(g)), **_record("trunc", math.trunc))
def trunc(input):
    """Each element without its fraction.

    >>> trunc(np.array([1.5, -1.5]))
    array([ 1., -1.])
    """
    return np.trunc(numeric(input, "trunc"))


fix = trunc


@op(grad=dict(input=lambda g: g), **_record("frac", lambda a: math.modf(a)[0]))
def frac(input):
    """The fraction of each element, with its sign: ``input - trunc(input)``.

    >>> frac(np.array([1.5, -1.25]))
    array([ 0.5 , -0.25])
    """
    if numeric(input, "frac").dtype.kind != "f":
        raise not_implemented("frac", input.dtype)
    return np.subtract(input, np.trunc(input))


def _round_cases(rng):
    yield from unary(-3.1, 3.2)(rng)
    yield case(spaced(rng, (2, 3)), decimals=1)
    yield case(spaced(rng, (2, 3), -70, 60), decimals=-1)
    yield case(np.array([0.5, 1.5, -2.5]) + 1e-4)
    yield case(np.arange(3))


@op(
    grad=dict(input=lambda g: zeros_of(g)),
    samples=_round_cases,
    reference=lambda input, decimals=0: (
        by_element(lambda a: float(format(a * 10.0**decimals, ".0f")))(input) / 10.0**decimals
    ),
    bad=[
        *_bad("round"),
        Bad((np.arange(3),), {"decimals": 1}, NotImplementedError, "not implemented for 'Long'"),
    ],
)
def round(input, *, decimals=0):
    """Each element rounded to ``decimals`` places, halves to the even neighbour.

    Args:
        decimals: digits behind the point; negative numbers round to tens, hundreds and so on.

    >>> round(np.array([0.5, 1.5, 2.6]))
    array([0., 2., 3.])
    >>> round(np.array([1.256, 12.0]), decimals=2)
    array([ 1.26, 12.  ])
    """
    if numeric(input, "round").dtype.kind != "f":
        if decimals != 0:
            raise not_implemented("round", input.dtype)
        return np.array(input)
    if decimals == 0:
        return np.rint(input)
    scale = 10.0 ** math.fabs(decimals)
    return np.rint(input * scale) / scale if decimals > 0 else np.rint(input / scale) * scale
