"""Batch norm of channels-last images and of vectors: the mean of each column of a matrix (rows, c).

Blocks of rows are read from end to end, in SIMD lanes along the columns; how they are cut depends on the
shape alone, so results are the same bits for any number of threads.  Pixels may be padded: the distance
between two rows is a number of its own for every array.
"""

from __future__ import annotations

import numpy as np

from .channels_last import empty_channels_last
from .functions import like
from .launch import Task, launch
from .norm import per_channel

__all__ = ["column_backward", "column_forward", "row_step"]

_TASK = 16384  # elements of a task, about
_COST = 8  # time for an element, in the multiplications that `launch` counts


# Numbers of these tasks: rows, rows of a task, columns, and the elements from row to row of each array.


@Task
def _column_moments(arrays, numbers, task, worker):
    """Mean and sum of squared deviations of each column over a block of rows."""
    x, columns, step = arrays[0], numbers[2], numbers[3]
    first, last = task * numbers[1], min(numbers[0], (task + 1) * numbers[1])
    mean, square = arrays[1], arrays[2]
    table, count = task * columns, like(last - first, arrays[1][0])
    for i in range(table, table + columns):
        mean[i] = square[i] = like(0, count)
    for r in range(first, last):
        for i in range(columns):
            mean[table + i] += x[r * step + i]
    for i in range(table, table + columns):
        mean[i] /= count
    for r in range(first, last):
        for i in range(columns):
            d = x[r * step + i] - mean[table + i]
            square[table + i] += d * d


@Task
def _column_affine(arrays, numbers, task, worker):
    """(x - center) * scale + shift, each a vector."""
    out, x, columns, out_step, step = arrays[0], arrays[1], numbers[2], numbers[3], numbers[4]
    center, scale, shift = arrays[2], arrays[3], arrays[4]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        for i in range(columns):
            out[r * out_step + i] = (x[r * step + i] - center[i]) * scale[i] + shift[i]


@Task
def _column_products(arrays, numbers, task, worker):
    """Sums of g and of g (x - center) of each column over a block of rows."""
    g, x, center, columns, g_step, step = arrays[0], arrays[1], arrays[2], numbers[2], numbers[3], numbers[4]
    totals, products, table = arrays[3], arrays[4], task * columns
    for i in range(table, table + columns):
        totals[i] = products[i] = like(0, totals[i])
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        for i in range(columns):
            h = g[r * g_step + i]
            totals[table + i] += h
            products[table + i] += h * (x[r * step + i] - center[i])


@Task
def _column_combine(arrays, numbers, task, worker):
    """g * g_scale + (x - center) * x_scale + shift, each a vector."""
    out, g, x, columns = arrays[0], arrays[1], arrays[2], numbers[2]
    out_step, g_step, step = numbers[3], numbers[4], numbers[5]
    center, g_scale, x_scale, shift = arrays[3], arrays[4], arrays[5], arrays[6]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        for i in range(columns):
            d = x[r * step + i] - center[i]
            out[r * out_step + i] = g[r * g_step + i] * g_scale[i] + d * x_scale[i] + shift[i]


def row_step(x: np.ndarray) -> int | None:
    """Elements from one pixel of x (n, c, ...) to the next, if channels lie side by side, else None.

    >>> row_step(np.ones((2, 3))), row_step(np.ones((2, 3, 4))), row_step(np.ones((2, 4, 3)).swapaxes(1, 2))
    (3, None, 3)
    """
    if x.strides[1] != x.itemsize:
        return None
    step = expected = x.strides[-1] if x.ndim > 2 else x.strides[0]
    for d in (*range(x.ndim - 1, 1, -1), 0):
        if x.strides[d] != expected:
            return None
        expected *= x.shape[d]
    return step // x.itemsize if step >= x.shape[1] * x.itemsize else None


def _empty_like(x: np.ndarray, step: int) -> np.ndarray:
    """Memory for a result of the shape of x, with the channels side by side."""
    if step > x.shape[1] and x.ndim == 4:
        return empty_channels_last(x.shape, x.dtype)
    return np.moveaxis(np.empty((x.shape[0], *x.shape[2:], x.shape[1]), x.dtype), -1, 1)


def _row_blocks(x: np.ndarray) -> tuple[tuple[int, int, int], int]:
    """Rows, rows of a task and columns, and the number of tasks."""
    columns = x.shape[1]
    rows, share = x.size // columns, max(16, min(256, _TASK // columns))
    return (rows, share, columns), -(-rows // share)


def column_forward(x, weight, bias, eps: float) -> tuple:
    """Normalise each channel of x (n, c, ...), which has a `row_step`: result, mean (c,), variance (c,).

    The moments of the blocks are put together as by Chan et al. (1979).

    >>> column_forward(np.array([[1.0], [3.0]]), None, None, 0.0)[0].ravel().tolist()
    [-1.0, 1.0]
    """
    numbers, tasks = _row_blocks(x)
    (rows, share, columns), step = numbers, row_step(x)
    tables = np.empty((2, tasks, columns), x.dtype)
    launch(_column_moments, (x, tables[0], tables[1]), (*numbers, step), tasks, x.size * _COST)
    if tasks == 1:
        mean, variance = tables[0, 0].astype(np.float64), tables[1, 0] / np.float64(rows)
    else:
        counts = np.full((tasks, 1), share, np.float64)
        counts[-1] = rows - share * (tasks - 1)
        mean = (counts * tables[0]).sum(0) / rows
        variance = (tables[1] + counts * (tables[0] - mean) ** 2).sum(0) / rows
    scale = 1.0 / np.sqrt(variance + eps)
    scale = (scale if weight is None else scale * weight).astype(x.dtype)
    out, mean = _empty_like(x, step), mean.astype(x.dtype)
    shift = per_channel(bias, columns, 0, x.dtype)
    launch(_column_affine, (out, x, mean, scale, shift), (*numbers, row_step(out), step), tasks,
           x.size * _COST)
    return out, mean, variance.astype(x.dtype)


def column_backward(g, x, weight, mean, variance, eps: float) -> tuple:
    """Gradients of `column_forward` by x, weight (c,) and bias (c,); g has a `row_step` as well.

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> column_backward(np.ones((2, 1)), np.array([[1.0], [3.0]]), None, two, one, 0.0)[2].tolist()
    [2.0]
    """
    numbers, tasks = _row_blocks(x)
    g_step, step = row_step(g), row_step(x)
    tables = np.empty((2, tasks, x.shape[1]), x.dtype)
    launch(_column_products, (g, x, mean, tables[0], tables[1]), (*numbers, g_step, step), tasks,
           x.size * _COST)
    totals, products = tables.sum(1, dtype=np.float64)
    inverse = 1.0 / np.sqrt(variance.astype(np.float64) + eps)
    scale = inverse if weight is None else inverse * weight
    vectors = (scale, -products / numbers[0] * scale * inverse**2, -totals / numbers[0] * scale)
    out, vectors = _empty_like(x, step), tuple(vector.astype(x.dtype) for vector in vectors)
    launch(_column_combine, (out, g, x, mean, *vectors), (*numbers, row_step(out), g_step, step), tasks,
           x.size * _COST)
    return out, (products * inverse).astype(x.dtype), totals.astype(x.dtype)
