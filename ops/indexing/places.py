"""Sums into places named by integers, on plain arrays: what the gradients of all indexing come down to.

Repeated places are summed in the order of the index, by NumPy for small work and other dtypes, by a
compiled kernel for large floats; both add in the same order and give the same bits.
"""

from __future__ import annotations

import numpy as np

from ops.lazy import LazyModule

__all__ = ["add_to_places", "add_to_rows", "check_bounds", "places_along"]

_kernels = LazyModule("ops.kernels.scatter")
_SMALL = 4096  # elements; below, NumPy is done before the kernel would be imported


def check_bounds(index: np.ndarray, size: int, dim: int, error: type = IndexError,
                 negative: bool = False) -> None:
    """Refuse an index outside of ``[0, size)``, or outside of ``[-size, size)`` if it may be
    ``negative``.

    >>> check_bounds(np.array([0, 5]), 3, 0)
    Traceback (most recent call last):
    ...
    IndexError: index 5 is out of bounds for dimension 0 with size 3
    """
    if index.size:
        low, high = index.min(), index.max()
        if low < (-size if negative else 0) or high >= size:
            wrong = high if high >= size else low
            raise error(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def add_to_places(out: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    """``out[places[i]] += values[i]`` for one-dimensional, contiguous ``out``; places are not negative.

    >>> out = np.zeros(3)
    >>> add_to_places(out, np.array([1, 1]), np.array([2.0, 3.0]))
    >>> out
    array([0., 5., 0.])
    """
    if places.size < _SMALL or out.dtype.kind != "f":
        np.add.at(out, places, values)
    else:
        _kernels.index_put(out, places.astype(np.int64, copy=False),
                           np.ascontiguousarray(values, out.dtype))


def add_to_rows(out: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """``out[rows[i]] += values[i]`` for contiguous ``out`` (n, d) and values (k, d); rows are not
    negative.

    >>> out = np.zeros((2, 2))
    >>> add_to_rows(out, np.array([1, 1]), np.ones((2, 2)))
    >>> out
    array([[0., 0.],
           [2., 2.]])
    """
    if values.size < _SMALL or out.dtype.kind != "f":
        np.add.at(out, rows, values)
    else:
        _kernels.index_add(out, rows.astype(np.int64, copy=False),
                           np.ascontiguousarray(values, out.dtype))


def places_along(index: np.ndarray, dim: int, shape: tuple[int, ...]) -> np.ndarray:
    """Positions in the flattened array of ``shape`` that ``index`` names along ``dim``.

    The element ``index[i, j, k]`` stands for ``[i, index[i, j, k], k]`` if ``dim`` is 1.

    >>> places_along(np.array([[2, 0], [1, 1]]), 1, (2, 3))
    array([[2, 0],
           [4, 4]])
    """
    places, stride = np.zeros((1,) * index.ndim, np.int64), 1
    for d in reversed(range(index.ndim)):
        column = (-1,) + (1,) * (index.ndim - 1 - d)
        places = places + stride * (index if d == dim else np.arange(index.shape[d]).reshape(column))
        stride *= shape[d]
    return places
