"""What stands between the brackets of ``x[...]``: parsed, checked, and cut into two steps.

The first step is all that gives a view (numbers, slices, None, Ellipsis), the second all arrays
together.  So ``x[0, :, [1, 2]]`` is ``x[0][:, [1, 2]]`` as in PyTorch, where NumPy would let the number
0 take part in the second step.
"""

from __future__ import annotations

import operator

import numpy as np

from ops.core import array_of
from ops.indexing.places import check_bounds

__all__ = ["numbers_and_slices", "parse_index", "pick"]

EVERYTHING = slice(None)
INTEGERS = tuple(map(np.dtype, ("int64", "int32")))
BOOL, UINT8 = np.dtype(bool), np.dtype(np.uint8)


def _items(index) -> tuple:
    """The parts of an index; a list that holds more than numbers stands for a tuple, as in PyTorch."""
    if type(index) is tuple:
        return tuple(array_of(item) for item in index)
    if type(index) is list and any(
            item is None or item is Ellipsis or isinstance(array_of(item), (list, tuple, slice,
                                                                            np.ndarray))
            for item in index):
        return tuple(array_of(item) for item in index)
    return (array_of(index),)


def _array_item(item) -> np.ndarray:
    """A sequence or an array as an index array: int64, int32 or bool."""
    if isinstance(item, str):
        raise TypeError("an index must be an integer, slice, ellipsis, None or an array of integers or "
                        f"booleans, got the string {item!r}")
    if not isinstance(item, (np.ndarray, np.generic)):
        if not hasattr(item, "__len__"):
            raise IndexError("only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                             f"Variables are valid indices (got {type(item).__name__})")
        array = np.array([array_of(part) for part in item] if isinstance(item, (list, tuple)) else item)
        item = array if array.size else array.astype(np.int64)
    if item.dtype == UINT8:
        return np.asarray(item, BOOL)
    if item.dtype not in INTEGERS and item.dtype != BOOL:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors, got "
                         f"{item.dtype}")
    return np.asarray(item)


def _check_slice(item: slice) -> slice:
    if item.step is not None and operator.index(item.step) <= 0:
        raise ValueError("slice step cannot be zero" if item.step == 0 else
                         f"step must be greater than zero, got {item.step}; use flip() to reverse a "
                         "dimension")
    return item


def numbers_and_slices(index, shape: tuple[int, ...]) -> tuple | None:
    """The first step of the most common kind of index; None for anything else and for errors.

    >>> numbers_and_slices((0, slice(2)), (3, 4)), numbers_and_slices(5, (3, 4))
    ((0, slice(None, 2, None), Ellipsis), None)
    """
    items = index if type(index) is tuple else (index,)
    if len(items) > len(shape):
        return None
    for item, size in zip(items, shape):
        if type(item) is int:
            if not -size <= item < size:
                return None
        elif type(item) is not slice or item.step is not None and not (
                type(item.step) is int and item.step > 0):
            return None
    return (*items, ...)


def _consumes(item) -> int:
    """How many dimensions of the array an item of the index stands for."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == BOOL else 1


def parse_index(index, shape: tuple[int, ...], checked: bool = True) -> tuple[tuple, tuple | None]:
    """The two steps of an index, checked: one that gives a view, and one of arrays or None.

    Args:
        checked: whether the numbers in arrays are looked at; NumPy looks at them anyway when it reads.

    Raises:
        IndexError: for an index out of bounds, too many of them, or a mask of the wrong shape or dtype.
        ValueError: for a slice whose step is not positive.

    >>> parse_index((0, [1, 2]), (3, 4))
    ((0, slice(None, None, None), Ellipsis), (array([1, 2]),))
    """
    basic = numbers_and_slices(index, shape)
    if basic is not None:
        return basic, None
    items = [item if item is None or item is Ellipsis or type(item) in (int, bool, slice)
             else _array_item(item) if not isinstance(item, np.integer) else int(item)
             for item in _items(index)]
    ndim, used = len(shape), sum(map(_consumes, items))
    if used > ndim:
        if ndim == 0:
            raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a "
                             "Python number")
        raise IndexError(f"too many indices for tensor of dimension {ndim} (got {used})")
    first: list = []
    second: list = []
    dim, arrays = 0, False
    for item in items:
        if item is Ellipsis:
            count, used = ndim - used, ndim  # a second ellipsis stands for nothing
            first += [EVERYTHING] * count
            second += [EVERYTHING] * count
            dim += count
        elif item is None:
            first.append(None)
            second.append(EVERYTHING)
        elif type(item) is slice:
            first.append(_check_slice(item))
            second.append(EVERYTHING)
            dim += 1
        elif type(item) is int or type(item) is not bool and item.ndim == 0 and item.dtype != BOOL:
            if not -shape[dim] <= item < shape[dim]:
                raise IndexError(f"index {item} is out of bounds for dimension {dim} with size "
                                 f"{shape[dim]}")
            first.append(int(item))
            dim += 1
        else:
            arrays = True
            if type(item) is bool or item.ndim == 0:  # a new dimension of size 1 or 0
                first.append(None)
                second.append(np.zeros(int(item), np.int64))
                continue
            count = _consumes(item)
            if item.dtype != BOOL and checked:
                check_bounds(item, shape[dim], dim, negative=True)
            elif item.dtype == BOOL and item.shape != shape[dim:dim + count]:
                raise IndexError(f"The shape of the mask {list(item.shape)} at index {dim} does not "
                                 f"match the shape of the indexed tensor {list(shape)} at index {dim}")
            first += [EVERYTHING] * count
            second.append(item)
            dim += count
    return (*first, ...), tuple(second) if arrays else None


def pick(view: np.ndarray, arrays: tuple) -> np.ndarray:
    """The second step on an array; NumPy's error names the shapes that do not broadcast.

    >>> pick(np.arange(4), (np.array([3, 0]),))
    array([3, 0])
    """
    try:
        return view[arrays]
    except IndexError as error:
        raise IndexError("shape mismatch: indexing tensors could not be broadcast together "
                         f"({error})") from None
