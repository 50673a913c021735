"""Scatter and gather: values written to, added to and read from places that an integer array names.

Places that occur several times are summed in the order of the index, always the same one: the work is
cut across rows or columns of the output, never across the index. Along the last
axis -1, the index that an empty pooling window returns, and any other that lies outside is "no place";
indices of rows were validated by the caller.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import like
from .launch import Launch, Task
from .maps import parameters
from .masked import integers_of
from .simd import pointer_shift

__all__ = ["embedding_backward", "gather", "index_add", "index_put", "scatter", "scatter_add"]

# Numbers of the first three kernels: blocks, places in a block, strips of an index in a block, their length,
# elements side by side at a place, and whether a strip goes along these or along the places.


@Task
def _gather(arrays, numbers, task, worker):
    """out[b, k, i] = x[b, index[b, k, i], i], 0 for no place, and 1 in the last array if there was one."""
    size, strips, length, inner, along = numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    missing = False  # in any strip
    for b in range(numbers[0]):
        x = pointer_shift(arrays[1], b * size * inner)
        for strip in range(b * strips, (b + 1) * strips):
            out = pointer_shift(arrays[0], strip * length)
            index = pointer_shift(integers_of(arrays[2]), strip * length)
            outside = False
            for i in range(length):  # a pass of its own: 10,000 elements in 4 in place of 8 microseconds
                outside |= (index[i] < 0) | (index[i] >= size)
            if outside:
                missing = True
                for i in range(length):
                    found = 0 <= index[i] < size
                    value = x[(index[i] if found else 0) * inner + i * along]
                    out[i] = value if found else like(0, value)
            elif along:
                for i in range(length):
                    out[i] = x[index[i] * inner + i]
            else:
                for i in range(length):
                    out[i] = x[index[i]]
    integers_of(arrays[3])[0] = missing


@Task
def _scatter_add(arrays, numbers, task, worker):
    """out[b, index[b, k, i], i] += source[b, k, i] in the order of k; the last array as in `_gather`."""
    size, strips, length, inner, along = numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    missing = False
    for b in range(numbers[0]):
        out = pointer_shift(arrays[0], b * size * inner)
        for strip in range(b * strips, (b + 1) * strips):
            source = pointer_shift(arrays[1], strip * length)
            index = pointer_shift(integers_of(arrays[2]), strip * length)
            for i in range(length):
                if 0 <= index[i] < size:
                    out[index[i] * inner + i * along] += source[i]
                else:
                    missing = True
    integers_of(arrays[3])[0] = missing


@Task
def _scatter(arrays, numbers, task, worker):
    """out[b, index[b, k, i], i] = source[b, k, i], the last one in the order of k, or one number, step 0."""
    size, strips, length, inner, along = numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    step, missing = numbers[6], False
    for b in range(numbers[0]):
        out = pointer_shift(arrays[0], b * size * inner)
        for strip in range(b * strips, (b + 1) * strips):
            source = pointer_shift(arrays[1], strip * length * step)
            index = pointer_shift(integers_of(arrays[2]), strip * length)
            for i in range(length):
                if 0 <= index[i] < size:
                    out[index[i] * inner + i * along] = source[i * step]
                else:
                    missing = True
    integers_of(arrays[3])[0] = missing


@Task
def _index_add(arrays, numbers, task, worker):
    """out[index[k], j] += alpha source[k, j] in the order of k, but for index[k] = skip."""
    alpha, index, width, skip = arrays[3][0], integers_of(arrays[2]), numbers[1], numbers[2]
    for k in range(numbers[0]):
        if index[k] != skip:
            out, source = pointer_shift(arrays[0], index[k] * width), pointer_shift(arrays[1], k * width)
            for j in range(width):
                out[j] += alpha * source[j]


_INT64 = np.dtype(np.int64)
_INTEGERS = (_INT64, np.dtype(np.int32))


@functools.lru_cache(maxsize=1024)
def _prepared(task: Task, dtype, shape: tuple, index_dtype, index_shape: tuple, dim: int,
              step: int = 1) -> Launch | None:
    """A launch over an array and an index of integers, whose shapes are the same but for ``dim``; else None.

    The source has the shape of the index, or, with a ``step`` of 0, one element.
    """
    dim %= len(shape)
    if (index_dtype not in _INTEGERS or len(index_shape) != len(shape)
            or index_shape[:dim] != shape[:dim] or index_shape[dim + 1:] != shape[dim + 1:]):
        return None
    blocks, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1:])
    strips = (1, index_shape[dim]) if inner == 1 else (index_shape[dim], inner)
    numbers = (blocks, shape[dim], *strips, inner, inner > 1, step)
    return Launch(task, dtype, numbers, 1, math.prod(index_shape))


def gather(x: np.ndarray, index: np.ndarray, dim: int = -1) -> tuple[np.ndarray, bool]:
    """x[b, index[b, k, i], i] for x (..., n, ...) and an index (..., k, ...), alike but for ``dim``.

    Returns an array of the shape of the index, and whether all of its numbers were places; without an
    array for what is not alike, or no index of int64 or int32.

    >>> values, inside = gather(np.array([[1.0, 2.0, 3.0]]), np.array([[2, 0, -1]]))
    >>> values.tolist(), inside
    ([[3.0, 1.0, 0.0]], False)
    """
    if not x.size:
        return np.zeros(index.shape, x.dtype), not index.size
    run = _prepared(_gather, x.dtype, x.shape, index.dtype, index.shape, dim)
    if run is None:
        return None, False
    out, missing = np.empty(index.shape, x.dtype), np.empty(1, _INT64)
    run(out, np.ascontiguousarray(x), _in_order(index), missing)
    return out, not missing[0]


def _in_order(index: np.ndarray) -> np.ndarray:
    """The index as contiguous int64."""
    return np.ascontiguousarray(index) if index.dtype is _INT64 else np.ascontiguousarray(index, _INT64)


def scatter_add(out: np.ndarray, index: np.ndarray, source: np.ndarray, dim: int = -1) -> bool:
    """Add source (..., k, ...) to contiguous out (..., n, ...), in place, at index (..., k, ...).

    Returns whether all numbers of the index were places; False for what `gather` gives no array for.

    >>> out = np.zeros((1, 3))
    >>> scatter_add(out, np.array([[2, 0, 2]]), np.array([[1.0, 2.0, 3.0]])), out.tolist()
    (True, [[2.0, 0.0, 4.0]])
    """
    run = _prepared(_scatter_add, out.dtype, out.shape, index.dtype, index.shape, dim)
    if run is None:
        return False
    missing = np.empty(1, _INT64)
    run(out, np.ascontiguousarray(source), _in_order(index), missing)
    return not missing[0]


def scatter(out: np.ndarray, index: np.ndarray, source, dim: int = -1) -> bool:
    """Write source (..., k, ...), or one number, to contiguous out (..., n, ...) at index (..., k, ...).

    Returns whether all numbers of the index were places; False for what `gather` gives no array for.

    >>> out = np.zeros((1, 3))
    >>> scatter(out, np.array([[2, 0, 2]]), np.array([[1.0, 2.0, 3.0]])), out.tolist()
    (True, [[2.0, 0.0, 3.0]])
    """
    step = 1 if isinstance(source, np.ndarray) else 0
    run = _prepared(_scatter, out.dtype, out.shape, index.dtype, index.shape, dim, step)
    if run is None:
        return False
    missing = np.empty(1, _INT64)
    run(out, np.ascontiguousarray(source, out.dtype), _in_order(index), missing)
    return not missing[0]


def index_add(out: np.ndarray, index: np.ndarray, source: np.ndarray, alpha: float = 1) -> np.ndarray:
    """Add alpha * source[k] to row index[k] of out (n, d), in place; source is (k, d); returns out.

    >>> index_add(np.zeros((2, 2)), np.array([1, 1]), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[0.0, 0.0], [4.0, 6.0]]
    """
    _add_rows(out.dtype, source.shape, -1)(
        out, np.ascontiguousarray(source), np.ascontiguousarray(index), parameters((alpha,), out.dtype))
    return out


@functools.lru_cache(maxsize=1024)
def _add_rows(dtype, shape: tuple, skip: int) -> Launch:
    """The launch that adds rows of this shape (k, d) to others."""
    return Launch(_index_add, dtype, (*shape, skip), 1, math.prod(shape))


def embedding_backward(
    grad: np.ndarray, index: np.ndarray, rows: int, padding_idx: int = -1
) -> np.ndarray:
    """Gradient of ``table[index]`` by the table (rows, d), from grad (k, d) and index (k,).

    Rows of the cotangent at ``padding_idx`` are left out (-1: none), as torch.nn.functional.embedding
    does.

    >>> embedding_backward(np.ones((3, 1)), np.array([0, 2, 2]), 3, padding_idx=0).tolist()
    [[0.0], [0.0], [2.0]]
    """
    out = np.zeros((rows, grad.shape[1]), grad.dtype)
    _add_rows(grad.dtype, grad.shape, padding_idx)(
        out, np.ascontiguousarray(grad), np.ascontiguousarray(index), parameters((1.0,), grad.dtype))
    return out


def index_put(out: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """out[index[k]] += values[k] for a flat array out (n,), in place, repeats included; returns out.

    >>> index_put(np.zeros(3), np.array([1, 1]), np.array([2.0, 3.0])).tolist()
    [0.0, 5.0, 0.0]
    """
    scatter_add(out, index, values)
    return out
