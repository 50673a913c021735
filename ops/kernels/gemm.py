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
from .jit import part
from .launch import Launch, Task
from .micro import ROWS, STREAM_COLUMNS, STREAM_DEPTH, STREAM_ROWS, outer_strip, stream_tile
from .simd import (
    lanes_of,
    offsets_by_step,
    pointer_shift,
    transpose_block,
    vector_load,
    vector_store,
)

__all__ = ["batched_matmul", "linear", "matmul"]

DEPTH = 256  # a block of 8 panels of 256 x 32 float32 is 256 KiB
PANELS = 8
SMALL_BATCH = 16
DEPTH_IN_PLACE = 64
SUMS = STREAM_ROWS * STREAM_COLUMNS + 15  # room for the sums of a tile in whole vectors


@part
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
    depth_each, in_place = numbers[13], numbers[15]
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
        # whole vectors are read: the last, partial panel needs a copy with room behind it
        packed = block_columns % width if in_place else block_columns
        left = block_columns - packed
        for k in range(0, depth, depth_each):
            block_depth = min(depth_each, depth - k)
            source = pointer_shift(b, k * b_row + column * b_column)
            _pack(
                pointer_shift(source, left * b_column), b_row, b_column, block_depth, packed, scratch
            )
            begin, begin_row, begin_panel = pointer_shift(start, column * start_step), 0, width * start_step
            for row in range(0, last_row - first_row, ROWS):
                tile_a = pointer_shift(a, row * a_row + k * a_column)
                last = min(ROWS, last_row - first_row - row) - 1
                tile_out = pointer_shift(out, row * columns + column)
                if k > 0:
                    begin, begin_row, begin_panel = tile_out, columns, width
                if left > 0:
                    outer_strip(
                        tile_a, a_row, a_column, last, source, b_row, width, block_depth,
                        begin, begin_row, begin_panel, tile_out, columns, left,
                    )  # fmt: skip
                if packed > 0:
                    skipped = left // width * begin_panel
                    outer_strip(
                        tile_a, a_row, a_column, last, scratch, width, width * block_depth, block_depth,
                        pointer_shift(begin, skipped), begin_row, begin_panel,
                        pointer_shift(tile_out, left), columns, packed,
                    )  # fmt: skip


@Task
def _multiply_few_rows(arrays, numbers, task, worker):
    """out = start + a @ b for a block of columns, where both a's rows and b's columns are contiguous."""
    a, b, out, start, scratch = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    rows, columns, depth, a_row, b_column = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    out_row, out_column, columns_each, start_step = numbers[5], numbers[6], numbers[7], numbers[8]
    sums = pointer_shift(scratch, worker * SUMS)
    last = min((task + 1) * columns_each, columns)
    for column in range(task * columns_each, last, STREAM_COLUMNS):
        b_rows = offsets_by_step(column, last - 1, b_column, STREAM_COLUMNS)
        for k in range(0, depth, STREAM_DEPTH):
            block_depth = min(STREAM_DEPTH, depth - k)
            for row in range(0, rows, STREAM_ROWS):
                a_rows = offsets_by_step(row, rows - 1, a_row, STREAM_ROWS)
                stream_tile(pointer_shift(a, k), a_rows, pointer_shift(b, k), b_rows, block_depth, sums)
                for r in range(min(STREAM_ROWS, rows - row)):
                    for c in range(min(STREAM_COLUMNS, last - column)):
                        place = (row + r) * out_row + (column + c) * out_column
                        before = out[place] if k else start[(column + c) * start_step]
                        out[place] = before + sums[r * STREAM_COLUMNS + c]


# ---------------------------------------------------------------- planning


def _launch_general(dtype, batch, rows, columns, depth, a_steps, b_steps, biased):
    """The launch of the general path for ``batch`` matrices; steps: of the batch, of rows, of columns."""
    width = 2 * lanes(dtype.itemsize)
    work = batch * rows * columns * depth
    rows_each, columns_each = rows, columns
    if work > 500_000:  # 8 blocks or more, each large enough to repay the copy of its columns
        rows_each = min(rows, 256)
        missing = -(-8 // (batch * -(-rows // rows_each)))
        panels = -(-columns // width)
        columns_each = max(1 if panels <= 4 else 2, -(-panels // missing)) * width
        if batch * -(-rows // rows_each) * -(-columns // columns_each) == 1:
            rows_each = max(64, -(-rows_each // (2 * ROWS)) * ROWS)
    block = min(PANELS * width, columns_each)
    in_place = rows <= SMALL_BATCH and b_steps[2] == 1  # too few rows to repay a copy
    depth_each = min(depth, DEPTH_IN_PLACE if in_place else DEPTH)
    scratch = depth_each * (width if in_place else -(-block // width) * width)
    numbers = (
        rows, columns, depth, *a_steps[1:], *b_steps[1:], a_steps[0], b_steps[0],
        rows_each, columns_each, block, biased, depth_each, scratch, in_place,
    )  # fmt: skip
    tasks = batch * -(-rows // rows_each) * -(-columns // columns_each)
    return Launch(_multiply, dtype, numbers, tasks, work, scratch)


def _launch_few_rows(dtype, rows, columns, depth, a_row, b_column, out_steps, biased):
    """The launch for few rows; both matrices are contiguous along ``depth``."""
    columns_each = max(32, -(-columns // 32))
    numbers = rows, columns, depth, a_row, b_column, *out_steps, columns_each, biased
    tasks = -(-columns // columns_each)
    return Launch(_multiply_few_rows, dtype, numbers, tasks, rows * columns * depth, SUMS)


class _Product:
    """A product of matrices of known shapes and strides: planned once, computed often."""

    def __init__(self, dtype, a_shape, a_strides, b_shape, b_strides, biased):
        *batch, rows, depth = a_shape
        columns = b_shape[-1]
        batch = batch[0] if batch else 1
        self._shape, self._dtype = (*a_shape[:-1], columns), dtype
        self._zeros = np.zeros(4 * lanes(dtype.itemsize), dtype)  # the bias of a product without one
        self._prepare, self._launch, self._swap = None, None, False
        a_steps = [stride // dtype.itemsize for stride in a_strides]
        b_steps = [stride // dtype.itemsize for stride in b_strides]
        if batch * rows * columns * depth == 0:
            return
        if len(a_shape) == 2 and depth >= 32:
            if b_steps[0] == 1 and rows <= SMALL_BATCH:
                contiguous = a_steps[1] == 1
                self._prepare = None if contiguous else np.ascontiguousarray
                step = a_steps[0] if contiguous else depth
                self._launch = _launch_few_rows(
                    dtype, rows, columns, depth, step, b_steps[1], (columns, 1), biased
                )
                return
            if a_steps[1] == 1 and columns <= 4 and not biased:
                self._swap = True
                self._launch = _launch_few_rows(
                    dtype, columns, rows, depth, depth, a_steps[0], (1, columns), False
                )
                return
        if len(a_shape) == 2:
            a_steps, b_steps = [0, *a_steps], [0, *b_steps]
        self._launch = _launch_general(dtype, batch, rows, columns, depth, a_steps, b_steps, biased)

    def __call__(self, a, b, bias=None):
        out = np.empty(self._shape, self._dtype)
        if self._launch is None:
            out[...] = 0 if bias is None else bias
        elif self._swap:
            self._launch(np.ascontiguousarray(b.T), a, out, self._zeros)
        else:
            if self._prepare is not None:
                a = self._prepare(a)
            self._launch(a, b, out, self._zeros if bias is None else np.ascontiguousarray(bias))
        return out


_product = functools.lru_cache(maxsize=1024)(_Product)


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
    return _product(a.dtype, a.shape, a.strides, b.shape, b.strides, bias is not None)(a, b, bias)


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
    return _product(a.dtype, a.shape, a.strides, b.shape, b.strides, False)(a, b)
