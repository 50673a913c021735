"""Stable sorting of float32 rows: each number and its place become one integer, and integers sort fast.

NumPy sorts integers with vector instructions, five times as fast as it finds the order of floats.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

__all__ = ["sort_rows"]

_SIZE, _INFINITY = 0x7FFFFFFF, 0x7F800000  # the bits of a float32 without its sign; those of infinity


@jit
def _pack(bits, descending, keys):
    """Keys in the order of the numbers, equal ones in that of their places; NaN is the largest number."""
    for r in range(bits.shape[0]):
        for i in range(bits.shape[1]):
            word = np.int64(bits[r, i])
            size = word & _SIZE
            rank = size if word >= 0 else -size  # both zeros have rank 0
            rank = _SIZE if size > _INFINITY else rank
            keys[r, i] = ((-rank if descending else rank) << 32) | i


@jit
def _unpack(x, keys, values, places):
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            place = keys[r, i] & 0xFFFFFFFF
            values[r, i] = x[r, place]
            places[r, i] = place


def sort_rows(x: np.ndarray, descending: bool) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a contiguous float32 matrix in order, and the places their elements came from.

    >>> values, places = sort_rows(np.float32([[2, 3, 1]]), False)
    >>> values.tolist(), places.tolist()
    ([[1.0, 2.0, 3.0]], [[2, 0, 1]])
    """
    keys, values = np.empty(x.shape, np.int64), np.empty(x.shape, x.dtype)
    _pack(x.view(np.int32), descending, keys)
    keys.sort(axis=1)
    places = np.empty(x.shape, np.int64)
    _unpack(x, keys, values, places)
    return values, places
