"""The micro-kernels: every matrix product and convolution ends in one of them.

All keep a whole tile of sums in registers.  `outer_strip` and `outer_tile` add rank-1 updates.  The first
computes tiles side by side, from panels; the second finds the rows of its second matrix through a table
of offsets, which may be shifted views of a padded image.  `taps_tile` finds both matrices through a
table.  `dot_tile` multiplies along contiguous memory and adds up at the end; `stream_tile` does the same
with a second matrix that comes from main memory.
"""

from __future__ import annotations

from numba import literal_unroll

from .cpu import REGISTERS
from .jit import part
from .prefetch import prefetch
from .simd import (
    fence,
    lanes_of,
    no_inline,
    offsets_by_step,
    pointer_shift,
    tile_add_dots,
    tile_add_outer,
    tile_load,
    tile_store,
    tile_sums,
    tile_zeros,
)

__all__ = ["DOT_COLUMNS", "DOT_ROWS", "FEW_ROWS", "ROWS", "SUMS", "dot_tile", "outer_strip",
           "outer_tile", "taps_tile"]

# A tile must fit the registers next to its operands: 16 sums of 32 registers, 12 of 16.
ROWS = 8 if REGISTERS == 32 else 6
FEW_ROWS = ROWS // 2
DOT_ROWS = 4
DOT_COLUMNS = 4 if REGISTERS == 32 else 3
STREAM_ROWS, STREAM_COLUMNS = (5, 4) if REGISTERS == 32 else (4, 3)
STREAM_DEPTH = 4096  # 16 rows of float32 are 256 KiB
_AHEAD = 128  # elements; saves 15 % of the time of a product that streams 49 MB of weights
SUMS = DOT_ROWS * DOT_COLUMNS + 15  # room for the sums of a dot tile in whole vectors


def _outer_tile(height, vectors):
    """The micro-kernel for a tile of ``height`` rows and ``vectors`` vectors of columns."""

    @part
    def outer_tile(
        a, row_step, depth_step, last_row, b, table, depth, start, start_step, out, out_step, columns
    ):
        no_inline()
        rows = offsets_by_step(0, last_row, row_step, height)
        start_rows = offsets_by_step(0, last_row, start_step, height)
        out_rows = offsets_by_step(0, last_row, out_step, height)
        whole = columns >= vectors * lanes_of(a)
        if whole:
            tile = tile_load(start, start_rows, vectors, None)
        else:
            tile = tile_load(start, start_rows, vectors, columns)
        for k in range(depth):
            tile = tile_add_outer(tile, a, rows, pointer_shift(b, table[k]))
            a = pointer_shift(a, depth_step)
            fence()
        if whole:
            tile_store(out, out_rows, tile, None)
        else:
            tile_store(out, out_rows, tile, columns)

    return outer_tile


_narrow_tile = _outer_tile(ROWS, 1)
_square_tile = _outer_tile(ROWS, 2)
_wide_tile = _outer_tile(FEW_ROWS, 4)


@part
def outer_tile(
    a, row_step, depth_step, last_row, b, table, depth, start, start_step, out, out_step, columns
):
    """``out[r, j] = start[r, j] + sum_k a[r, k] * b[table[k] + j]`` for r <= last_row < ROWS and j <
    columns.

    The pointers a, start and out are matrices with the given steps between rows; ``depth_step`` lies
    between columns of ``a``.  ``columns`` is at most two vectors, or four where last_row < FEW_ROWS;
    rows of ``b`` are read in whole vectors, one, two or four of them.  ``start`` may be ``out``.
    """
    lanes = lanes_of(a)
    if columns <= lanes:
        _narrow_tile(
            a, row_step, depth_step, last_row, b, table, depth, start, start_step, out, out_step, columns
        )
    elif columns <= 2 * lanes:
        _square_tile(
            a, row_step, depth_step, last_row, b, table, depth, start, start_step, out, out_step, columns
        )
    else:
        _wide_tile(
            a, row_step, depth_step, last_row, b, table, depth, start, start_step, out, out_step, columns
        )


def _strip(height, vectors):
    """The micro-kernel for tiles of ``height`` rows and ``vectors`` vectors, side by side."""

    @part
    def strip(
        a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
        start, start_row, start_panel, out, out_step, columns,
    ):  # fmt: skip
        no_inline()
        rows = offsets_by_step(0, last_row, row_step, height)
        start_rows = offsets_by_step(0, last_row, start_row, height)
        out_rows = offsets_by_step(0, last_row, out_step, height)
        width = vectors * lanes_of(a)
        while columns > 0:
            if columns >= width:
                tile = tile_load(start, start_rows, vectors, None)
            else:
                tile = tile_load(start, start_rows, vectors, columns)
            left, right = a, b
            for _ in range(depth):
                tile = tile_add_outer(tile, left, rows, right)
                left, right = pointer_shift(left, depth_step), pointer_shift(right, b_step)
                fence()
            if columns >= width:
                tile_store(out, out_rows, tile, None)
            else:
                tile_store(out, out_rows, tile, columns)
            b, out = pointer_shift(b, panel_step), pointer_shift(out, width)
            start = pointer_shift(start, start_panel)
            columns -= width

    return strip


_high_strip = _strip(ROWS, 2)
_low_strip = _strip(FEW_ROWS, 2)
_high_column = _strip(ROWS, 1)
_low_column = _strip(FEW_ROWS, 1)


@part
def outer_strip(
    a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
    start, start_row, start_panel, out, out_step, columns,
):  # fmt: skip
    """``out[r, j] = start[r, j] + sum_k a[r, k] * b[k, j]`` for r <= last_row < ROWS and j < columns.

    ``b`` consists of panels two vectors wide, ``panel_step`` apart, with rows ``b_step`` apart; whole
    vectors of it are read.  ``start`` has steps ``start_row`` between rows and ``start_panel`` between
    panels and may be ``out``.
    """
    lanes = lanes_of(a)
    whole = columns - columns % (2 * lanes)
    if 0 < columns - whole <= lanes:
        rest, columns = columns - whole, whole
    else:
        rest = 0
    if columns > 0:
        if last_row < FEW_ROWS:
            _low_strip(
                a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
                start, start_row, start_panel, out, out_step, columns,
            )  # fmt: skip
        else:
            _high_strip(
                a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
                start, start_row, start_panel, out, out_step, columns,
            )  # fmt: skip
    if rest > 0:
        panel = columns // (2 * lanes)
        b, out = pointer_shift(b, panel * panel_step), pointer_shift(out, columns)
        start = pointer_shift(start, panel * start_panel)
        if last_row < FEW_ROWS:
            _low_column(
                a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
                start, start_row, start_panel, out, out_step, rest,
            )  # fmt: skip
        else:
            _high_column(
                a, row_step, depth_step, last_row, b, b_step, panel_step, depth,
                start, start_row, start_panel, out, out_step, rest,
            )  # fmt: skip


def _taps_tile(vectors):
    """The micro-kernel for ``vectors`` vectors of columns."""

    @part
    def taps_tile(
        a, row_step, a_step, last, b, b_step, taps, count, times, start, start_step, out, out_step
    ):
        no_inline()
        rows = offsets_by_step(0, last, row_step, ROWS)
        start_rows = offsets_by_step(0, last, start_step, ROWS)
        tile = tile_load(start, start_rows, vectors, None)
        for _ in range(times):
            for t in range(count):
                first, second = pointer_shift(a, taps[2 * t]), pointer_shift(b, taps[2 * t + 1])
                tile = tile_add_outer(tile, first, rows, second)
                fence()
            a = pointer_shift(a, a_step)
            b = pointer_shift(b, b_step)
        tile_store(out, offsets_by_step(0, last, out_step, ROWS), tile, None)

    return taps_tile


_narrow_taps = _taps_tile(1)
_square_taps = _taps_tile(2)


@part
def taps_tile(
    a, row_step, a_step, last, b, b_step, taps, count, times, start, start_step, out, out_step, columns
):
    """``out[r, j] = start[r, j] + sum_it a[r * row_step + i * a_step + taps[t, 0]] * b[i * b_step +
    taps[t, 1] + j]`` for i < times, t < count, r <= last < ROWS and j < columns.

    ``taps`` points to pairs of offsets.  ``columns`` is at most two vectors; whole vectors, one or two,
    are read and written.  ``start`` may be ``out``.
    """
    if columns <= lanes_of(a):
        _narrow_taps(
            a, row_step, a_step, last, b, b_step, taps, count, times, start, start_step, out, out_step
        )
    else:
        _square_taps(
            a, row_step, a_step, last, b, b_step, taps, count, times, start, start_step, out, out_step
        )


def _dot_tile(height, width, ahead):
    """The micro-kernel for ``height`` x ``width`` dot products; prefetches ``b`` this far ahead."""

    @part
    def dot_tile(a, a_rows, b, b_rows, depth, sums):
        no_inline()
        lanes = lanes_of(a)
        tile = tile_zeros(a, height, width)
        for _ in range(depth // lanes):
            tile = tile_add_dots(tile, a, a_rows, b, b_rows, None)
            if ahead > 0:
                for row in literal_unroll(b_rows):
                    prefetch(b, row + ahead)
            a = pointer_shift(a, lanes)
            b = pointer_shift(b, lanes)
            fence()
        if depth % lanes:
            tile = tile_add_dots(tile, a, a_rows, b, b_rows, depth % lanes)
        tile_sums(sums, tile)

    return dot_tile


_dot_tile_of_patches = _dot_tile(DOT_ROWS, DOT_COLUMNS, 0)
stream_tile = _dot_tile(STREAM_ROWS, STREAM_COLUMNS, _AHEAD)


@part
def dot_tile(a, a_rows, b, b_rows, depth, sums):
    """``sums[DOT_COLUMNS * r + c] = sum_k a[a_rows[r] + k] * b[b_rows[c] + k]`` for k < depth.

    ``a_rows`` and ``b_rows`` are tuples of DOT_ROWS and DOT_COLUMNS offsets.  ``sums`` has room for
    whole vectors.
    """
    _dot_tile_of_patches(a, a_rows, b, b_rows, depth, sums)
