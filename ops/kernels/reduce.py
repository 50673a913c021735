"""Sums and products of contiguous rows: one task sums many short rows, or a block of one long row.

A block is summed in SIMD lanes in the array's dtype, the blocks in float64.  How a row is cut depends on
its length alone: results are the same bits for any number of threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .functions import inlined, like
from .jit import jit, part
from .launch import LITTLE_WORK, Launch, Task, run_serially
from .simd import lanes_of, pointer_shift, vector_load
from .vector import vector_full, vector_larger, vector_largest, vector_spoilt, vector_total

__all__ = ["cumulative_sum", "in_pairs", "largest_of_row", "product_slope", "reduced"]

_SUMS = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinity keep their meaning
_BLOCK = 512  # elements of a sum in the array's dtype
_TASK = 16384  # elements of a task, about
_COLUMNS = 2048  # columns of a task: their sums stay in the first-level cache


@jit(fastmath=_SUMS)
def _block_sum(x, start, stop):
    total = like(0, x[start])
    for i in range(start, stop):
        total += x[i]
    return total


@jit(fastmath=_SUMS)
def _block_squares(x, start, stop):
    total = like(0, x[start])
    for i in range(start, stop):
        total += x[i] * x[i]
    return total


@jit(fastmath=_SUMS)
def _block_product(x, start, stop):
    total = like(1, x[start])
    for i in range(start, stop):
        total *= x[i]
    return total


# Tasks of (out, x): numbers are the rows, the rows of a task, the size of a row and that of x.


@Task
def _sum(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 0.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total += _block_sum(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@Task
def _square_sum(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 0.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total += _block_squares(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@Task
def _product(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = 1.0
        for first in range(r * size, min((r + 1) * size, numbers[3]), _BLOCK):
            total *= _block_product(x, first, min(first + _BLOCK, (r + 1) * size, numbers[3]))
        out[r] = like(total, x[0])


@jit
def in_pairs(x, start, count):
    """The sum in NumPy's order: eight running sums of up to 128 elements, more of them half by half."""
    if count > 128:
        half = count // 16 * 8
        return in_pairs(x, start, half) + in_pairs(x, start + half, count - half)
    total, first = like(0, x[start]), 0
    if count >= 8:
        a, b, c, d = x[start], x[start + 1], x[start + 2], x[start + 3]
        e, f, g, h = x[start + 4], x[start + 5], x[start + 6], x[start + 7]
        for i in range(start + 8, start + count - 7, 8):
            a += x[i]
            b += x[i + 1]
            c += x[i + 2]
            d += x[i + 3]
            e += x[i + 4]
            f += x[i + 5]
            g += x[i + 6]
            h += x[i + 7]
        total, first = ((a + b) + (c + d)) + ((e + f) + (g + h)), count - count % 8
    for i in range(start + first, start + count):
        total += x[i]
    return total


@Task
def _sum_in_pairs(arrays, numbers, task, worker):
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        out[r] = like(0, x[0]) + in_pairs(x, r * size, size)  # NumPy begins with 0: no sum is -0.0


@part
def largest_of_row(x, start, stop, sign):
    """The largest of the elements times ``sign``, 1 or -1; NaN if there is one."""
    lanes = lanes_of(x)
    if stop - start < lanes:
        largest = sign * x[start]
        for i in range(start + 1, stop):
            value = sign * x[i]
            largest = value if value > largest or math.isnan(value) else largest
        return largest
    signs = vector_full(x, float(sign))
    best = signs * vector_load(x, stop - lanes, None)  # may overlap the vectors before
    spoilt = vector_spoilt(best, best)
    whole = stop - (stop - start) % (4 * lanes)
    for i in range(start, whole, 4 * lanes):  # a step waits for the one before: four vectors in each
        a, b = signs * vector_load(x, i, None), signs * vector_load(x, i + lanes, None)
        c = signs * vector_load(x, i + 2 * lanes, None)
        d = signs * vector_load(x, i + 3 * lanes, None)
        best = vector_larger(vector_larger(vector_larger(a, b), vector_larger(c, d)), best)
        spoilt = spoilt + (vector_spoilt(a, b) + vector_spoilt(c, d))
    for i in range(whole, stop - lanes, lanes):
        a = signs * vector_load(x, i, None)
        best, spoilt = vector_larger(a, best), spoilt + vector_spoilt(a, a)
    found = vector_total(spoilt)
    return found if math.isnan(found) else vector_largest(best)


@Task
def _extreme(arrays, numbers, task, worker):
    """The largest elements of rows times ``numbers[4]``, and times it again."""
    out, x, size = arrays[0], arrays[1], numbers[2]
    sign = like(numbers[4], x[0])
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        out[r] = sign * largest_of_row(x, r * size, min((r + 1) * size, numbers[3]), sign)


@inlined
def _larger(x, y):
    """NaN if either is, as `numpy.maximum`."""
    larger = x if x > y else y
    return x if math.isnan(x) else larger


@Task
def _column_extreme(arrays, numbers, task, worker):
    """The same of a block of columns, four rows at a time.

    Numbers: rows, columns, columns of a task, 1 or -1.
    """
    out, x, rows, columns = arrays[0], arrays[1], numbers[0], numbers[1]
    first, last = task * numbers[2], min(columns, (task + 1) * numbers[2])
    sign = like(numbers[3], x[0])
    for i in range(first, last):
        out[i] = sign * x[i]
    for r in range(1, rows, 4):  # at the end the last row counts several times
        a, b = pointer_shift(x, r * columns), pointer_shift(x, min(r + 1, rows - 1) * columns)
        c = pointer_shift(x, min(r + 2, rows - 1) * columns)
        d = pointer_shift(x, min(r + 3, rows - 1) * columns)
        for i in range(first, last):  # out[i] in the middle: a last choice of it becomes a slow masked store
            left, right = _larger(sign * a[i], sign * b[i]), _larger(sign * c[i], sign * d[i])
            out[i] = _larger(_larger(left, out[i]), right)
    for i in range(first, last):
        out[i] *= sign


@Task
def _column_sum(arrays, numbers, task, worker):
    """Sums of a block of columns, four rows at a time; numbers: rows, columns, columns of a task."""
    out, x, rows, columns = arrays[0], arrays[1], numbers[0], numbers[1]
    first, last = task * numbers[2], min(columns, (task + 1) * numbers[2])
    for i in range(first, last):
        out[i] = like(0, x[0])
    whole = rows - rows % 4
    for r in range(0, whole, 4):
        a = pointer_shift(x, r * columns)
        b, c, d = pointer_shift(a, columns), pointer_shift(a, 2 * columns), pointer_shift(a, 3 * columns)
        for i in range(first, last):
            out[i] = (((out[i] + a[i]) + b[i]) + c[i]) + d[i]
    for r in range(whole, rows):
        for i in range(first, last):
            out[i] += x[r * columns + i]


@Task
def _product_in_turn(arrays, numbers, task, worker):
    """Products in NumPy's order, from the first element to the last."""
    out, x, size = arrays[0], arrays[1], numbers[2]
    for r in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        total = x[r * size]
        for i in range(r * size + 1, (r + 1) * size):
            total *= x[i]
        out[r] = total


class _Kind(NamedTuple):
    """The kernels of a reduction.

    Attributes:
        rows: of rows of memory.
        shortest: elements of a row; NumPy is as good at shorter ones.
        combine: puts together the pieces of a row that was cut.
        columns: over the first dimension, or None.
        few: of rows of arrays below `_LARGE`, or None if NumPy is as good.
        sign: a number for the kernels.
        longest: elements of a row that is not cut, because no digits would be lost.
    """

    rows: Task
    shortest: int
    combine: Callable
    columns: Task | None = None
    few: Task | None = None
    sign: tuple[int, ...] = ()
    longest: int = 2 * _TASK - 1


_KINDS = {
    "sum": _Kind(_sum, 32, math.fsum, _column_sum, _sum_in_pairs),
    "broadcast_sum": _Kind(_sum, 1, math.fsum),
    "square_sum": _Kind(_square_sum, 32, math.fsum),
    "product": _Kind(_product, 32, math.prod, None, _product_in_turn),
    "largest": _Kind(_extreme, 8, np.maximum.reduce, _column_extreme, _extreme, (1,), LITTLE_WORK // 2),
    "smallest": _Kind(_extreme, 8, np.minimum.reduce, _column_extreme, _extreme, (-1,),
                      LITTLE_WORK // 2),
}
_LARGE, _SHORTEST_OF_FEW = 8192, 8


def _planned(launch: Launch, shape: tuple[int, ...], pieces: int = 0) -> tuple:
    """How to reduce an array, a plain tuple as it is unpacked for every sum.

    The launch, its place if it has little to do, else 0; the shape of the result; and how many pieces one
    long row is cut into, 0 for none.
    """
    return launch, launch.place if launch.little else 0, shape, pieces


@functools.lru_cache(maxsize=4096)
def _plan(kind: str, dtype, shape: tuple, dims: tuple | int | None, keepdim: bool) -> tuple | None:
    """What `_planned` gives; None where NumPy is as good, or no kernel fits: what is reduced are no rows of
    memory nor columns."""
    size, kernels = math.prod(shape), _KINDS[kind]
    if dtype.kind != "f" or type(dims) is int and not -len(shape) <= dims < len(shape):
        return None
    if type(dims) is not tuple:
        dims = tuple(range(len(shape))) if dims is None else (dims % len(shape),)
    kept = len(shape) - len(dims)
    rows, ones = math.prod(shape[:kept]), (1,) * (len(dims) if keepdim else 0)
    if sorted(dims) != list(range(kept, len(shape))):
        return _plan_of_columns(kernels, dtype, shape, ones) if dims == (0,) else None
    few = size < _LARGE
    task, columns = kernels.few if few else kernels.rows, size // rows
    if task is None or kept and columns < (_SHORTEST_OF_FEW if few else kernels.shortest):
        return None
    pieces = -(-columns // _TASK) if columns > kernels.longest else 0
    if pieces and rows == 1:
        rows, columns = pieces, _TASK
    share = max(1, _TASK // columns)
    launch = Launch(task, dtype, (rows, share, columns, size, *kernels.sign), -(-rows // share), size * 2)
    return _planned(launch, shape[:kept] + ones, pieces)


def _plan_of_columns(kernels: _Kind, dtype, shape: tuple, ones: tuple) -> tuple | None:
    """The plan of a reduction over the first dimension; a single column is rather a row."""
    rows, columns = shape[0], math.prod(shape[1:])
    if kernels.columns is None or columns == 1:
        return None
    numbers = rows, columns, _COLUMNS, *kernels.sign
    launch = Launch(kernels.columns, dtype, numbers, -(-columns // _COLUMNS), 2 * rows * columns)
    return _planned(launch, ones + shape[1:])


def reduced(kind: str, x: np.ndarray, dims: tuple | int | None, keepdim: bool) -> np.ndarray | None:
    """x, not empty, reduced over some dimensions, or all of them for None; None where NumPy is as good.

    Args:
        kind: "sum", "broadcast_sum" (of rows of any length), "square_sum", "product", "largest" or
            "smallest" (NaN is both).
        dims: not negative, except for a single one; where that is out of range the answer is None.

    >>> reduced("sum", np.ones((2, 200)), (1,), True).tolist(), reduced("sum", np.ones(2, int), None, True)
    ([[200.0], [200.0]], None)
    """
    plan = _plan(kind, x.dtype, x.shape, dims, keepdim)
    if plan is None:
        return None
    if not x.flags.c_contiguous:
        whole = dims is None or type(dims) is tuple and len(dims) == x.ndim
        return reduced(kind, x.T, dims, keepdim) if whole and x.T.flags.c_contiguous else None
    run, place, shape, pieces = plan
    if not pieces:
        out = np.empty(shape, x.dtype)
        if place:  # 0.1 microseconds less than a call of the launch
            arrays = out, x
            run_serially(place, id(arrays))
        else:
            run(out, x)
        return out
    combine, rows = _KINDS[kind].combine, x.reshape(math.prod(shape), -1)
    if len(rows) > 1:
        return np.concatenate([reduced(kind, row, None, True) for row in rows]).reshape(shape)
    out = np.empty(pieces, x.dtype)
    run(out, x)
    return np.array(combine(out.tolist()), x.dtype).reshape(shape)


@jit
def _product_slope_rows(x, g, out):
    """out[r, i] = g[r] times the product of the other elements of row r.

    The quotient of the whole product serves where nothing over- or underflows; else the products of the
    elements before and after, so that zeros need no care.
    """
    limit = x.dtype.type(1e-20)
    for r in range(x.shape[0]):
        row, result = x[r], out[r]
        whole = x.dtype.type(1)
        for i in range(row.size):
            whole *= row[i]
        if limit < abs(whole) < 1 / limit:
            scaled = whole * g[r]
            for i in range(row.size):
                result[i] = scaled / row[i]
        else:
            before = x.dtype.type(1)
            for i in range(row.size):
                result[i] = before
                before *= row[i]
            after = g[r]
            for i in range(row.size - 1, -1, -1):
                result[i] *= after
                after *= row[i]


def product_slope(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient of `product` by x (rows, size) from a cotangent (rows,).

    >>> product_slope(np.array([[2.0, 0.0, 3.0]]), np.array([1.0])).tolist()
    [[0.0, 6.0, 0.0]]
    """
    out = np.empty_like(x)
    _product_slope_rows(x, np.ascontiguousarray(g), out)
    return out


@jit
def _cumulative_sum_rows(x, out):
    """Four rows at a time: one running sum waits for its last addition, four keep the adder busy."""
    rows, size = x.shape
    for r in range(0, rows - 3, 4):
        a, b, c, d = x[r], x[r + 1], x[r + 2], x[r + 3]
        p, q, s, t = out[r], out[r + 1], out[r + 2], out[r + 3]
        sum_a = sum_b = sum_c = sum_d = 0.0
        for i in range(size):
            sum_a += a[i]
            sum_b += b[i]
            sum_c += c[i]
            sum_d += d[i]
            p[i], q[i], s[i], t[i] = sum_a, sum_b, sum_c, sum_d
    for r in range(rows - rows % 4, rows):
        total = 0.0
        for i in range(size):
            total += x[r, i]
            out[r, i] = total


def cumulative_sum(x: np.ndarray) -> np.ndarray:
    """Running sums along the rows of x (rows, size), kept in float64.

    >>> cumulative_sum(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, 3.0, 6.0]]
    """
    out = np.empty(x.shape, x.dtype)
    _cumulative_sum_rows(x, out)
    return out
