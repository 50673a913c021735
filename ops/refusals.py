"""What a failed call is told: PyTorch's error for an argument that an op's forward function ran into.

The forward functions need not look at the type of every argument, and a call that succeeds pays nothing:
only where one fails, its arguments are searched for the culprit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ops.promotion import SUPPORTED, TYPE_NAMES

__all__ = ["refusal"]


def refusal(op: str, arguments: list[tuple[str, object]], error: Exception) -> Exception:
    """The error for a call of ``op`` that ended in ``error``; that one itself if it says what is wrong.

    Args:
        arguments: name and value of each argument, Tensors replaced by their arrays.

    >>> from ops.core import TABLE
    >>> TABLE["flip"]([1.0], (0,))
    Traceback (most recent call last):
    ...
    TypeError: flip(): argument 'input' (position 1) must be Tensor, not list
    >>> TABLE["conv1d"](np.ones((1, 1, 3), np.float16), np.ones((1, 1, 2), np.float16))
    Traceback (most recent call last):
    ...
    TypeError: conv1d(): argument 'input' (position 1) has dtype float16, which is not supported; use one of \
bool, uint8, int8, int16, int32, int64, float32, float64
    """
    for position, (name, array) in enumerate(arguments, 1):
        for item in _arrays(array):
            if item.dtype not in SUPPORTED:
                return TypeError(f"{op}(): argument '{name}' (position {position}) has dtype {item.dtype}, "
                                 f"which is not supported; use one of {', '.join(SUPPORTED.values())}")
    if isinstance(error, AttributeError):
        return _no_tensor(op, arguments, error)
    if _is_foreign(error):
        found = (TYPE_NAMES[item.dtype.name] for _, value in arguments for item in _arrays(value))
        given = " and ".join(f"'{name}'" for name in dict.fromkeys(found))
        return NotImplementedError(f'"{op}" not implemented for {given}; convert it, for example x.float()')
    return error


def _arrays(value) -> Iterator[np.ndarray]:
    """The arrays in an argument: itself, or those in a sequence."""
    for item in value if type(value) in (tuple, list) else (value,):
        if isinstance(item, np.ndarray):
            yield item


def _is_foreign(error: Exception) -> bool:
    """Whether an error comes from below: from numba, NumPy's ufuncs or a table of dtypes."""
    if isinstance(error, KeyError):
        return any(isinstance(key, np.dtype) or key in SUPPORTED.values() for key in error.args)
    told = type(error).__module__.startswith(("numba", "numpy._core", "numpy.core"))
    return told or isinstance(error, TypeError) and "according to the rule" in str(error)


def _no_tensor(op: str, arguments: list, error: AttributeError) -> Exception:
    """The error for the argument that lacked an array's attribute."""
    culprit = error.obj
    if error.name is None or isinstance(culprit, (np.ndarray, np.generic)):
        return error
    for position, (name, value) in enumerate(arguments, 1):
        if value is culprit or type(value) is type(culprit) in (tuple, list):  # those are copied
            return TypeError(f"{op}(): argument '{name}' (position {position}) must be Tensor, not "
                             f"{type(culprit).__name__}")
        if type(value) in (tuple, list):
            for place, item in enumerate(value):
                if item is culprit:
                    return TypeError(f"{op}(): expected Tensor as element {place} in argument "
                                     f"{position - 1}, but got {type(culprit).__name__}")
    return error
