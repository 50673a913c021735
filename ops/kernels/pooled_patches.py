"""The inner loops of `pooled_gradient`: winners meet patches; and the copies of images to and from patches.

A patch is what one output pixel sees: in compact channels-last memory KH rows of KW * C numbers side by side.
"""

from __future__ import annotations

import numpy as np

from .jit import part
from .masked import lanes_that_won, lowest_bit, tile_add_scaled, tile_load_half, vector_where_positive
from .planes import copy_line
from .simd import (
    fence,
    lanes_of,
    no_inline,
    offsets_by_step,
    pointer_shift,
    tile_load,
    tile_store,
    tile_store_front,
    tile_sum,
    tile_zeros,
    vector_add,
    vector_load,
    vector_store,
)

__all__ = ["all_finite", "compact_gradient", "copy_in", "copy_out", "input_regions_of", "input_rows_of",
           "mark_winners", "weight_rows_of"]  # fmt: skip


# ------------------------------------------------------------------ inner loops


def weight_rows_of(rows, vectors, half):
    """The micro-kernel of the weight's gradient for a patch of ``rows`` x ``vectors``."""
    load = tile_load_half if half else tile_load

    @part
    def weight_rows(x, row_step, down, across, grad, winners, pitch, lines, columns, sums, sums_step):
        """``sums[r, j] += sum_w grad[w] * x[winner of w, r, j]`` over lines x columns windows w."""
        no_inline()
        offsets = offsets_by_step(0, rows - 1, row_step, rows)
        places = offsets_by_step(0, rows - 1, sums_step, rows)
        tile = load(sums, places, vectors, None)
        for line in range(lines):
            pixel = pointer_shift(x, 2 * line * down)
            for _ in range(columns):
                winner = np.int64(winners[0])
                patch = pointer_shift(pixel, (winner >> 1) * down + (winner & 1) * across)
                tile = tile_add_scaled(tile, grad[0], patch, offsets)
                pixel = pointer_shift(pixel, 2 * across)
                grad, winners = pointer_shift(grad, pitch), pointer_shift(winners, pitch)
                fence()
        tile_store(sums, places, tile, None)

    return weight_rows


@part
def mark_winners(grad, winners, pitch, windows, marks):
    """For each window, 64 channels and one of its pixels after the other: the channels that it won, as bits.

    Those whose gradient is 0 are left out.
    """
    lanes = lanes_of(grad)
    for _ in range(windows):
        for first in range(0, pitch, 64):
            zero, one, two, three = 0, 0, 0, 0
            for i in range(0, min(64, pitch - first), lanes):
                values, won = pointer_shift(grad, first + i), pointer_shift(winners, first + i)
                zero |= lanes_that_won(values, won, 0) << i
                one |= lanes_that_won(values, won, 1) << i
                two |= lanes_that_won(values, won, 2) << i
                three |= lanes_that_won(values, won, 3) << i
            marks[0], marks[1], marks[2], marks[3] = zero, one, two, three
            marks = pointer_shift(marks, 4)
        grad, winners = pointer_shift(grad, pitch), pointer_shift(winners, pitch)


def input_rows_of(rows, vectors, half):
    """The micro-kernel of the input's gradient for a patch of ``rows`` x ``vectors``."""
    load = tile_load_half if half else tile_load

    @part
    def input_rows(
        grad, marks, pitch, weights, block, weight_step, target, row_step, down, across, lines, columns,
        width,
    ):  # fmt: skip
        """``target[pixel, r, j] += sum_o grad[o] * weights[o, r, j]`` over the channels o a pixel won.

        ``marks`` are those of `mark_winners`.  Only the first ``width`` numbers of a row count.  ``block``
        lies between the weights of two channels, ``weight_step`` between rows of them.
        """
        no_inline()
        lanes = lanes_of(grad)
        each = lanes // 2 if half else vectors * lanes
        offsets = offsets_by_step(0, rows - 1, row_step, rows)
        weight_offsets = offsets_by_step(0, rows - 1, weight_step, rows)
        for line in range(lines):
            for column in range(columns):
                for number in range(4):
                    place = (2 * line + (number >> 1)) * down + (2 * column + (number & 1)) * across
                    patch = pointer_shift(target, place)
                    tile = load(patch, offsets, vectors, None)
                    for first in range(0, pitch, 64):
                        values, bits = pointer_shift(grad, first), marks[first // 16 + number]
                        while bits != 0:  # its end is foreseen wrongly: once for many channels
                            o = lowest_bit(bits)
                            bits &= bits - 1
                            weight = pointer_shift(weights, (first + o) * block)
                            tile = tile_add_scaled(tile, values[o], weight, weight_offsets)
                            fence()
                    if width >= each:
                        tile_store(patch, offsets, tile, None)
                    else:
                        tile_store_front(patch, offsets, tile, width)
                grad, marks = pointer_shift(grad, pitch), pointer_shift(marks, (pitch + 63) // 64 * 4)

    return input_rows


def input_regions_of(vectors):
    """The micro-kernel of the input's gradient for two rows of ``vectors`` of what a whole window sees."""

    @part
    def input_regions(
        grad, winners, pitch, channels, weights, block, weight_step, shifts, target, row_step, down, across,
        lines, columns,
    ):  # fmt: skip
        """``target[window, r, j] += sum_o grad[o] * weights[o, shifts[winner of o] + (r, j)]``.

        The weights have zeros around them, so that all channels take the same steps: no jump depends on who
        won.  An infinite gradient would make NaN of these zeros.
        """
        no_inline()
        offsets = offsets_by_step(0, 1, row_step, 2)
        weight_offsets = offsets_by_step(0, 1, weight_step, 2)
        for line in range(lines):
            region = pointer_shift(target, 2 * line * down)
            for _ in range(columns):
                tile, weight = tile_zeros(grad, 2, vectors), weights
                for o in range(channels):
                    shifted = pointer_shift(weight, shifts[winners[o]])
                    tile = tile_add_scaled(tile, grad[o], shifted, weight_offsets)
                    weight = pointer_shift(weight, block)
                    fence()
                # Added at the end: just behind the last window's stores a load would have to wait for them.
                tile_store(region, offsets, tile_sum(tile, tile_load(region, offsets, vectors, None)), None)
                region = pointer_shift(region, 2 * across)
                grad, winners = pointer_shift(grad, pitch), pointer_shift(winners, pitch)

    return input_regions


@part
def all_finite(values, count):
    """Whether no value is infinite or NaN."""
    for i in range(count):
        if values[i] - values[i] != 0:
            return False
    return True


# ------------------------------------------------------------------ images in and out


@part
def copy_in(image, channel_step, row_step, step, channels, rows, columns, target, target_row):
    """Copy an image to rows of compact pixels."""
    for h in range(rows):
        row, line = pointer_shift(image, h * row_step), pointer_shift(target, h * target_row)
        if channel_step == 1 and step == channels:
            copy_line(row, 1, line, columns * channels)
        elif channel_step == 1:
            for w in range(columns):
                copy_line(pointer_shift(row, w * step), 1, pointer_shift(line, w * channels), channels)
        else:
            for c in range(channels):
                for w in range(columns):
                    line[w * channels + c] = row[c * channel_step + w * step]


@part
def copy_out(source, source_row, channels, rows, columns, image, pitch):
    """Copy rows of compact pixels to pixels ``pitch`` apart, zeros after the channels."""
    lanes = lanes_of(source)
    for h in range(rows):
        row, line = pointer_shift(source, h * source_row), pointer_shift(image, h * columns * pitch)
        if channels == pitch:
            copy_line(row, 1, line, columns * channels)
            continue
        for w in range(columns):
            for c in range(0, pitch, lanes):
                vector_store(line, w * pitch + c, vector_load(row, w * channels + c, channels - c), None)


@part
def compact_gradient(grad, row_step, step, out, relu, lines, columns, channels, pitch, target, sums):
    """An image's pooled gradient as compact windows, 0 where relu has cut; adds its sums to ``sums``."""
    lanes = lanes_of(grad)
    for c in range(0, pitch, lanes):
        total = vector_load(sums, c, None)
        for line in range(lines):
            for column in range(columns):
                place = line * row_step + column * step + c
                here = (line * columns + column) * pitch + c
                if c + lanes <= channels:
                    value = vector_load(grad, place, None)
                else:
                    value = vector_load(grad, place, channels - c)
                if relu:
                    value = vector_where_positive(value, vector_load(out, here, None))
                total = vector_add(total, value)
                vector_store(target, here, value, None)
        vector_store(sums, c, total, None)
