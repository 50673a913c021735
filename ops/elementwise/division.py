"""Division in its forms, and what remains of it.

Integers divide to the default float unless a rounding is asked for; with one they stay integers, and a
division by zero is an error since they have no infinity.
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, composite, op
from ops.elementwise.arithmetic import mul, neg
from ops.elementwise.masking import zeros_of
from ops.elementwise.pointwise import by_element, not_implemented, pointwise, several
from ops.lazy import LazyModule
from ops.promotion import operands
from ops.samples import binary, spaced

__all__ = ["div", "divide", "floor_divide", "fmod", "remainder", "true_divide"]

_kernels = LazyModule("ops.kernels.division")
_FLOAT32 = np.dtype(np.float32)

_MISMATCH = Bad(
    (np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"
)
_NOT_A_NUMBER = Bad(
    (np.ones(2), None), {}, TypeError, r"'other' \(position 2\) must be Tensor, not NoneType"
)


def _check_divisor(other) -> None:
    """Integers have no infinity to divide by zero to."""
    if np.equal(other, 0).any():
        raise RuntimeError(
            "ZeroDivisionError: integer division by zero; convert to floating point to get inf or nan"
        )


def _pair(a, b) -> tuple[np.ndarray, np.ndarray] | None:
    """The operands for a kernel, if it takes them: many float32, divided by as many or by one."""
    if not (several(a) and a.dtype is _FLOAT32):
        return None
    if type(b) is not np.ndarray:
        repeated = np.empty_like(a)
        repeated.fill(b)
        return a, repeated
    if b.dtype is not _FLOAT32 or b.shape != a.shape and b.size != 1:
        return None
    if b.shape == a.shape:
        return a, b
    if b.ndim > a.ndim:
        return None
    repeated = np.empty_like(a)
    repeated.fill(b.item())
    return a, repeated


def _floor_divide(a, b):
    if a.dtype.kind == "f":
        pair = _pair(a, b)
        return _kernels.floor_divide(*pair) if pair else np.floor_divide(a, b)
    _check_divisor(b)
    return np.floor_divide(a, b)


def _trunc_divide(a, b):
    if a.dtype.kind == "f":
        return np.trunc(np.true_divide(a, b))
    _check_divisor(b)
    return np.floor_divide(a - np.fmod(a, b), b)


def _integers(input, other) -> tuple:
    """The operands as arrays, as the divisions that round need them; floats take a number as it is."""
    if type(input) is np.ndarray and input.dtype.kind == "f" and type(other) in (float, int):
        return input, other
    arrays = operands(input, other)
    if arrays[0].dtype.kind == "b":
        raise not_implemented("div", arrays[0].dtype)
    return arrays


def _div_cases(rng):
    yield from binary(-2, 2, 0.5, 2)(rng)
    yield case(spaced(rng, (2, 3), -7, 7.7), spaced(rng, (3,), 1, 2.3), rounding_mode="floor")
    yield case(spaced(rng, (2, 3), -7, 7.7), spaced(rng, (3,), -2.3, -1), rounding_mode="trunc")
    yield case(np.array([-7, 7, 6]), np.array([2, -2, 3]), rounding_mode="trunc")
    yield case(np.array([-7, 7, 6]), 2, rounding_mode="floor")


def _div_reference(input, other, rounding_mode=None):
    quotient = np.asarray(input, float) * (1 / np.asarray(other, float))
    # 6 / 3 may come out as 2 - 2^-52 this way
    rounding = {None: lambda q: q, "floor": lambda q: np.floor(q + 1e-12), "trunc": lambda q: np.fix(q)}
    return rounding[rounding_mode](quotient)


@op(
    grad=dict(
        input=lambda g, other, rounding_mode: zeros_of(g) if rounding_mode else div(g, other),
        other=lambda g, ans, other, rounding_mode: (
            zeros_of(g) if rounding_mode else neg(mul(g, div(ans, other)))
        ),
    ),
    broadcasts=True,
    samples=_div_cases,
    reference=_div_reference,
    bad=[
        _MISMATCH,
        _NOT_A_NUMBER,
        Bad(
            (np.ones(2), 2.0),
            {"rounding_mode": "up"},
            RuntimeError,
            "None, 'trunc', or 'floor' but found 'up'",
        ),
        Bad((np.arange(2), 0), {"rounding_mode": "floor"}, RuntimeError, "ZeroDivisionError"),
    ],
)
def div(input, other, *, rounding_mode=None):
    """Quotient of two arrays; integers give the default float unless the quotient is rounded.

    Args:
        rounding_mode: None, ``"trunc"`` (towards zero, as C divides integers) or ``"floor"``.

    Raises:
        RuntimeError: for integers divided by zero with rounding, and shapes that do not broadcast.

    >>> div(np.array([1.0, 2.0]), 4)
    array([0.25, 0.5 ])
    >>> div(np.array([-7, 7]), 2, rounding_mode="trunc")
    array([-3,  3])
    """
    if rounding_mode is None:
        return pointwise(np.true_divide, input, other, True)
    if rounding_mode == "floor":
        return pointwise(_floor_divide, *_integers(input, other))
    if rounding_mode == "trunc":
        return pointwise(_trunc_divide, *_integers(input, other))
    raise RuntimeError("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
                       f"'{rounding_mode}'")


def _rounded_cases(rng):
    yield case(spaced(rng, (2, 3), -7, 7.7), spaced(rng, (3,), 1, 2.3))
    yield case(spaced(rng, (2, 3), -7, 7.7), -1.5)
    yield case(np.array(-7.25), np.array(2.0))
    yield case(spaced(rng, (0, 3)), 2.0)
    yield case(np.array([-7, 7, 6]), np.array([2, -2, 3]))


_rounded_bad = [_MISMATCH, _NOT_A_NUMBER, Bad((np.arange(2), 0), {}, RuntimeError, "ZeroDivisionError"),
                Bad((np.array([True]), True), {}, NotImplementedError, "not implemented for 'Bool'")]


@op(samples=_rounded_cases, bad=_rounded_bad,
    reference=np.vectorize(lambda a, b: math.floor(a / b), otypes=[float]))
def floor_divide(input, other):
    """The quotient rounded down; it carries no gradient, as in PyTorch.

    Raises:
        RuntimeError: for integers divided by zero.

    >>> floor_divide(np.array([-7, 7]), 2)
    array([-4,  3])
    """
    return pointwise(_floor_divide, *_integers(input, other))


def _remainder(a, b):
    if a.dtype.kind != "f":
        _check_divisor(b)
    pair = _pair(a, b)
    return _kernels.remainder(*pair) if pair else np.remainder(a, b)


def _fmod(a, b):
    if a.dtype.kind != "f":
        _check_divisor(b)
    return np.fmod(a, b)


@op(
    grad=dict(
        input=lambda g: g,
        other=lambda g, input, other: neg(mul(g, div(input, other, rounding_mode="floor"))),
    ),
    broadcasts=True,
    samples=_rounded_cases,
    bad=_rounded_bad,
    reference=by_element(lambda a, b: a - b * math.floor(a / b)),
)
def remainder(input, other):
    """Remainder of the division that rounds down: it has the sign of ``other``, like Python's ``%``.

    Raises:
        RuntimeError: for integers divided by zero.

    >>> remainder(np.array([-7, 7]), 3)
    array([2, 1])
    """
    return pointwise(_remainder, *_integers(input, other))


@op(
    grad=dict(
        input=lambda g: g,
        other=lambda g, input, other: neg(mul(g, div(input, other, rounding_mode="trunc"))),
    ),
    broadcasts=True,
    samples=_rounded_cases,
    bad=_rounded_bad,
    reference=by_element(lambda a, b: a - b * math.trunc(a / b)),
)
def fmod(input, other):
    """Remainder of the division that rounds towards zero: it has the sign of ``input``, as in C.

    Raises:
        RuntimeError: for integers divided by zero.

    >>> fmod(np.array([-7, 7]), 3)
    array([-1,  1])
    """
    return pointwise(_fmod, *_integers(input, other))


divide = div


@composite(samples=binary(0.5, 3), differentiable=("input", "other"),
           reference=by_element(lambda a, b: a / b),
           bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match")])
def true_divide(input, other):
    """`div` without rounding.

    >>> true_divide(np.array([3.0]), 2)
    array([1.5])
    """
    return div(input, other)
