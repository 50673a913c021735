"""The transforms of Winograd's convolution F(2x2, 3x3), and the matrix products between them.

A tile of 2 x 2 outputs needs 4 x 4 inputs d and a kernel g of 3 x 3.  With

    B = 1  0  0  0     G = 1    0    0     A = 1  0
        0  1 -1 -1         1/2  1/2  1/2       1  1
       -1  1  1  0         1/2 -1/2  1/2       1 -1
        0  0  0  1         0    0    1         0  1

it is A^T ((G g G^T) * (B^T d B)) A (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
2016; the sign of the last row is ours): 16 products instead of 36.  Over many tiles and channels, place
(i, j) of the 4 x 4 becomes a matrix product of its own; all values of one place form a *plane*.

Everything here has its channels side by side, in whole vectors.  The steps between planes are chosen so that
the planes' equal places fall on different places of a first-level cache, which repeat after 4 KiB.
"""

from __future__ import annotations

import math

from .channels_last import transpose
from .cpu import REGISTERS, VECTOR_BYTES
from .jit import part
from .planes import fill_zeros
from .simd import (
    fence,
    lanes_of,
    no_inline,
    offsets_by_step,
    pointer_shift,
    tile_add_outer,
    tile_load,
    tile_store,
    tile_zeros,
    transpose_block,
    vector_load,
    vector_store,
)
from .vector import vector_full, vector_store_maximum

__all__ = [
    "ROWS",
    "KERNELS",
    "PLANES",
    "SPREAD",
    "finish_weight_gradient",
    "multiply_planes",
    "plane_step",
    "spread_tiles",
    "transform_inputs",
    "transform_weights",
    "write_maxima",
    "write_outputs",
]

PLANES = 16
KERNELS = 9 * 16  # vectors of gathered kernels
SPREAD = 512  # bytes: at most so much lies between two planes
ROWS = 8 if REGISTERS == 32 else 6
_FEW_ROWS = ROWS // 2


@part
def plane_step(elements, lanes):
    """Elements from one plane of transformed pixels to the next, for planes of so many elements.

    An odd multiple of 256 bytes: 16 planes lie in 16 places of the cache.  With one vector between them, two
    and more shared each place: 0.5 of the time of the inputs' and the gradients' transforms.
    """
    unit = SPREAD // VECTOR_BYTES * lanes
    return elements + (unit // 2 - elements) % unit


# ---------------------------------------------------------------- products


def _product_tile(height, vectors):
    """The micro-kernel for a tile of ``height`` rows and ``vectors`` vectors of columns."""

    @part
    def product_tile(a, row_step, depth_step, last_row, b, b_step, depth, out, out_step, add):
        no_inline()
        rows = offsets_by_step(0, last_row, row_step, height)
        out_rows = offsets_by_step(0, last_row, out_step, height)
        if add:
            tile = tile_load(out, out_rows, vectors, None)
        else:
            tile = tile_zeros(out, height, vectors)
        for _ in range(depth):
            tile = tile_add_outer(tile, a, rows, b)
            a = pointer_shift(a, depth_step)
            b = pointer_shift(b, b_step)
            fence()
        tile_store(out, out_rows, tile, None)

    return product_tile


_narrow_tile = _product_tile(ROWS, 1)
_low_tile = _product_tile(_FEW_ROWS, 2)
_square_tile = _product_tile(ROWS, 2)


@part
def multiply_planes(
    a, a_plane, row_step, depth_step, rows, b, b_plane, b_step, depth, out, out_plane, width, add
):
    """``out[i, r, j] = sum_k a[i, r * row_step + k * depth_step] * b[i, k * b_step + j]``, planes i.

    The rows of ``out`` are ``width`` long, one or two vectors. With ``add`` the sums are added to it.
    """
    for _ in range(PLANES):
        for r in range(0, rows, ROWS):
            last, here = min(ROWS, rows - r) - 1, pointer_shift(a, r * row_step)
            place = pointer_shift(out, r * width)
            if width == lanes_of(a):
                _narrow_tile(here, row_step, depth_step, last, b, b_step, depth, place, width, add)
            elif last < _FEW_ROWS:
                _low_tile(here, row_step, depth_step, last, b, b_step, depth, place, width, add)
            else:
                _square_tile(here, row_step, depth_step, last, b, b_step, depth, place, width, add)
        a = pointer_shift(a, a_plane)
        b = pointer_shift(b, b_plane)
        out = pointer_shift(out, out_plane)


# ---------------------------------------------------------------- inputs


@part
def _input_line(a, b, c, d):
    """One column of B^T d."""
    return a - c, b + c, c - b, d - b


@part
def _load_four(pointer, step):
    return (
        vector_load(pointer, 0, None),
        vector_load(pointer, step, None),
        vector_load(pointer, 2 * step, None),
        vector_load(pointer, 3 * step, None),
    )


@part
def _store_four(pointer, step, values):
    vector_store(pointer, 0, values[0], None)
    vector_store(pointer, step, values[1], None)
    vector_store(pointer, 2 * step, values[2], None)
    vector_store(pointer, 3 * step, values[3], None)


@part
def transform_inputs(strip, pitch, rows, columns, planes, plane_step):
    """B^T d B of rows x columns tiles of a strip of 2 * rows + 2 lines of 2 * columns + 2 pixels."""
    lanes = lanes_of(strip)
    line = (2 * columns + 2) * pitch
    for i in range(rows):
        for c in range(0, pitch, lanes):
            here = pointer_shift(strip, 2 * i * line + c)
            place = pointer_shift(planes, i * columns * pitch + c)
            # Neighbouring tiles share two columns.
            a0, a1, a2, a3 = _input_line(*_load_four(here, line))
            b0, b1, b2, b3 = _input_line(*_load_four(pointer_shift(here, pitch), line))
            for _ in range(columns):
                here = pointer_shift(here, 2 * pitch)
                c0, c1, c2, c3 = _input_line(*_load_four(here, line))
                d0, d1, d2, d3 = _input_line(*_load_four(pointer_shift(here, pitch), line))
                _store_four(place, plane_step, _input_line(a0, b0, c0, d0))
                below = pointer_shift(place, 4 * plane_step)
                _store_four(below, plane_step, _input_line(a1, b1, c1, d1))
                below = pointer_shift(below, 4 * plane_step)
                _store_four(below, plane_step, _input_line(a2, b2, c2, d2))
                below = pointer_shift(below, 4 * plane_step)
                _store_four(below, plane_step, _input_line(a3, b3, c3, d3))
                a0, a1, a2, a3, b0, b1, b2, b3 = c0, c1, c2, c3, d0, d1, d2, d3
                place = pointer_shift(place, pitch)


# ---------------------------------------------------------------- outputs


@part
def _output_line(a, b, c, d):
    """One column of A^T m."""
    return a + b + c, b - c + d


@part
def _output_tile(planes, plane_step):
    """A^T m A of one vector of channels: the values at (0, 0), (0, 1), (1, 0), (1, 1)."""
    step = 4 * plane_step
    a0, a1 = _output_line(*_load_four(planes, step))
    b0, b1 = _output_line(*_load_four(pointer_shift(planes, plane_step), step))
    c0, c1 = _output_line(*_load_four(pointer_shift(planes, 2 * plane_step), step))
    d0, d1 = _output_line(*_load_four(pointer_shift(planes, 3 * plane_step), step))
    left, right = _output_line(a0, b0, c0, d0)
    lower_left, lower_right = _output_line(a1, b1, c1, d1)
    return left, right, lower_left, lower_right


@part
def write_outputs(
    planes, plane_step, width, rows, columns, bias, relu, out, pixel, line, height, breadth
):
    """A^T m A + bias, and relu, of rows x columns tiles, to at most height x breadth pixels.

    ``width`` channels, in whole vectors; ``pixel`` and ``line`` are the steps of ``out``.
    """
    lanes = lanes_of(planes)
    floor = vector_full(planes, 0.0 if relu else -math.inf)
    for i in range(rows):
        for j in range(columns):
            for c in range(0, width, lanes):
                here = pointer_shift(planes, (i * columns + j) * width + c)
                offset = vector_load(bias, c, None)
                y0, y1, y2, y3 = _output_tile(here, plane_step)
                y0, y1, y2, y3 = y0 + offset, y1 + offset, y2 + offset, y3 + offset
                y0, y1, y2, y3 = max(y0, floor), max(y1, floor), max(y2, floor), max(y3, floor)
                place = 2 * i * line + 2 * j * pixel + c
                more_columns = 2 * j + 1 < breadth
                vector_store(out, place, y0, None)
                if more_columns:
                    vector_store(out, place + pixel, y1, None)
                if 2 * i + 1 < height:
                    vector_store(out, place + line, y2, None)
                    if more_columns:
                        vector_store(out, place + line + pixel, y3, None)


@part
def write_maxima(planes, plane_step, width, rows, columns, bias, relu, out, places, pixel, line):
    """A^T m A + bias, and relu, of rows x columns tiles: the maximum of each, and its place, 0 to 3."""
    lanes = lanes_of(planes)
    for i in range(rows):
        for j in range(columns):
            for c in range(0, width, lanes):
                here = pointer_shift(planes, (i * columns + j) * width + c)
                offset = vector_load(bias, c, None)
                y0, y1, y2, y3 = _output_tile(here, plane_step)
                y0, y1, y2, y3 = y0 + offset, y1 + offset, y2 + offset, y3 + offset
                vector_store_maximum(out, places, i * line + j * pixel + c, y0, y1, y2, y3, relu)


# ---------------------------------------------------------------- gradients of outputs


@part
def _spread_line(a, b):
    """One column of A y."""
    return a, a + b, a - b, b


@part
def spread_tiles(strip, pitch, rows, columns, planes, plane_step):
    """A y A^T of rows x columns tiles of a strip of 2 * rows lines of 2 * columns pixels."""
    lanes = lanes_of(strip)
    line = 2 * columns * pitch
    for i in range(rows):
        for j in range(columns):
            for c in range(0, pitch, lanes):
                here = pointer_shift(strip, 2 * i * line + 2 * j * pitch + c)
                a0, a1, a2, a3 = _spread_line(vector_load(here, 0, None), vector_load(here, line, None))
                here = pointer_shift(here, pitch)
                b0, b1, b2, b3 = _spread_line(vector_load(here, 0, None), vector_load(here, line, None))
                place = pointer_shift(planes, (i * columns + j) * pitch + c)
                _store_four(place, plane_step, _spread_line(a0, b0))
                _store_four(pointer_shift(place, 4 * plane_step), plane_step, _spread_line(a1, b1))
                _store_four(pointer_shift(place, 8 * plane_step), plane_step, _spread_line(a2, b2))
                _store_four(pointer_shift(place, 12 * plane_step), plane_step, _spread_line(a3, b3))


# ---------------------------------------------------------------- weights


@part
def _weight_line(a, b, c, half):
    """One column of G g."""
    sums = a + c
    return a, half * (sums + b), half * (sums - b), c


@part
def _gather_kernels(weight, steps, out_channels, channels, kernels):
    """Kernels of up to a vector's length of output channels: a vector per input channel and place."""
    lanes = lanes_of(weight)
    if out_channels < lanes:
        fill_zeros(kernels, 9 * channels * lanes)
    for k in range(channels):
        for r in range(3):
            for s in range(3):
                here = pointer_shift(weight, k * steps[1] + r * steps[2] + s * steps[3])
                for o in range(out_channels):
                    kernels[o] = here[o * steps[0]]
                kernels = pointer_shift(kernels, lanes)


@part
def _weight_column(kernels, step, half):
    """One column of G g; ``step`` lies between the rows of g."""
    return _weight_line(
        vector_load(kernels, 0, None),
        vector_load(kernels, step, None),
        vector_load(kernels, 2 * step, None),
        half,
    )


@part
def transform_weights(weight, steps, out_channels, channels, planes, plane_step, width, kernels):
    """G g G^T of ``channels`` x ``out_channels`` kernels: planes of rows of ``width`` output channels.

    ``steps`` are those of the weight (O, C, 3, 3); ``width`` is in whole vectors, zeros after the last
    output channel.  ``kernels`` is scratch for KERNELS vectors.
    """
    lanes = lanes_of(weight)
    half = vector_full(weight, 0.5)
    turned = steps[0] == 9 and steps[1] > 9 and steps[2] == -3 and steps[3] == -1 and lanes > 8
    dense = steps[1] == 9 and steps[2] == 3 and steps[3] == 1
    together = 1 if turned else KERNELS // 9
    for k in range(0, channels, together):
        group = min(together, channels - k)
        for o in range(0, width, lanes):
            count = max(0, min(lanes, out_channels - o))
            here = pointer_shift(weight, k * steps[1] + o * steps[0])
            # Last places first; rows of 9 are read as whole vectors, on into the next kernel.
            backward = turned and count == lanes and (k + 1 < channels or o + lanes < out_channels)
            if backward:
                transpose_block(pointer_shift(here, -8), steps[0], kernels, lanes)
            elif dense:
                if count < lanes:
                    fill_zeros(kernels, 9 * group * lanes)
                transpose(here, steps[0], count, 9 * group, kernels, lanes)
            else:
                _gather_kernels(here, steps, count, group, kernels)
            for i in range(group):
                first = pointer_shift(kernels, (9 * i + (8 if backward else 0)) * lanes)
                step = -lanes if backward else lanes
                a0, a1, a2, a3 = _weight_column(first, 3 * step, half)
                b0, b1, b2, b3 = _weight_column(pointer_shift(first, step), 3 * step, half)
                c0, c1, c2, c3 = _weight_column(pointer_shift(first, 2 * step), 3 * step, half)
                place = pointer_shift(planes, (k + i) * width + o)
                _store_four(place, plane_step, _weight_line(a0, b0, c0, half))
                place = pointer_shift(place, 4 * plane_step)
                _store_four(place, plane_step, _weight_line(a1, b1, c1, half))
                place = pointer_shift(place, 4 * plane_step)
                _store_four(place, plane_step, _weight_line(a2, b2, c2, half))
                place = pointer_shift(place, 4 * plane_step)
                _store_four(place, plane_step, _weight_line(a3, b3, c3, half))


@part
def _store_three(pointer, step, values):
    vector_store(pointer, 0, values[0], None)
    vector_store(pointer, step, values[1], None)
    vector_store(pointer, 2 * step, values[2], None)


@part
def _kernel_line(a, b, c, d, half):
    """One column of G^T u."""
    sums = half * (b + c)
    return a + sums, half * (b - c), sums + d


@part
def _add_parts(planes, plane_step, splits, split_step):
    """Add one vector of all planes of the other parts to the first part's."""
    if splits > 1:
        for i in range(PLANES):
            total = vector_load(planes, i * plane_step, None)
            for split in range(1, splits):
                total = total + vector_load(planes, i * plane_step + split * split_step, None)
            vector_store(planes, i * plane_step, total, None)


@part
def finish_weight_gradient(
    planes, plane_step, splits, split_step, width, channels, out_channels, grad, out_step, kernels
):
    """G^T u G of the sums u of ``splits`` parts, to kernels (out_channels, channels, 3, 3).

    Rows of ``width`` output channels, in whole vectors; ``kernels`` is scratch for KERNELS vectors.
    """
    lanes = lanes_of(planes)
    half = vector_full(planes, 0.5)
    step = 4 * plane_step
    for start in range(0, channels, KERNELS // 9):
        group = min(KERNELS // 9, channels - start)
        for o in range(0, min(width, out_channels), lanes):
            for k in range(group):
                here = pointer_shift(planes, (start + k) * width + o)
                _add_parts(here, plane_step, splits, split_step)
                a0, a1, a2 = _kernel_line(*_load_four(here, step), half)
                b0, b1, b2 = _kernel_line(*_load_four(pointer_shift(here, plane_step), step), half)
                c0, c1, c2 = _kernel_line(*_load_four(pointer_shift(here, 2 * plane_step), step), half)
                d0, d1, d2 = _kernel_line(*_load_four(pointer_shift(here, 3 * plane_step), step), half)
                place = pointer_shift(kernels, 9 * k * lanes)
                _store_three(place, lanes, _kernel_line(a0, b0, c0, d0, half))
                _store_three(pointer_shift(place, 3 * lanes), lanes, _kernel_line(a1, b1, c1, d1, half))
                _store_three(pointer_shift(place, 6 * lanes), lanes, _kernel_line(a2, b2, c2, d2, half))
            count, here = min(lanes, out_channels - o), pointer_shift(grad, o * out_step + 9 * start)
            transpose(kernels, lanes, 9 * group, count, here, out_step)
