"""Operations on the bits of integers; on booleans they are the logical ones."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, op
from ops.elementwise.pointwise import not_implemented, pointwise, tensor_only
from ops.promotion import operands

__all__ = ["bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
           "bitwise_xor"]

_bad = [
    Bad((np.ones(2), np.ones(2, int)), {}, NotImplementedError, "not implemented for 'Double'"),
    Bad((np.arange(2), np.arange(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)"),
    Bad((np.arange(2), "1"), {}, TypeError, r"argument 'other' \(position 2\) must be Tensor, not str"),
]


def _apply(ufunc, name, kinds, input, other):
    """A ufunc of two integer operands; ``kinds`` are the dtype kinds it has a meaning for."""
    arrays = operands(input, other)
    if arrays[0].dtype.kind not in kinds:
        raise not_implemented(name, arrays[0].dtype)
    return pointwise(ufunc, *arrays)


def _cases(rng):
    for first, second in (((), ()), ((2, 3), (3,)), ((0, 3), (1, 3))):
        yield case(rng.integers(-9, 9, first), rng.integers(0, 9, second))
    yield case(rng.integers(0, 9, 3), 5)


def _by_integer(function):
    return np.vectorize(lambda a, b: function(int(a), int(b)), otypes=[np.int64])


@op(samples=_cases, reference=_by_integer(lambda a, b: a & b), bad=_bad)
def bitwise_and(input, other):
    """Bits set in both integers.

    >>> bitwise_and(np.array([6, 5]), 3)
    array([2, 1])
    """
    return _apply(np.bitwise_and, "bitwise_and", "biu", input, other)


@op(samples=_cases, reference=_by_integer(lambda a, b: a | b), bad=_bad)
def bitwise_or(input, other):
    """Bits set in one of two integers.

    >>> bitwise_or(np.array([6, 5]), 3)
    array([7, 7])
    """
    return _apply(np.bitwise_or, "bitwise_or", "biu", input, other)


@op(samples=_cases, reference=_by_integer(lambda a, b: a ^ b), bad=_bad)
def bitwise_xor(input, other):
    """Bits set in exactly one of two integers.

    >>> bitwise_xor(np.array([6, 5]), 3)
    array([5, 6])
    """
    return _apply(np.bitwise_xor, "bitwise_xor", "biu", input, other)


@op(samples=_cases, reference=_by_integer(lambda a, b: a << b), bad=_bad)
def bitwise_left_shift(input, other):
    """``input * 2^other`` in the bits that the dtype has.

    >>> bitwise_left_shift(np.array([1, 3]), 2)
    array([ 4, 12])
    """
    return _apply(np.left_shift, "lshift", "iu", input, other)


@op(samples=_cases, reference=_by_integer(lambda a, b: a >> b), bad=_bad)
def bitwise_right_shift(input, other):
    """``input / 2^other`` rounded down.

    >>> bitwise_right_shift(np.array([8, -3]), 1)
    array([ 4, -2])
    """
    return _apply(np.right_shift, "rshift", "iu", input, other)


@op(
    samples=lambda rng: (case(rng.integers(-9, 9, shape)) for shape in ((), (2, 3), (0,))),
    reference=np.vectorize(lambda a: ~int(a), otypes=[np.int64]),
    bad=[Bad((np.ones(2),), {}, NotImplementedError, "not implemented for 'Double'"),
         Bad((1,), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not int")],
)
def bitwise_not(input):
    """All bits inverted; for booleans, not.

    >>> bitwise_not(np.array([0, 5]))
    array([-1, -6])
    """
    tensor_only(input)
    if input.dtype.kind == "f":
        raise not_implemented("bitwise_not", input.dtype)
    return np.invert(input)
