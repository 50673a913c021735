"""Strips: rows of one image copied to scratch memory, channels last, zeros around them.

A pixel of a strip is ``pitch`` elements: its channels, then zeros up to whole vectors.  What reads a
strip needs no care for the strides of the array, for the padding or for the last channels.

``map`` is a pointer to five numbers that describe an image in memory: rows, columns, and the steps
between rows, columns and channels.
"""

from __future__ import annotations

from .channels_last import transpose
from .jit import part
from .masked import vector_where_positive
from .planes import fill_zeros
from .simd import lanes_of, pointer_shift, vector_load, vector_store
from .vector import vector_where_equal

__all__ = ["fill_gradient_strip", "fill_strip"]


@part
def _copy_vectors(source, pixel_step, pixels, channels, target, pitch):
    """`copy_pixels` for channels that follow each other."""
    lanes = lanes_of(source)
    whole = channels - channels % lanes
    for _ in range(pixels):
        for c in range(0, whole, lanes):
            vector_store(target, c, vector_load(source, c, None), None)
        if whole < channels:
            vector_store(target, whole, vector_load(source, whole, channels - whole), None)
        source = pointer_shift(source, pixel_step)
        target = pointer_shift(target, pitch)


@part
def copy_pixels(source, pixel_step, channel_step, pixels, channels, target, pitch):
    """``target[p * pitch + c] = source[p * pixel_step + c * channel_step]``, zeros up to the pitch."""
    if channel_step == 1:
        _copy_vectors(source, pixel_step, pixels, channels, target, pitch)
        return
    if pixel_step == 1:
        transpose(source, channel_step, channels, pixels, target, pitch)
    else:
        for c in range(channels):
            for p in range(pixels):
                target[p * pitch + c] = source[p * pixel_step + c * channel_step]
    for p in range(pixels):
        fill_zeros(pointer_shift(target, p * pitch + channels), pitch - channels)


@part
def fill_strip(source, map, channels, first_row, rows, padding, columns, strip, pitch):
    """Rows ``first_row`` to ``first_row + rows`` of an image, ``columns`` pixels each.

    Image columns begin ``padding`` pixels after the strip's.
    """
    height, width = map[0], map[1]
    count = min(width, columns - padding)
    rest = columns - padding - count
    for row in range(first_row, first_row + rows):
        if row < 0 or row >= height:
            fill_zeros(strip, columns * pitch)
        else:
            fill_zeros(strip, padding * pitch)
            line = pointer_shift(strip, padding * pitch)
            here = pointer_shift(source, row * map[2])
            copy_pixels(here, map[3], map[4], count, channels, line, pitch)
            fill_zeros(pointer_shift(line, count * pitch), rest * pitch)
        strip = pointer_shift(strip, columns * pitch)


@part
def _mask_line(line, output, pixel_step, pixels, channels, pitch):
    """Zero where the output of relu is not positive."""
    lanes = lanes_of(line)
    for _ in range(pixels):
        for c in range(0, pitch, lanes):
            if channels - c >= lanes:
                passes = vector_load(output, c, None)
            else:
                passes = vector_load(output, c, channels - c)
            vector_store(line, c, vector_where_positive(vector_load(line, c, None), passes), None)
        output = pointer_shift(output, pixel_step)
        line = pointer_shift(line, pitch)


@part
def _spread_line(line, places, place_step, pixels, channels, pitch, place, strip):
    """One row of a max-pool's gradient to one of the two rows of its windows."""
    lanes = lanes_of(line)
    for _ in range(pixels):
        for c in range(0, pitch, lanes):
            value = vector_load(line, c, None)
            if channels - c >= lanes:
                left = vector_where_equal(value, places, c, place, None)
                right = vector_where_equal(value, places, c, place + 1, None)
            else:
                left = vector_where_equal(value, places, c, place, channels - c)
                right = vector_where_equal(value, places, c, place + 1, channels - c)
            vector_store(strip, c, left, None)
            vector_store(strip, pitch + c, right, None)
        places = pointer_shift(places, place_step)
        line = pointer_shift(line, pitch)
        strip = pointer_shift(strip, 2 * pitch)


@part
def fill_gradient_strip(
    grad, map, output, output_map, places, place_map, relu, pool,
    channels, first_row, rows, padding, columns, strip, pitch, line,
):  # fmt: skip
    """`fill_strip` with the gradient before relu and max-pool 2 x 2, from the one after them.

    ``output`` is what relu and pool put out, ``places`` the winners in their windows; both have their
    channels side by side.  ``line`` is scratch for a row of pixels.
    """
    height, width = map[0], map[1]
    if not pool:
        fill_strip(grad, map, channels, first_row, rows, padding, columns, strip, pitch)
        if relu:
            first, last = max(first_row, 0), min(first_row + rows, height)
            for row in range(first, last):
                here = pointer_shift(strip, ((row - first_row) * columns + padding) * pitch)
                passed = pointer_shift(output, row * output_map[2])
                count = min(width, columns - padding)
                _mask_line(here, passed, output_map[3], count, channels, pitch)
        return
    ready = -1
    for row in range(first_row, first_row + rows):
        if row < 0 or row >= 2 * height:
            fill_zeros(strip, columns * pitch)
        else:
            if row // 2 != ready:
                ready = row // 2
                here = pointer_shift(grad, ready * map[2])
                copy_pixels(here, map[3], map[4], width, channels, line, pitch)
                if relu:
                    passed = pointer_shift(output, ready * output_map[2])
                    _mask_line(line, passed, output_map[3], width, channels, pitch)
            fill_zeros(strip, padding * pitch)
            spread = pointer_shift(strip, padding * pitch)
            here = pointer_shift(places, ready * place_map[2])
            _spread_line(line, here, place_map[3], width, channels, pitch, row % 2 * 2, spread)
            after = padding + 2 * width
            fill_zeros(pointer_shift(strip, after * pitch), (columns - after) * pitch)
        strip = pointer_shift(strip, columns * pitch)
