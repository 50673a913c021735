"""Dimension numbers as users write them: negative ones count from the end."""

from __future__ import annotations

import operator

__all__ = ["wrap_dim", "wrap_dims"]


def wrap_dim(dim: int, ndim: int) -> int:
    """``dim`` as a number from 0 to ``ndim - 1``; a 0-d array counts as having one dimension.

    Raises:
        IndexError: if it is out of range, with PyTorch's text.
        TypeError: if it is no integer.

    >>> wrap_dim(-1, 3), wrap_dim(0, 0)
    (2, 0)
    >>> wrap_dim(3, 2)
    Traceback (most recent call last):
    ...
    IndexError: Dimension out of range (expected to be in range of [-2, 1], but got 3)
    """
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim
    bound = ndim or 1
    if dim is True or dim is False:
        raise TypeError(f"argument 'dim' must be int, not bool ({dim})")
    if not -bound <= dim < bound:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], "
                         f"but got {dim})")
    return operator.index(dim) % bound


def wrap_dims(dims, ndim: int) -> tuple[int, ...]:
    """Several dimensions, or a single one, through `wrap_dim`; none may occur twice.

    Raises:
        IndexError: if one is out of range.
        RuntimeError: if one is repeated.

    >>> wrap_dims((-1, 0), 3), wrap_dims(1, 2)
    ((2, 0), (1,))
    """
    if type(dims) is tuple and len(dims) == 1:
        return (wrap_dim(dims[0], ndim),)
    dims = tuple(dims) if hasattr(dims, "__iter__") else (dims,)
    wrapped = tuple([wrap_dim(dim, ndim) for dim in dims])
    if len(wrapped) > 1:
        for position, dim in enumerate(wrapped):
            if dim in wrapped[:position]:
                raise RuntimeError(f"dim {dim} appears multiple times in the list of dims {dims}")
    return wrapped
