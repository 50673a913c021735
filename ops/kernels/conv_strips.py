"""The inner loops of convolutions in channels-last memory: vectors run over channels.

`output_strip` and `pooled_strip` form output pixels (or input gradients): a tile is some pixels times
one or two vectors of channels, and every step of its sum adds one tap: a number of each pixel, found
through tables of offsets, times a row of packed weights.  `weight_strip` forms weight gradients: a tile
is some taps times vectors of output channels, and every step adds one pixel.

A strip is a loop over tiles, so that short sums (27 steps in a first layer) do not pay for calls.
"""

from __future__ import annotations

from .cpu import REGISTERS, lanes
from .jit import part
from .masked import offsets_of_windows, tile_clamp, tile_load_half, tile_store_windows
from .simd import (
    fence,
    lanes_of,
    no_inline,
    offsets_by_step,
    offsets_from_table,
    pointer_shift,
    tile_add_outer,
    tile_load,
    tile_store,
)

__all__ = ["PIXELS", "TAPS", "WINDOWS", "least_width", "output_strip", "panel_width",
           "pooled_strip", "weight_strip"]  # fmt: skip

PIXELS = 8 if REGISTERS == 32 else 6  # rows of a tile of output pixels
WINDOWS = 2 if REGISTERS == 32 else 1  # 2 x 2 windows of a tile to be pooled
POOLED = 4 * WINDOWS
TAPS = 9 if REGISTERS == 32 else 6  # rows of a tile of weight gradients: most kernels are 3 x 3


def least_width(itemsize: int) -> int:
    """Channels of the narrowest panel of weights: half a vector, where that is not too short.

    >>> least_width(4) <= lanes(4)
    True
    """
    vector = lanes(itemsize)
    return vector // 2 if vector >= 8 else vector


@part
def panel_width(channels, first, lanes, least):
    """Width of the panel of weights that begins at channel ``first``: two vectors, one, or ``least``."""
    rest = channels - first
    return 2 * lanes if rest > lanes else lanes if rest > least else least


def _output_strip(vectors, half=False):
    load = tile_load_half if half else tile_load

    @part
    def output_strip(
        a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu
    ):
        no_inline()
        width = lanes_of(a) // 2 if half else vectors * lanes_of(a)
        for number in range(first, stop):
            rows = offsets_from_table(number * PIXELS, last, pixels, PIXELS)
            starts = offsets_by_step(0, 0, 0, PIXELS)
            tile = load(bias, starts, vectors, None)
            row = weights
            for k in range(depth):
                tile = tile_add_outer(tile, pointer_shift(a, taps[k]), rows, row)
                row = pointer_shift(row, width)
                fence()
            places = offsets_from_table(number * PIXELS, last, targets, PIXELS)
            tile_store(out, places, tile_clamp(tile, relu), None)

    return output_strip


_half_output = _output_strip(1, half=True)
_narrow_output = _output_strip(1)
_wide_output = _output_strip(2)


@part
def output_strip(a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, width):
    """``out[targets[p] + j] = clamp(bias[j] + sum_k a[pixels[p] + taps[k]] * weights[k, j])``.

    For the tiles first <= number < stop of PIXELS pixels p each, of which there are ``last`` + 1, and
    j < width: half a vector, one or two.  ``relu`` says whether negative results become 0.
    """
    if width < lanes_of(a):
        _half_output(a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu)
    elif width == lanes_of(a):
        _narrow_output(a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu)
    else:
        _wide_output(a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu)


def _pooled_strip(vectors, half=False):
    load = tile_load_half if half else tile_load

    @part
    def pooled_strip(
        a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, winners
    ):
        no_inline()
        width = lanes_of(a) // 2 if half else vectors * lanes_of(a)
        for number in range(first, stop):
            rows = offsets_of_windows(number * WINDOWS, last, pixels, POOLED)
            starts = offsets_by_step(0, 0, 0, POOLED)
            tile = load(bias, starts, vectors, None)
            row = weights
            for k in range(depth):
                tile = tile_add_outer(tile, pointer_shift(a, taps[k]), rows, row)
                row = pointer_shift(row, width)
                fence()
            places = offsets_from_table(number * WINDOWS, last, targets, WINDOWS)
            tile_store_windows(out, winners, places, tile, relu)

    return pooled_strip


_half_pooled = _pooled_strip(1, half=True)
_narrow_pooled = _pooled_strip(1)
_wide_pooled = _pooled_strip(2)


@part
def pooled_strip(
    a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, winners, width
):
    """`output_strip` followed by the maximum of windows of four pixels, of which there are ``last`` + 1.

    ``pixels[4 * w]`` and the next three are window w; a tile has WINDOWS of them.  ``winners`` gets the
    number (0 to 3) of the largest pixel, at the same places as ``out`` the maximum.
    """
    if width < lanes_of(a):
        _half_pooled(
            a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, winners
        )
    elif width == lanes_of(a):
        _narrow_pooled(
            a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, winners
        )
    else:
        _wide_pooled(
            a, pixels, first, stop, last, taps, depth, weights, bias, out, targets, relu, winners
        )


def _weight_strip(vectors, half=False):
    load = tile_load_half if half else tile_load

    @part
    def weight_strip(x, taps, first, stop, last, x_steps, grad, grad_steps, counts, start, start_step, sums):
        no_inline()
        width = lanes_of(x) // 2 if half else vectors * lanes_of(x)
        column_step, grad_column_step = x_steps[2], grad_steps[2]
        for number in range(first, stop):
            rows = offsets_from_table(number * TAPS, last, taps, TAPS)
            places = offsets_by_step(number * TAPS, last, width, TAPS)
            starts = offsets_by_step(number * TAPS, last, start_step, TAPS)
            tile = load(start, starts, vectors, None)
            for image in range(counts[0]):
                for line in range(counts[1]):
                    a = pointer_shift(x, image * x_steps[0] + line * x_steps[1])
                    b = pointer_shift(grad, image * grad_steps[0] + line * grad_steps[1])
                    for _ in range(counts[2]):
                        tile = tile_add_outer(tile, a, rows, b)
                        a = pointer_shift(a, column_step)
                        b = pointer_shift(b, grad_column_step)
                        fence()
            tile_store(sums, places, tile, None)

    return weight_strip


_half_weight = _weight_strip(1, half=True)
_narrow_weight = _weight_strip(1)
_wide_weight = _weight_strip(2)


@part
def weight_strip(
    x, taps, first, stop, last, x_steps, grad, grad_steps, counts, start, start_step, sums, width
):
    """``sums[k, j] = start[k, j] + sum_p x[p * x_steps + taps[k]] * grad[p * grad_steps + j]``.

    For the tiles first <= number < stop of TAPS taps k each, of which there are ``last`` + 1, and j <
    width: half a vector, one or two.  The pixels p run over ``counts`` images, lines and columns; steps and
    counts are tuples of three.  ``start`` may be ``sums``; rows of it are ``start_step`` apart.
    """
    if width < lanes_of(x):
        _half_weight(x, taps, first, stop, last, x_steps, grad, grad_steps, counts, start, start_step, sums)
    elif width == lanes_of(x):
        _narrow_weight(x, taps, first, stop, last, x_steps, grad, grad_steps, counts, start, start_step, sums)
    else:
        _wide_weight(x, taps, first, stop, last, x_steps, grad, grad_steps, counts, start, start_step, sums)
