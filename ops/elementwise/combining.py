"""Functions of several arguments: `addcmul`, `lerp`, `hypot`, `logaddexp` and their like."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, composite, dtype_of, op
from ops.elementwise.arithmetic import add, mul, sign, sub
from ops.elementwise.comparison import eq, le, logical_and
from ops.elementwise.division import div
from ops.elementwise.exponential import log_of, pow, sigmoid
from ops.elementwise.masking import zero_where, zeros_of
from ops.elementwise.pointwise import SEVERAL, by_element, not_implemented, pointwise, tensor_only
from ops.lazy import LazyModule
from ops.promotion import operands
from ops.samples import binary, spaced

__all__ = ["addcdiv", "addcmul", "copysign", "hypot", "ldexp", "lerp", "logaddexp", "logaddexp2",
           "xlogy"]

_pieces = LazyModule("ops.kernels.pieces")


def _check_ternary(name, *values) -> None:
    for position, value in enumerate(values):
        if not hasattr(value, "shape"):
            argument = ("input", "tensor1", "tensor2")[position]
            raise TypeError(f"{name}(): argument '{argument}' (position {position + 1}) must be Tensor, "
                            f"not {type(value).__name__}")


def _ternary_cases(rng):
    for shapes in (((), (), ()), ((2, 3), (3,), (2, 1)), ((0, 3), (3,), (1,))):
        yield case(*(spaced(rng, shape, 0.5, 2.5) for shape in shapes))
    yield case(*(spaced(rng, (2, 3), 0.5, 2.5) for _ in range(3)), value=-0.5)


_ternary_bad = [
    Bad((np.ones(2), np.ones(2), 1.0), {}, TypeError, r"'tensor2' \(position 3\) must be Tensor"),
    Bad((np.ones(2), np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match"),
]


@composite(samples=_ternary_cases, bad=_ternary_bad, differentiable=("input", "tensor1", "tensor2"),
           reference=lambda input, tensor1, tensor2, value=1: input + value * tensor1 * tensor2)
def addcmul(input, tensor1, tensor2, *, value=1):
    """``input + value * tensor1 * tensor2``.

    >>> addcmul(np.array([1.0]), np.array([2.0]), np.array([3.0]), value=0.5)
    array([4.])
    """
    _check_ternary("addcmul", input, tensor1, tensor2)
    return add(input, mul(tensor1, tensor2), alpha=value)


@composite(
    samples=_ternary_cases,
    differentiable=("input", "tensor1", "tensor2"),
    reference=lambda input, tensor1, tensor2, value=1: input + value * tensor1 / tensor2,
    bad=[
        *_ternary_bad,
        Bad((np.ones(2), np.arange(2), np.arange(2)), {}, RuntimeError, "Integer division with addcdiv"),
    ],
)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """``input + value * tensor1 / tensor2``.

    >>> addcdiv(np.array([1.0]), np.array([2.0]), np.array([4.0]), value=2)
    array([2.])
    """
    _check_ternary("addcdiv", input, tensor1, tensor2)
    if dtype_of(tensor1).kind != "f" and dtype_of(tensor2).kind != "f":
        raise RuntimeError(
            "Integer division with addcdiv is not supported; convert one of the tensors to floating "
            "point, or write input + value * torch.div(tensor1, tensor2, rounding_mode='trunc')"
        )
    return add(input, div(tensor1, tensor2), alpha=value)


# ------------------------------------------------------------------ interpolation


def _lerp_cases(rng):
    for first, second, third in (((), (), ()), ((2, 3), (3,), (2, 1)), ((0, 3), (3,), (1,))):
        yield case(spaced(rng, first), spaced(rng, second), spaced(rng, third, 0, 1))
    yield case(spaced(rng, (2, 3)), spaced(rng, (2, 3)), 0.3)


@op(
    grad=dict(
        input=lambda g, weight: mul(g, sub(1, weight)),
        end=lambda g, weight: mul(g, weight),
        weight=lambda g, input, end: mul(g, sub(end, input)),
    ),
    broadcasts=True,
    samples=_lerp_cases,
    reference=lambda input, end, weight: (1 - weight) * input + weight * end,
    bad=[
        Bad(
            (np.ones(2), np.ones(2, np.float32), 0.5),
            {},
            RuntimeError,
            "expected dtype float64 for `end`",
        ),
        Bad(
            (np.ones(2), np.ones(2), np.ones(2, int)),
            {},
            RuntimeError,
            "expected dtype float64 for `weight`",
        ),
        Bad((np.arange(2), np.arange(2), 0.5), {}, NotImplementedError, "not implemented for 'Long'"),
        Bad((np.ones(2), 1.0, 0.5), {}, TypeError, r"'end' \(position 2\) must be Tensor, not float"),
    ],
)
def lerp(input, end, weight):
    """Linear interpolation ``input + weight * (end - input)``.

    Args:
        weight: a number or an array.

    Raises:
        RuntimeError: if the dtypes differ.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.lerp.html

    >>> lerp(np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0.25)
    array([1.5, 2.5])
    """
    if type(input) is not np.ndarray or type(end) is not np.ndarray:
        tensor_only(input, end)
    dtype = input.dtype
    if (type(weight) is float and end.dtype is dtype and end.shape == input.shape
            and input.size >= SEVERAL and dtype.kind == "f"):
        return _pieces.lerp(input, end, weight)
    for name, value in (("end", end), ("weight", weight)):
        if type(value) is not float and hasattr(value, "dtype") and value.dtype != dtype:
            raise RuntimeError(f"lerp: expected dtype {dtype} for `{name}` but got dtype {value.dtype}")
    if dtype.kind != "f":
        raise not_implemented("lerp", dtype)
    change = pointwise(np.subtract, end, input)
    near = pointwise(np.add, input, pointwise(np.multiply, change, weight))
    # from the nearer side, so that a weight of 1 gives the end exactly
    far = pointwise(np.subtract, end, pointwise(np.multiply, change, 1 - weight))
    return (
        np.where(np.less(weight, 0.5), near, far) if np.ndim(weight) else (near if weight < 0.5 else far)
    )


# ------------------------------------------------------------------ two arguments


def _floats(ufunc, name, input, other):
    """A function of two Tensors that integers are refused for."""
    tensor_only(input, other)
    if input.dtype.kind != "f" and other.dtype.kind != "f":
        raise not_implemented(name, input.dtype)
    return pointwise(ufunc, input, other)


def _bad(name):
    return [
        Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
        Bad(
            (np.ones(2), 1.0),
            {},
            TypeError,
            rf"{name}\(\): argument 'other' \(position 2\) must be Tensor",
        ),
        Bad((np.arange(2), np.arange(2)), {}, NotImplementedError, "not implemented for 'Long'"),
    ]


@op(
    grad=dict(
        input=lambda g, input, ans: mul(g, div(input, ans)),
        other=lambda g, other, ans: mul(g, div(other, ans)),
    ),
    broadcasts=True,
    samples=binary(0.3, 2, number=None),
    reference=by_element(math.hypot),
    bad=_bad("hypot"),
)
def hypot(input, other):
    """``sqrt(input^2 + other^2)`` without overflow.

    >>> hypot(np.array([3.0]), np.array([4.0]))
    array([5.])
    """
    return _floats(np.hypot, "hypot", input, other)


@op(grad=dict(input=lambda g, input, other: mul(g, sigmoid(sub(input, other))),
              other=lambda g, input, other: mul(g, sigmoid(sub(other, input)))),
    broadcasts=True, samples=binary(number=None), bad=_bad("logaddexp"),
    reference=by_element(lambda a, b: math.log(math.exp(a) + math.exp(b))))
def logaddexp(input, other):
    """``log(exp(input) + exp(other))`` without overflow.

    >>> logaddexp(np.array([1000.0]), np.array([1000.0])).round(3)
    array([1000.693])
    """
    return _floats(np.logaddexp, "logaddexp", input, other)


@op(grad=dict(input=lambda g, input, other: mul(g, sigmoid(mul(sub(input, other), math.log(2)))),
              other=lambda g, input, other: mul(g, sigmoid(mul(sub(other, input), math.log(2))))),
    broadcasts=True, samples=binary(number=None), bad=_bad("logaddexp2"),
    reference=by_element(lambda a, b: math.log2(2**a + 2**b)))
def logaddexp2(input, other):
    """``log2(2^input + 2^other)`` without overflow.

    >>> logaddexp2(np.array([3000.0]), np.array([3000.0]))
    array([3001.])
    """
    return _floats(np.logaddexp2, "logaddexp2", input, other)


_bad_other = _bad("other")[:1]


@op(grad=dict(
        input=lambda g, input, ans: mul(g, mul(sign(input), sign(ans))), other=lambda g: zeros_of(g)
    ),
    broadcasts=True, samples=binary(-2, 2.1), bad=_bad_other, reference=by_element(math.copysign))
def copysign(input, other):
    """The size of ``input`` with the sign of ``other``; integers give the default float.

    >>> copysign(np.array([1.0, 2.0]), -3)
    array([-1., -2.])
    """
    return pointwise(np.copysign, input, other, True)


@composite(samples=binary(number=None), bad=_bad_other, differentiable=("input", "other"),
           reference=by_element(lambda a, b: a * math.exp(b * math.log(2))))
def ldexp(input, other):
    """``input * 2^other``, the power in the dtype of ``input`` if that is floating point.

    >>> ldexp(np.array([1.0, 3.0]), np.array([4, -1]))
    array([16. ,  1.5])
    """
    dtype = dtype_of(input)
    return mul(input, pow(np.array(2.0, dtype) if dtype.kind == "f" else 2.0, other))


def _xlogy_cases(rng):
    yield from binary(0.5, 2)(rng)
    yield case(2.0, spaced(rng, (3,), 0.5, 2))


def _xlogy(x, y):
    return np.where(
        np.logical_or(np.not_equal(x, 0), np.isnan(y)), np.multiply(x, np.log(y)), x.dtype.type(0)
    )


@op(
    grad=dict(
        input=lambda g, input, other: zero_where(
            mul(g, log_of(other)), logical_and(eq(input, 0), le(other, 0))
        ),
        other=lambda g, input, other: mul(g, div(input, other)),
    ),
    broadcasts=True,
    samples=_xlogy_cases,
    reference=by_element(lambda a, b: a * math.log(b) if a else 0.0),
    bad=[
        Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
        Bad(
            (np.ones(2), "1"),
            {},
            TypeError,
            r"xlogy\(\): argument 'other' \(position 2\) must be Tensor",
        ),
    ],
)
def xlogy(input, other):
    """``input * log(other)``, and 0 where ``input`` is 0 (unless ``other`` is NaN).

    >>> xlogy(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    array([0., 0.])
    """
    return pointwise(_xlogy, *operands(input, other, floating=True))
