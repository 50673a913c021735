"""The inner loop of a pooled convolution with few output channels: vectors run along the pixels of a line.

Where vectors run over channels (``conv_strips.py``), six channels leave a quarter of an AVX2 vector empty,
and every multiply-add needs a number of its own from memory.  Here a tile is some channels times two lines
of pixels, one above the other; each step of the sums takes two vectors of the image, found through a table
of offsets, and one number of each channel's weights.  At the end the tile is turned, and its windows are
pooled as everywhere.

LeNet's first layer takes 0.75 (grey) and 0.55 (colour) of the time that way, on AVX2.
"""

from __future__ import annotations

from .cpu import REGISTERS, lanes
from .jit import part
from .masked import offsets_of_turned, tile_add_lines, tile_of_windows, tile_splat, tile_store_windows
from .simd import fence, lanes_of, no_inline, offsets_by_step, pointer_shift

__all__ = ["pooled_lines", "worth_lines"]

CHANNELS = 8 if REGISTERS == 32 else 6  # rows of a tile: two sums each next to three operands


def worth_lines(out_channels, columns, stride, column_step, itemsize) -> bool:
    """Whether `pooled_lines` applies: few channels, and lines of pixels side by side that fill a vector.

    Arguments:
        columns: of the pooled output.
        column_step: between the input's columns.

    >>> worth_lines(4, 100, (1, 1), 1, 4), worth_lines(16, 100, (1, 1), 1, 4)
    (True, False)
    """
    vector = lanes(itemsize)
    few = out_channels <= min(CHANNELS, vector)
    return few and vector >= 4 and 2 * columns >= vector and stride[1] == column_step == 1


def _pooled_lines(half):
    """The loop for panels of weights of half a vector or a whole one."""
    divisor = 2 if half else 1

    @part
    def pooled_lines(a, pixels, first, stop, columns, taps, depth, weights, bias, out, pitch, relu, winners):
        no_inline()
        width, windows = lanes_of(a) // divisor, lanes_of(a) // 2
        rows = offsets_by_step(0, width - 1, 1, CHANNELS)
        for line in range(first, stop):
            for start in range(0, columns, windows):
                window = line * columns + min(start, columns - windows)  # the last vectors may overlap
                pixel = pixels[4 * window]
                row_step = pixels[4 * window + 2] - pixel
                tile, weight = tile_splat(bias, rows, 2), weights
                for k in range(depth):
                    tile = tile_add_lines(tile, weight, rows, pointer_shift(a, pixel + taps[k]), row_step)
                    weight = pointer_shift(weight, width)
                    fence()
                place, turned = window * pitch, tile_of_windows(tile, divisor)
                places = offsets_of_turned(turned, pitch)
                tile_store_windows(
                    pointer_shift(out, place), pointer_shift(winners, place), places, turned, relu
                )

    return pooled_lines


_half_lines = _pooled_lines(True)
_whole_lines = _pooled_lines(False)


@part
def pooled_lines(
    a, pixels, first, stop, columns, taps, depth, weights, bias, out, pitch, relu, winners, width
):
    """`conv_strips.pooled_strip` for the lines first <= line < stop of ``columns`` windows each.

    There must be `worth_lines`.
    """
    if width < lanes_of(a):
        _half_lines(a, pixels, first, stop, columns, taps, depth, weights, bias, out, pitch, relu, winners)
    else:
        _whole_lines(a, pixels, first, stop, columns, taps, depth, weights, bias, out, pitch, relu, winners)
