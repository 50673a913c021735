"""Gradients with respect to few input channels: vectors run over the output's channels instead.

Three or six input channels fill few lanes of a vector.  Here every input pixel is a dot product between
vectors of the output's gradient and of the weights; a tile is some pixels times three input channels,
and its lanes are added up at the end.
"""

from __future__ import annotations

from .cpu import REGISTERS
from .jit import part
from .launch import Task
from .masked import aligned
from .planes import fill_zeros
from .simd import (
    fence,
    lanes_of,
    no_inline,
    offsets_by_step,
    offsets_from_table,
    pointer_shift,
    table_at,
    tile_add_dots,
    tile_sums,
    tile_zeros,
)

__all__ = ["DOT_SUMS", "dotted_input", "pack_dots", "packed_dots", "worth_dots"]

_PIXELS = 8 if REGISTERS == 32 else 4
_CHANNELS = 3
DOT_SUMS = 64  # room for the sums of a tile, in whole vectors


def worth_dots(channels: int, out_channels: int, pitch: int, vector: int, least: int) -> bool:
    """Whether dot products are faster than vectors of ``vector`` (at least ``least``) input channels.

    Measured for 5 x 5 kernels between 6 and 16 channels on 100 images of 14 x 14: 1.1 instead of 1.6 ms.

    >>> worth_dots(3, 32, 32, 16, 8), worth_dots(16, 32, 32, 16, 8)
    (True, False)
    """
    dots = -(-channels // _CHANNELS) * _CHANNELS * (pitch // vector)
    lanes = least if channels <= least else -(-channels // vector) * vector
    return 5 * dots * vector < 4 * out_channels * lanes


def packed_dots(channels: int, pitch: int) -> int:
    """Elements that the packed weights of one tap take."""
    return -(-channels // _CHANNELS) * _CHANNELS * pitch


@Task
def pack_dots(arrays, numbers, task, worker):
    """Weights (O, C, T) to rows (phase, three input channels, tap) of vectors (output channels, channel)."""
    weights, packed = arrays[0], aligned(arrays[1])
    out_channels, channels, taps, pitch = numbers[0], numbers[1], numbers[2], numbers[3]
    phases, entry = numbers[4], table_at(numbers[5])
    lanes = lanes_of(weights)
    size = -(-channels // _CHANNELS) * _CHANNELS * pitch
    for _ in range(phases):
        count = entry[0]
        fill_zeros(packed, count * size)
        for c in range(channels):
            for t in range(count):
                row = (c // _CHANNELS * count + t) * _CHANNELS * pitch + c % _CHANNELS * lanes
                for o in range(out_channels):
                    place = row + o // lanes * _CHANNELS * lanes + o % lanes
                    packed[place] = weights[(o * channels + c) * taps + entry[1 + t]]
        packed = pointer_shift(packed, count * size)
        entry = pointer_shift(entry, 1 + count)


@part
def _dot_strip(a, pixels, first, stop, last, taps, count, depth, weights, sums, out, targets, channels):
    """``out[targets[p] + c] = sum_tj a[pixels[p] + taps[t] + j] * weights[t, j, c]`` for c < channels.

    For the tiles first <= number < stop of pixels p <= last, t < count and j < depth: whole vectors.
    """
    no_inline()
    lanes = lanes_of(a)
    columns = offsets_by_step(0, _CHANNELS, lanes, _CHANNELS)
    for number in range(first, stop):
        rows = offsets_from_table(number * _PIXELS, last, pixels, _PIXELS)
        tile = tile_zeros(a, _PIXELS, _CHANNELS)
        row = weights
        for t in range(count):
            line = pointer_shift(a, taps[t])
            for _ in range(0, depth, lanes):
                tile = tile_add_dots(tile, line, rows, row, columns, None)
                line, row = pointer_shift(line, lanes), pointer_shift(row, _CHANNELS * lanes)
                fence()
        tile_sums(sums, tile)
        for r in range(min(_PIXELS, last + 1 - number * _PIXELS)):
            place = targets[number * _PIXELS + r]
            for c in range(channels):
                out[place + c] = sums[r * _CHANNELS + c]


@part
def dotted_input(
    grad, pixels, count, taps, tap_count, depth, weights, sums, out, targets, channels, part, parts
):
    """A part of one phase of the input's gradient: ``count`` pixels, ``tap_count`` taps."""
    tiles = -(-count // _PIXELS)
    first, stop = part * tiles // parts, (part + 1) * tiles // parts
    for channel in range(0, channels, _CHANNELS):
        _dot_strip(
            grad, pixels, first, stop, count - 1, taps, tap_count, depth,
            pointer_shift(weights, channel * tap_count * depth), sums, pointer_shift(out, channel),
            targets, min(_CHANNELS, channels - channel),
        )  # fmt: skip
