"""Scatter with accumulation and gather: sums into places that an integer array names.

Places that occur several times are summed in the order of the index, always the same one: the work is
cut across rows or columns of the output, never across the index. Along the last
axis -1, the index that an empty pooling window returns, and any other that lies outside is "no place";
indices of rows were validated by the caller.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

__all__ = ["embedding_backward", "gather", "index_add", "index_put", "scatter_add"]


@jit
def gather_rows(start, stop, x, index, out):
    """out[r, i] = x[r, index[r, i]], 0 for no place."""
    for r in range(start, stop):
        row, places, result = x[r], index[r], out[r]
        for i in range(places.size):
            result[i] = row[places[i]] if 0 <= places[i] < row.size else x.dtype.type(0)


@jit
def scatter_add_rows(start, stop, out, index, source):
    """out[r, index[r, i]] += source[r, i] in the order of i."""
    for r in range(start, stop):
        row, places, values = out[r], index[r], source[r]
        for i in range(places.size):
            if 0 <= places[i] < row.size:
                row[places[i]] += values[i]


@jit
def index_add_columns(start, stop, out, index, source, alpha, skip):
    """out[index[k], j] += alpha source[k, j] in order of k, for start <= j < stop, index[k] != skip."""
    for k in range(index.size):
        if index[k] != skip:
            row, values = out[index[k], start:stop], source[k, start:stop]
            for j in range(row.size):
                row[j] += alpha * values[j]


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """x[r, index[r, i]] for x (rows, n) and an int64 index (rows, k): an array (rows, k).

    >>> gather(np.array([[1.0, 2.0, 3.0]]), np.array([[2, 0, -1]])).tolist()
    [[3.0, 1.0, 0.0]]
    """
    out = np.empty(index.shape, x.dtype)
    gather_rows(0, len(out), np.ascontiguousarray(x), np.ascontiguousarray(index), out)
    return out


def scatter_add(out: np.ndarray, index: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Add source (rows, k) to out (rows, n), in place, at index (rows, k) of the last axis; returns out.

    >>> scatter_add(np.zeros((1, 3)), np.array([[2, 0, 2]]), np.array([[1.0, 2.0, 3.0]])).tolist()
    [[2.0, 0.0, 4.0]]
    """
    scatter_add_rows(0, len(out), out, np.ascontiguousarray(index), np.ascontiguousarray(source))
    return out


def index_add(out: np.ndarray, index: np.ndarray, source: np.ndarray, alpha: float = 1) -> np.ndarray:
    """Add alpha * source[k] to row index[k] of out (n, d), in place; source is (k, d); returns out.

    >>> index_add(np.zeros((2, 2)), np.array([1, 1]), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[0.0, 0.0], [4.0, 6.0]]
    """
    index, source = np.ascontiguousarray(index), np.ascontiguousarray(source)
    index_add_columns(0, out.shape[1], out, index, source, out.dtype.type(alpha), -1)
    return out


def embedding_backward(
    grad: np.ndarray, index: np.ndarray, rows: int, padding_idx: int = -1
) -> np.ndarray:
    """Gradient of ``table[index]`` by the table (rows, d), from grad (k, d) and index (k,).

    Rows of the cotangent at ``padding_idx`` are left out (-1: none), as torch.nn.functional.embedding
    does.

    >>> embedding_backward(np.ones((3, 1)), np.array([0, 2, 2]), 3, padding_idx=0).tolist()
    [[0.0], [0.0], [2.0]]
    """
    grad, index = np.ascontiguousarray(grad), np.ascontiguousarray(index)
    out = np.zeros((rows, grad.shape[1]), grad.dtype)
    index_add_columns(0, out.shape[1], out, index, grad, out.dtype.type(1), padding_idx)
    return out


def index_put(out: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """out[index[k]] += values[k] for a flat array out (n,), in place, repeats included; returns out.

    >>> index_put(np.zeros(3), np.array([1, 1]), np.array([2.0, 3.0])).tolist()
    [0.0, 5.0, 0.0]
    """
    scatter_add(out.reshape(1, -1), index.reshape(1, -1), values.reshape(1, -1))
    return out
