"""Matrix products of float32 and float64 arrays of any strides.

The general path follows Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, 2008):
a block of ``DEPTH`` rows and ``PANELS`` panels of the second matrix is copied to panels two vectors
wide, which stay in the second-level cache while the rows of the first matrix pass by in tiles.  The
first matrix is read in place. Products with 16 rows or fewer against contiguous columns (a linear layer
on a small batch) are bound by memory and read the second matrix once, in place, in dot products.

Every sum is formed in the same order whatever the number of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .cpu import lanes
from .jit import jit
from .launch import Task, address_of, launch
from .micro import DOT_COLUMNS, DOT_ROWS, FEW_ROWS, ROWS, SUMS, dot_tile, outer_tile
from .simd import (
    lanes_of,
    offsets_by_step,
    pointer_shift,
    table_at,
    transpose_block,
    vector_load,
    vector_store,
)

__all__ = ["batched_matmul", "linear", "matmul"]

DEPTH = 256  # a block of 8 panels of 256 x 32 float32 is 256 KiB
PANELS = 8
SMALL_BATCH = 16
DOT_DEPTH = 1024  # 16 rows of float32 are 64 KiB


@jit
def _pack(source, row_step, column_step, depth, columns, target):
    """Copy ``depth`` x ``columns`` elements to ``target[panel, k, j]``, zeros past the last column."""
    half = lanes_of(source)
    width = 2 * half
    whole = columns - columns % width
    if column_step == 1:
        for k in range(depth):
            for j in range(0, whole, width):
                place = j * depth + k * width
                vector_store(target, place, vector_load(source, k * row_step + j, None), None)
                vector_store(
                    target, place + half, vector_load(source, k * row_step + j + half, None), None
                )
        first = 0
    else:
        first = depth - depth % half if row_step == 1 else 0
        for j in range(0, whole, half):
            panel = pointer_shift(target, j // width * width * depth + j % width)
            for k in range(0, first, half):
                block = pointer_shift(source, j * column_step + k)
                transpose_block(block, column_step, pointer_shift(panel, k * width), width)
        for j in range(0, whole, width):
            for k in range(first, depth):
                for i in range(width):
                    target[j * depth + k * width + i] = source[k * row_step + (j + i) * column_step]
    if whole < columns:
        rest = columns - whole
        for k in range(depth):
            for i in range(rest):
                target[whole * depth + k * width + i] = source[k * row_step + (whole + i) * column_step]
            for i in range(rest, width):
                target[whole * depth + k * width + i] = 0


@Task
def _multiply(arrays, numbers, task, worker):
    """out = start + a @ b for one block of rows and columns of one matrix of the batch."""
    a, b, out, start, scratch = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    rows, columns, depth = numbers[0], numbers[1], numbers[2]
    a_row, a_column, b_row, b_column = numbers[3], numbers[4], numbers[5], numbers[6]
    rows_each, columns_each, block, start_step = numbers[9], numbers[10], numbers[11], numbers[12]
    panel_table, source_table, in_place = table_at(numbers[13]), table_at(numbers[15]), numbers[16]
    scratch = pointer_shift(scratch, worker * numbers[14])
    row_blocks, column_blocks = -(-rows // rows_each), -(-columns // columns_each)
    batch, task = task // (row_blocks * column_blocks), task % (row_blocks * column_blocks)
    first_row, first_column = task // column_blocks * rows_each, task % column_blocks * columns_each
    last_row, last_column = min(first_row + rows_each, rows), min(first_column + columns_each, columns)
    a = pointer_shift(a, batch * numbers[7] + first_row * a_row)
    b = pointer_shift(b, batch * numbers[8])
    out = pointer_shift(out, (batch * rows + first_row) * columns)
    width = 2 * lanes_of(a)
    for column in range(first_column, last_column, block):
        block_columns = min(block, last_column - column)
        for k in range(0, depth, DEPTH):
            block_depth = min(DEPTH, depth - k)
            source = pointer_shift(b, k * b_row + column * b_column)
            packed = (
                block_columns % width if in_place else block_columns
            )  # only the last, partial panel if in place
            first_packed = block_columns - packed
            _pack(
                pointer_shift(source, first_packed * b_column),
                b_row,
                b_column,
                block_depth,
                packed,
                scratch,
            )
            for row in range(0, last_row - first_row, ROWS):
                tile_a = pointer_shift(a, row * a_row + k * a_column)
                last = min(ROWS, last_row - first_row - row) - 1
                j = 0
                while j < block_columns:
                    tile_out = pointer_shift(out, row * columns + column + j)
                    tile_width = (
                        2 * width if last < FEW_ROWS and j + 2 * width <= first_packed else width
                    )
                    begin, begin_step = tile_out, columns
                    if k == 0:
                        begin, begin_step = pointer_shift(start, (column + j) * start_step), 0
                    panel, table = pointer_shift(source, j), source_table
                    if j >= first_packed:
                        panel, table = (
                            pointer_shift(scratch, (j - first_packed) * block_depth),
                            panel_table,
                        )
                    outer_tile(
                        tile_a, a_row, a_column, last, panel, table, block_depth,
                        begin, begin_step, tile_out, columns, min(tile_width, block_columns - j),
                    )  # fmt: skip
                    j += tile_width


@Task
def _multiply_few_rows(arrays, numbers, task, worker):
    """out = start + a @ b for a block of columns, where both a's rows and b's columns are contiguous."""
    a, b, out, start, scratch = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    rows, columns, depth, a_row, b_column = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    out_row, out_column, columns_each, start_step = numbers[5], numbers[6], numbers[7], numbers[8]
    sums = pointer_shift(scratch, worker * numbers[9])
    last = min((task + 1) * columns_each, columns)
    for column in range(task * columns_each, last, DOT_COLUMNS):
        b_rows = offsets_by_step(column, last - 1, b_column, DOT_COLUMNS)
        for k in range(0, depth, DOT_DEPTH):
            block_depth = min(DOT_DEPTH, depth - k)
            for row in range(0, rows, DOT_ROWS):
                a_rows = offsets_by_step(row, rows - 1, a_row, DOT_ROWS)
                dot_tile(pointer_shift(a, k), a_rows, pointer_shift(b, k), b_rows, block_depth, sums)
                for r in range(min(DOT_ROWS, rows - row)):
                    for c in range(min(DOT_COLUMNS, last - column)):
                        place = (row + r) * out_row + (column + c) * out_column
                        before = out[place] if k else start[(column + c) * start_step]
                        out[place] = before + sums[r * DOT_COLUMNS + c]


@functools.cache
def _constants(dtype):
    """Elements of two vectors, and zeros for the widest tile."""
    width = 2 * lanes(dtype.itemsize)
    return width, np.zeros(2 * width, dtype)


@functools.lru_cache(maxsize=64)
def _row_table(step):
    """The table of offsets of ``DEPTH`` rows, and its address."""
    table = np.arange(DEPTH, dtype=np.int64) * step
    return table, address_of(table)


def _steps(matrix):
    """Strides in elements."""
    size = matrix.itemsize
    return [stride // size for stride in matrix.strides]


def _product(a, b, bias, batch, a_batch, b_batch, a_steps, b_steps, out):
    """out = bias + a @ b for ``batch`` matrices, general path."""
    rows, columns = out.shape[-2:]
    depth = a.shape[-1]
    width, zeros = _constants(a.dtype)
    work = batch * rows * columns * depth
    rows_each, columns_each = rows, columns
    if (
        work > 500_000
    ):  # blocks large enough to repay their packing, yet 8 or more of them where there is the work
        rows_each = min(rows, 256)
        missing = -(-8 // (batch * -(-rows // rows_each)))
        if missing > 1:
            columns_each = max(2, -(-columns // (missing * width))) * width
            missing = -(-missing // -(-columns // columns_each))
            rows_each = min(rows_each, max(32, -(-rows_each // (missing * ROWS)) * ROWS))
    block = min(PANELS * width, columns_each)
    in_place = rows <= SMALL_BATCH and b_steps[1] == 1  # too few rows to repay a copy
    _panel_table, panel_table = _row_table(width)  # the tables stay alive while their addresses are used
    _source_table, source_table = _row_table(b_steps[0]) if in_place else (None, 0)
    scratch = min(depth, DEPTH) * -(-block // width) * width
    numbers = (
        rows, columns, depth, *a_steps, *b_steps, a_batch, b_batch,
        rows_each, columns_each, block, 0 if bias is None else 1, panel_table, scratch,
        source_table, in_place,
    )  # fmt: skip
    tasks = batch * -(-rows // rows_each) * -(-columns // columns_each)
    launch(_multiply, (a, b, out, zeros if bias is None else bias), numbers, tasks, work, scratch)
    return out


def _few_rows(a, b_columns, bias, out, transposed=False):
    """out = bias + a @ b_columns.T, both contiguous along axis 1; ``transposed`` fills out.T instead."""
    rows, depth = a.shape
    columns = b_columns.shape[0]
    _, zeros = _constants(a.dtype)
    out_steps = (1, rows) if transposed else (columns, 1)
    columns_each = max(32, -(-columns // 32))
    numbers = (
        rows, columns, depth, _steps(a)[0], _steps(b_columns)[0], *out_steps,
        columns_each, 0 if bias is None else 1, SUMS,
    )  # fmt: skip
    tasks = -(-columns // columns_each)
    arrays = (a, b_columns, out, zeros if bias is None else bias)
    launch(_multiply_few_rows, arrays, numbers, tasks, rows * columns * depth, SUMS)
    return out


def matmul(a, b, bias=None):
    """Matrix product of two matrices, plus ``bias`` in every row.

    Arguments:
        a: (M, K) float32 or float64, any strides.
        b: (K, N) of the same dtype, any strides.
        bias: (N,) or None.

    Returns a C-contiguous (M, N) array.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    (rows, depth), columns = a.shape, b.shape[1]
    out = np.empty((rows, columns), a.dtype)
    if rows == 0 or columns == 0 or depth == 0:
        out[...] = 0 if bias is None else bias
        return out
    if bias is not None:
        bias = np.ascontiguousarray(bias)
    a_steps, b_steps = _steps(a), _steps(b)
    if depth >= 32:
        if rows <= SMALL_BATCH and b_steps[0] == 1:
            return _few_rows(a if a_steps[1] == 1 else np.ascontiguousarray(a), b.T, bias, out)
        if columns <= 4 and a_steps[1] == 1 and bias is None:
            return _few_rows(np.ascontiguousarray(b.T), a, None, out, transposed=True)
    return _product(a, b, bias, 1, 0, 0, a_steps, b_steps, out)


def linear(x, weight, bias=None):
    """``x @ weight.T + bias``, the product of `torch.nn.functional.linear` on a matrix.

    Arguments:
        x: (M, K) float32 or float64, any strides.
        weight: (N, K) of the same dtype, any strides.
        bias: (N,) or None.

    Returns a C-contiguous (M, N) array.

    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    return matmul(x, weight.T, bias)


def batched_matmul(a, b):
    """Matrix products of two equally long batches.

    Arguments:
        a: (B, M, K) float32 or float64, any strides; 0 for a batch of one matrix repeated.
        b: (B, K, N) of the same dtype, any strides.

    Returns a C-contiguous (B, M, N) array.

    >>> batched_matmul(np.ones((2, 1, 3)), np.ones((2, 3, 1))).ravel()
    array([3., 3.])
    """
    (batch, rows, depth), columns = a.shape, b.shape[2]
    if batch * rows * columns * depth == 0:
        return np.zeros((batch, rows, columns), a.dtype)
    out = np.empty((batch, rows, columns), a.dtype)
    (a_batch, *a_steps), (b_batch, *b_steps) = _steps(a), _steps(b)
    return _product(a, b, None, batch, a_batch, b_batch, a_steps, b_steps, out)
