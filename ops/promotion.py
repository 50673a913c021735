"""Which dtype a result has: PyTorch's type promotion, on NumPy arrays.

Three ranks of operands decide together: arrays with dimensions, then 0-d arrays, then Python numbers.
An operand of a lower rank changes the result only when its *category* (bool < integer < float) is
higher: ``int8 array + 5`` stays int8, ``int8 array + 0.5`` becomes the default float.
Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""

from __future__ import annotations

import functools
import sys

import numpy as np

__all__ = ["as_dtype", "can_cast", "default_dtype", "floating", "not_a_tensor", "operands",
           "promote_types", "result_dtype", "set_default_dtype"]

BOOL, INT64, FLOAT32, FLOAT64 = map(np.dtype, ("bool", "int64", "float32", "float64"))
SUPPORTED = {np.dtype(name): name for name in
             ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")}
TYPE_NAMES = dict(zip(SUPPORTED.values(),
                      ("Bool", "Byte", "Char", "Short", "Int", "Long", "Float", "Double")))
"""PyTorch's names of the dtypes in the text of errors."""

_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}

_default = FLOAT32


def default_dtype() -> np.dtype:
    """The dtype of Python floats and of results that have to become floating point.

    >>> default_dtype()
    dtype('float32')
    """
    return _default


def set_default_dtype(dtype) -> None:
    """Choose float32 or float64 as the default floating dtype.

    >>> set_default_dtype(np.float32)
    >>> set_default_dtype(np.int64)
    Traceback (most recent call last):
    ...
    TypeError: only floating-point types are supported as the default type, got int64
    """
    global _default
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"only floating-point types are supported as the default type, got {dtype}")
    _default = dtype


def as_dtype(dtype) -> np.dtype | None:
    """A NumPy dtype from whatever names one (NumPy or engine dtype, ``float``, ``"float32"``, ``None``).

    >>> as_dtype(float), as_dtype(None)
    (dtype('float64'), None)
    >>> as_dtype("complex64")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    TypeError: dtype complex64 is not supported; use one of bool, uint8, ..., float32, float64
    """
    if dtype is None:
        return None
    found = np.dtype(dtype)
    if found not in SUPPORTED:
        raise TypeError(f"dtype {found} is not supported; use one of {', '.join(SUPPORTED.values())}")
    return found


@functools.cache
def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest dtype that holds both categories; unlike NumPy, int64 and float32 give float32.

    >>> promote_types(np.dtype("int64"), np.dtype("float32"))
    dtype('float32')
    >>> promote_types(np.dtype("uint8"), np.dtype("int8"))
    dtype('int16')
    """
    a, b = as_dtype(a), as_dtype(b)
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)


def can_cast(source: np.dtype, target: np.dtype) -> bool:
    """Whether an op in place may write one dtype to the other: only to a *category* that is not lower.

    >>> can_cast(np.dtype("int64"), np.dtype("uint8")), can_cast(np.dtype("float32"), np.dtype("int64"))
    (True, False)
    """
    return _CATEGORY[source.kind] <= _CATEGORY[target.kind]


def _combine(higher: np.dtype | None, lower: np.dtype | None) -> np.dtype | None:
    """The dtype of two ranks: the lower one counts only if its category is higher."""
    if higher is None or lower is None:
        return lower if higher is None else higher
    if higher.kind != "f" and (lower.kind == "f" or higher == BOOL):
        return promote_types(higher, lower)
    return higher


def result_dtype(*values) -> np.dtype:
    """PyTorch's ``result_type`` of arrays and Python numbers.

    >>> result_dtype(np.ones(2, np.int8), 5), result_dtype(np.ones(2, np.int8), 0.5)
    (dtype('int8'), dtype('float32'))
    >>> result_dtype(np.ones(2, np.float32), np.array(1.0))
    dtype('float32')
    """
    ranks = [None, None, None]
    for value in values:
        if isinstance(value, (np.ndarray, np.generic)):
            rank, dtype = (0 if value.ndim else 1), value.dtype
        elif isinstance(value, bool):
            rank, dtype = 2, BOOL
        elif isinstance(value, int):
            rank, dtype = 2, INT64
        elif isinstance(value, float):
            rank, dtype = 2, _default
        else:
            raise not_a_tensor(value)
        ranks[rank] = dtype if ranks[rank] is None else promote_types(ranks[rank], dtype)
    return _combine(ranks[0], _combine(ranks[1], ranks[2]))


def operands(*values, floating: bool = False) -> tuple:
    """The values as arrays of their common dtype; with ``floating`` integers become the default float.

    >>> [a.dtype.name for a in operands(np.arange(2), 0.5)]
    ['float32', 'float32']
    """
    first = values[0]
    dtype = first.dtype if type(first) is np.ndarray else None
    for value in values:
        if type(value) is not np.ndarray or value.dtype is not dtype:
            dtype = result_dtype(*values)
            break
    else:
        if not floating or dtype.kind == "f":
            return values
    if floating and dtype.kind != "f":
        dtype = _default
    return tuple([
        value if type(value) is np.ndarray and value.dtype is dtype else _cast(value, dtype)
        for value in values])


def _cast(value, dtype: np.dtype) -> np.ndarray:
    """``value`` as an array of ``dtype``; a Python integer out of range wraps, as in PyTorch."""
    if isinstance(value, int) and dtype.kind in "iu":
        return np.array(value & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(dtype)
    return np.asarray(value).astype(dtype, copy=False)


def floating(value: np.ndarray) -> np.ndarray:
    """``value`` itself if it is floating point, else cast to the default float.

    >>> floating(np.arange(3)).dtype
    dtype('float32')
    """
    try:
        return value if value.dtype.kind == "f" else value.astype(_default)
    except AttributeError:
        raise not_a_tensor(value) from None


def not_a_tensor(value) -> TypeError:
    """The error for a value that is no array, in PyTorch's words: it names the op and the argument.

    The op is found on the call stack, so that a call that succeeds pays nothing for the text.

    >>> floating([1.0])
    Traceback (most recent call last):
    ...
    TypeError: expected a Tensor, got list
    """
    frame = sys._getframe(1)
    while frame.f_back is not None:
        caller, code = frame.f_back, frame.f_code
        owner = {"call": "self", "record": "op", "method": "op"}.get(caller.f_code.co_name)
        known = caller.f_globals if caller.f_code.co_name == "record" else caller.f_locals
        if owner in known and hasattr(known[owner], "forward"):
            names = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
            for position, name in enumerate(names, 1):
                if frame.f_locals.get(name) is value:
                    return TypeError(f"{known[owner].name}(): argument '{name}' (position {position}) "
                                     f"must be Tensor, not {type(value).__name__}")
        frame = caller
    return TypeError(f"expected a Tensor, got {type(value).__name__}")
