"""What the elementwise ops share: promoted operands, refusals, and references for the tests."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ops.broadcasting import broadcast_shapes
from ops.lazy import LazyModule
from ops.promotion import TYPE_NAMES, not_a_tensor, operands

__all__ = ["LARGE", "SEVERAL", "by_element", "fused", "is_bool", "large", "not_implemented", "numeric",
           "pointwise", "several", "tensor_only"]

BOOL = np.dtype(bool)
_ANY_ARRAY = np.empty(0)
_NUMBERS = (float, int)
_WITH_ROW = {np.add, np.subtract, np.multiply, np.true_divide}
_rows = LazyModule("ops.kernels.rows")
LARGE, SEVERAL = 8192, 256


def pointwise(ufunc: Callable, input, other, floating: bool = False):
    """``ufunc(input, other)`` with PyTorch's promotion; either may be a Python number.

    Two arrays of one dtype, and a float array with a number, go to NumPy at once, many rows with one row
    to a kernel.

    Args:
        ufunc: a function of two arrays that broadcasts.
        floating: whether integers become the default float first.

    Raises:
        RuntimeError: if the shapes do not broadcast.

    >>> pointwise(np.add, np.ones(2, np.float32), np.arange(2)).dtype
    dtype('float32')
    """
    if type(input) is np.ndarray and type(other) is np.ndarray and other.dtype is input.dtype:
        if floating and input.dtype.kind != "f":
            input, other = operands(input, other, floating=True)
        elif other.ndim == 1 and _takes_row(ufunc, input, other):
            return _rows.with_row(ufunc, input, other)
    elif type(input) is not np.ndarray or type(other) not in _NUMBERS or input.dtype.kind != "f":
        input, other = operands(input, other, floating=floating)
    try:
        return ufunc(input, other)
    except ValueError:
        broadcast_shapes(np.shape(input), np.shape(other))
        raise


def _takes_row(ufunc: Callable, input: np.ndarray, row: np.ndarray) -> bool:
    """Whether a kernel takes every row of a large matrix with the one row."""
    return (input.ndim > 1 and ufunc in _WITH_ROW and large(input) and input.shape[-1] == row.shape[0]
            and input.flags.c_contiguous)


def large(values) -> bool:
    """Whether a compiled kernel pays: for floats, from the size on where NumPy's call is no cheaper.

    >>> large(np.ones(10_000)), large(np.ones(10)), large(np.arange(10_000))
    (True, False, False)
    """
    return values.size >= LARGE and values.dtype.kind == "f"


def several(values) -> bool:
    """Whether a compiled kernel pays in place of three calls of NumPy: for floats, from about 256 on.

    >>> several(np.ones(1000)), several(np.ones(10))
    (True, False)
    """
    return values.size >= SEVERAL and values.dtype.kind == "f"


def fused(kernel: Callable, formula: Callable) -> Callable:
    """A gradient rule that a kernel computes for arrays, in one pass over memory.

    Args:
        kernel: gets what the formula gets, as arrays.
        formula: the rule written with ops; it computes for Tensors, so gradients of higher order need
            nothing else, and its parameters name what the rule needs.

    >>> rule = fused(lambda g, ans: g + ans, lambda g, ans: None)
    >>> rule(np.ones(2), np.ones(2))
    array([2., 2.])
    """

    @functools.wraps(formula)
    def rule(g, *saved):
        return (kernel if type(g) is np.ndarray else formula)(g, *saved)

    return rule


def tensor_only(value, other=_ANY_ARRAY) -> None:
    """Refuse Python numbers where PyTorch takes Tensors alone, as one argument or as two.

    >>> tensor_only(np.ones(2), 1.0)
    Traceback (most recent call last):
    ...
    TypeError: expected a Tensor, got float
    """
    if type(value) is not np.ndarray or type(other) is not np.ndarray:
        for one in (value, other):
            if type(one) is not np.ndarray and not isinstance(one, np.generic):
                raise not_a_tensor(one)


def is_bool(value) -> bool:
    """Whether an array or a Python number is boolean.

    >>> is_bool(True), is_bool(np.ones(2))
    (True, False)
    """
    dtype = getattr(value, "dtype", None)
    return dtype.kind == "b" if dtype is not None else value is True or value is False


def numeric(input, name: str):
    """``input`` itself, refused if it is boolean or not an array.

    >>> numeric(np.array([True]), "abs")
    Traceback (most recent call last):
    ...
    NotImplementedError: "abs" not implemented for 'Bool'; convert it, for example x.float()
    """
    tensor_only(input)
    if input.dtype.kind == "b":
        raise not_implemented(name, BOOL)
    return input


def not_implemented(name: str, dtype: np.dtype) -> NotImplementedError:
    """The error for a dtype that an op has no meaning for, with PyTorch's name of the dtype.

    >>> not_implemented("lerp", np.dtype(int))
    NotImplementedError('"lerp" not implemented for \\'Long\\'; convert it, for example x.float()')
    """
    return NotImplementedError(
        f"\"{name}\" not implemented for '{TYPE_NAMES[np.dtype(dtype).name]}'; "
        "convert it, for example x.float()"
    )


def by_element(function: Callable) -> Callable:
    """A function of Python floats applied to every element: the references of the tests.

    >>> by_element(abs)(np.array([-1.0, 2.0]))
    array([1., 2.])
    """
    return np.vectorize(function, otypes=[float])
