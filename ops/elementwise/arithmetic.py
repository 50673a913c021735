"""Sums, products and signs, element by element, with broadcasting and type promotion.

Arguments are arrays or Python numbers.  Source of the meanings, corner cases included:
https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, composite, op
from ops.elementwise.masking import zeros_of
from ops.elementwise.pointwise import (
    SEVERAL,
    by_element,
    is_bool,
    large,
    numeric,
    pointwise,
    tensor_only,
)
from ops.lazy import LazyModule
from ops.promotion import floating, operands, result_dtype
from ops.samples import binary, spaced, unary

__all__ = ["abs", "absolute", "add", "mul", "multiply", "neg", "negative", "positive", "reciprocal",
           "rsub", "sgn", "sign", "signbit", "square", "sub", "subtract"]

_pieces, _special = LazyModule("ops.kernels.pieces"), LazyModule("ops.kernels.special")

_MISMATCH = Bad(
    (np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"
)
_NOT_A_NUMBER = Bad(
    (np.ones(2), None), {}, TypeError, r"'other' \(position 2\) must be Tensor, not NoneType"
)


def _alpha_cases(rng):
    yield from binary()(rng)
    yield case(spaced(rng, (2, 3)), spaced(rng, (3,)), alpha=-2.5)
    yield case(np.arange(3), np.arange(3), alpha=2)
    yield case(2, spaced(rng, (3,)))


_INTEGER_ALPHA = Bad((np.arange(2), np.arange(2)), {"alpha": 0.5}, RuntimeError,
                     "argument alpha must not be a floating point number")
_BOOL_ALPHA = Bad(
    (np.ones(2), np.ones(2)), {"alpha": True}, RuntimeError, "Boolean alpha only supported for Boolean"
)


def _scaled(input, other, alpha):
    """``alpha * other`` in the dtype of the result."""
    dtype = result_dtype(input, other)
    if isinstance(alpha, bool) and dtype.kind != "b":
        raise RuntimeError(
            f"Boolean alpha only supported for Boolean results, got alpha={alpha} for {dtype}"
        )
    if isinstance(alpha, float) and dtype.kind != "f":
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number, "
            f"got {alpha}"
        )
    _, other = operands(input, other)
    return np.multiply(other, dtype.type(alpha))


@op(
    grad=dict(input=lambda g: g, other=lambda g, alpha: g if alpha == 1 else mul(g, alpha)),
    broadcasts=True,
    samples=_alpha_cases,
    reference=lambda input, other, alpha=1: input + alpha * other, any_layout=True,
    bad=[_MISMATCH, _NOT_A_NUMBER, _INTEGER_ALPHA, _BOOL_ALPHA],
)
def add(input, other, *, alpha=1):
    """``input + alpha * other``.

    Raises:
        RuntimeError: if the shapes do not broadcast, or ``alpha`` is a float and the result an integer.

    >>> add(np.array([1.0, 2.0]), 3)
    array([4., 5.])
    """
    if alpha != 1 or alpha is True:
        other = _scaled(input, other, alpha)
    return pointwise(np.add, input, other)


@op(
    grad=dict(input=lambda g: g, other=lambda g, alpha: neg(g) if alpha == 1 else mul(g, -alpha)),
    broadcasts=True,
    samples=_alpha_cases,
    reference=lambda input, other, alpha=1: input - alpha * other, any_layout=True,
    bad=[
        _MISMATCH,
        _NOT_A_NUMBER,
        _INTEGER_ALPHA,
        _BOOL_ALPHA,
        Bad(
            (np.array([True]), True),
            {},
            RuntimeError,
            "Subtraction, the `-` operator, with a bool tensor",
        ),
    ],
)
def sub(input, other, *, alpha=1):
    """``input - alpha * other``.

    Raises:
        RuntimeError: if one of the arguments is boolean, and as for `add`.

    >>> sub(np.array([1.0, 2.0]), 3)
    array([-2., -1.])
    """
    if is_bool(input) or is_bool(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead; else convert it: x.int()"
        )
    if alpha != 1 or alpha is True:
        other = _scaled(input, other, alpha)
    return pointwise(np.subtract, input, other)


@composite(
    samples=binary(), reference=lambda input, other: other - input, differentiable=("input", "other"),
    bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, "size of tensor a .* must match"),
         Bad((np.array([True]), np.array([True])), {}, RuntimeError, "with a bool tensor")],
)
def rsub(input, other, *, alpha=1):
    """``other - alpha * input``: `sub` with the arguments in reverse.

    >>> rsub(np.array([1.0, 2.0]), 3)
    array([2., 1.])
    """
    return sub(other, input, alpha=alpha)


@op(
    grad=dict(input=lambda g, other: mul(g, other), other=lambda g, input: mul(g, input)),
    broadcasts=True,
    samples=binary(),
    reference=lambda input, other: input * other, any_layout=True,
    bad=[_MISMATCH, _NOT_A_NUMBER],
)
def mul(input, other):
    """Product of two arrays.

    >>> mul(np.array([1.0, 2.0]), 3)
    array([3., 6.])
    """
    return pointwise(np.multiply, input, other)


subtract, multiply = sub, mul


# ------------------------------------------------------------------ one argument


def _not_tensor(name):
    return Bad(
        (1.0,), {}, TypeError, rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float"
    )


@op(grad=dict(input=lambda g: neg(g)), samples=unary(), reference=lambda input: 0 - input,
    bad=[_not_tensor("neg"), Bad((np.array([True]),), {}, RuntimeError, "Negation.*on a bool tensor")])
def neg(input):
    """Each element with the other sign.

    >>> neg(np.array([1.0, -2.0]))
    array([-1.,  2.])
    """
    tensor_only(input)
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert "
            "a mask, use the `~` or `logical_not()` operator instead."
        )
    return np.negative(input)


negative = neg


@op(
    grad=dict(input=lambda g: g),
    view=True,
    samples=unary(),
    reference=np.array,
    bad=[
        _not_tensor("positive"),
        Bad((np.array([True]),), {}, RuntimeError, "The `[+]` operator, on a bool tensor"),
    ],
)
def positive(input):
    """The argument itself.

    >>> positive(np.array([1.0, -2.0]))
    array([ 1., -2.])
    """
    tensor_only(input)
    if input.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(grad=dict(input=lambda g, ans: neg(mul(g, mul(ans, ans)))), samples=unary(0.5, 3),
    reference=lambda input: input ** -1.0, bad=[_not_tensor("reciprocal")])
def reciprocal(input):
    """``1 / input``; integers give the default float.

    >>> reciprocal(np.array([2.0, 4.0]))
    array([0.5 , 0.25])
    """
    input = floating(input)
    return _special.reciprocal(input) if large(input) else np.reciprocal(input)


@op(grad=dict(input=lambda g, input: mul(mul(g, 2), input)), samples=unary(),
    reference=by_element(lambda a: math.fabs(a) ** 2), bad=[_not_tensor("square")])
def square(input):
    """``input * input``; booleans count as integers.

    >>> square(np.array([3.0, -2.0]))
    array([9., 4.])
    """
    tensor_only(input)
    return np.square(input.astype(np.int64) if input.dtype.kind == "b" else input)


@op(
    grad=dict(input=lambda g, input: mul(g, sign(input))),
    samples=unary(),
    reference=lambda input: np.maximum(input, -input),
    bad=[
        _not_tensor("abs"),
        Bad((np.array([True]),), {}, NotImplementedError, "not implemented for 'Bool'"),
    ],
)
def abs(input):
    """Absolute value; its gradient at 0 is 0.

    >>> abs(np.array([3.0, -2.0]))
    array([3., 2.])
    """
    return np.absolute(numeric(input, "abs"))


absolute = abs


@op(grad=dict(input=lambda g: zeros_of(g)), samples=unary(),
    reference=by_element(lambda a: math.copysign(1, a)), bad=[_not_tensor("sign")])
def sign(input):
    """-1, 0 or 1 by the sign of each element; 0 for NaN.

    >>> sign(np.array([3.0, -0.0, -2.0, np.nan]))
    array([ 1.,  0., -1.,  0.])
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    if input.size >= SEVERAL and input.dtype.kind == "f":
        return _pieces.sign(input)
    if input.dtype.kind == "b":
        return input.copy()
    # unlike np.sign this makes NaN 0
    return np.subtract(np.greater(input, 0), np.less(input, 0), dtype=input.dtype)


sgn = sign


@op(samples=unary(), reference=np.vectorize(lambda a: math.copysign(1, a) < 0, otypes=[bool]),
    bad=[_not_tensor("signbit")])
def signbit(input):
    """Whether the sign bit is set; unlike ``input < 0`` it tells -0.0 from 0.0.

    >>> signbit(np.array([-0.0, 0.0]))
    array([ True, False])
    """
    tensor_only(input)
    return np.signbit(input) if input.dtype.kind == "f" else np.less(input, 0)
