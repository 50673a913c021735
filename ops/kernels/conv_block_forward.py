"""Convolution + bias + relu + 2 x 2 max-pooling in one sweep, written to channels-last memory.

Vectors run over output channels, whose weights are packed into panels of two vectors.  A pixel's inputs
are read as single numbers through tables of offsets, from the images themselves or, with padding, from
a copy with a border of zeros; so the input may have any strides.  Pooling happens in registers: the four
pixels of a window are rows of the same tile, and the full map is never stored.

Every output is one sum, formed in the order of the weights: no result depends on how work is cut.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .channels_last import channel_pitch, empty_channels_last, transpose
from .conv_lines import pooled_lines, worth_lines
from .conv_lists import Plan, convolve_lists, list_plan, worth_lists
from .conv_strips import (
    PIXELS,
    WINDOWS,
    least_width,
    output_strip,
    panel_width,
    pooled_strip,
)
from .halo import HALO, copy_images, halo_table, pad_images, padded_layout
from .launch import LITTLE_WORK, Launch, Task, address_of
from .masked import aligned, bytes_of
from .planes import fill_zeros
from .simd import lanes_of, pointer_shift, table_at

__all__ = ["Convolution"]

BLOCK = 256  # pixels that a block of small images should have, so that its tiles are full
TASKS = 8  # few images are cut into so many tasks, as far as possible
_HEADER = 13  # numbers of a plan before its tables


@Task
def _pack(arrays, numbers, task, worker):
    """Weights (O, K) of one panel to rows of K, and the bias behind all panels."""
    weights, bias = arrays[0], arrays[1]
    out_channels, depth, pitch, has_bias = numbers[0], numbers[1], numbers[2], numbers[3]
    lanes = lanes_of(weights)
    packed = aligned(arrays[2])
    first = task * 2 * lanes
    width = panel_width(out_channels, first, lanes, numbers[4])
    rows = min(width, out_channels - first)
    panel = pointer_shift(packed, first * depth)
    if rows < width:
        fill_zeros(panel, depth * width)
    transpose(pointer_shift(weights, first * depth), depth, rows, depth, panel, width)
    for j in range(first, first + width):
        packed[pitch * depth + j] = bias[j] if has_bias and j < out_channels else 0


def _convolution(pool, lined=False):
    """The task for a kind of inner loop, so that only those that are needed get compiled."""

    @Task
    def convolution(arrays, numbers, task, worker):
        """One part of the tiles of one block of images."""
        x, packed, out, scratch = arrays[0], aligned(arrays[1]), arrays[2], arrays[4]
        plan, winners, relu = table_at(numbers[0]), bytes_of(arrays[3]), numbers[1]
        images, images_each, parts = plan[0], plan[1], plan[2]
        units, depth, pitch, size = plan[4], plan[5], plan[6], plan[7]
        halo = pointer_shift(plan, _HEADER)
        pixels = pointer_shift(halo, HALO)
        targets = pointer_shift(pixels, plan[8])
        taps = pointer_shift(targets, plan[9])

        first_image, part = task // parts * images_each, task % parts
        block = min(images_each, images - first_image)
        source = pointer_shift(x, first_image * halo[3])
        if halo[12]:
            source = pointer_shift(scratch, worker * size)
            fill_zeros(source, size)
            copy_images(x, halo, first_image, block, 0, halo[1], source)

        lanes, bias = lanes_of(x), pointer_shift(packed, pitch * depth)
        start = first_image * units * pitch
        out, winners = pointer_shift(out, start), pointer_shift(winners, start)
        last = block * units - 1
        if lined:
            tiles = block * units // plan[12]
        else:
            tiles = last // (WINDOWS if pool else PIXELS) + 1
        total = -(-pitch // (2 * lanes)) * tiles
        tile, end = part * total // parts, (part + 1) * total // parts
        while tile < end:
            channel, first = tile // tiles * 2 * lanes, tile % tiles
            stop = min(tiles, first + end - tile)
            width = panel_width(plan[10], channel, lanes, plan[11])
            panel = pointer_shift(packed, channel * depth)
            if lined:
                pooled_lines(
                    source, pixels, first, stop, plan[12], taps, depth, panel, pointer_shift(bias, channel),
                    pointer_shift(out, channel), pitch, relu, pointer_shift(winners, channel), width,
                )  # fmt: skip
            elif pool:
                pooled_strip(
                    source, pixels, first, stop, last, taps, depth, panel, pointer_shift(bias, channel),
                    pointer_shift(out, channel), targets, relu, pointer_shift(winners, channel), width,
                )  # fmt: skip
            else:
                output_strip(
                    source, pixels, first, stop, last, taps, depth, panel, pointer_shift(bias, channel),
                    pointer_shift(out, channel), targets, relu, width,
                )  # fmt: skip
            tile += stop - first

    return convolution


_plain_convolution = _convolution(False)
_pooled_convolution = _convolution(True)
_lined_convolution = _convolution(True, lined=True)


def out_size(size, kernel, stride, padding, dilation) -> tuple[int, int]:
    """Rows and columns of a convolution's output.

    >>> out_size((5, 5), (3, 3), (2, 1), (0, 1), (1, 1))
    (2, 5)
    """
    axes = zip(size, kernel, stride, padding, dilation)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)


def tap_offsets(channels, kernel, dilation, steps) -> np.ndarray:
    """Offset of every tap (channel, row, column) of a kernel from its pixel, in the order of weights.

    >>> tap_offsets(2, (1, 2), (1, 3), (100, 1, 20, 2)).tolist()
    [0, 6, 1, 7]
    """
    axes = zip((channels, *kernel), (1, *dilation), steps[1:])
    c, h, w = (np.arange(count) * dilated * step for count, dilated, step in axes)
    return (c[:, None, None] + h[:, None] + w).ravel()


@functools.lru_cache(maxsize=256)
def forward_plan(shape, steps, weight_shape, stride, padding, dilation, pool, itemsize, tasks) -> Plan:
    """How images of ``shape`` with these steps in elements are convolved, in ``tasks`` tasks at least.

    The header of the plan's table: images, images of a block, parts a block is cut into, pool; units
    (pixels or windows) of an image, depth of a sum, pitch of the output, elements of a block's copy,
    length of the pixels' and of the targets' table; output channels, smallest width of a panel, columns of
    the pooled output if it is formed by lines.
    """
    images, out_channels, kernel = shape[0], weight_shape[0], weight_shape[2:]
    rows, columns = out_size(shape[2:], kernel, stride, padding, dilation)
    halo = halo_table(shape, steps, padding)
    image, _, row, column = halo[7:11]
    if pool:
        rows, columns = rows // 2, columns // 2
        lines = np.arange(rows)[:, None] * 2 + [0, 0, 1, 1]
        places = np.arange(columns)[:, None] * 2 + [0, 1, 0, 1]
    else:
        lines, places = np.arange(rows)[:, None], np.arange(columns)[:, None]
    units = rows * columns
    images_each = max(1, min(images, BLOCK // max(1, units)))
    blocks = -(-images // images_each)
    pitch = channel_pitch(out_channels, itemsize)
    parts = 1 if blocks >= tasks else -(-tasks // blocks)
    pixels = (lines * stride[0] * row)[:, None] + places * stride[1] * column
    pixels = np.add.outer(np.arange(images_each) * image, pixels).ravel()
    targets = np.arange(images_each * units) * pitch
    taps = tap_offsets(shape[1], kernel, dilation, halo[7:11])
    least = least_width(itemsize)
    lined = pool and worth_lines(out_channels, columns, stride, column, itemsize)
    header = [images, images_each, parts, pool, units, len(taps), pitch, images_each * halo[12],
              len(pixels), len(targets), out_channels, least, columns * lined]  # fmt: skip
    table = np.concatenate([header, halo, pixels, targets, taps]).astype(np.int64)
    return Plan(table, blocks * parts, images_each * halo[12], lined)


class Convolution:
    """`conv_block` with one group of channels, prepared for arrays of one geometry that are not empty.

    A convolution of 900 numbers takes 6 microseconds in place of 19.

    >>> one, array = (1, 1), np.ones((1, 1, 2, 2))
    >>> geometry = array.shape, array.strides, array.dtype, (1, 1, 1, 1), False, one, (0, 0), one
    >>> Convolution(*geometry, relu=True, pool=True)(array, np.ones((1, 1, 1, 1)), None)
    (array([[[[1.]]]]), array([[[[0]]]], dtype=uint8))
    """

    def __init__(self, shape, strides, dtype, weight_shape, has_bias, stride, padding, dilation, relu, pool):
        size, itemsize = out_size(shape[2:], weight_shape[2:], stride, padding, dilation), dtype.itemsize
        geometry = (shape[2:], weight_shape[2:], stride, padding, dilation, size)
        listed = not pool and worth_lists(shape[0], geometry)
        work = float(math.prod(weight_shape)) * shape[0] * math.prod(size)
        tasks = 1 if work < LITTLE_WORK else TASKS
        self._padding = padding if padding != (0, 0) and shape[0] < tasks else None
        if self._padding:  # several tasks share an image: copy it once
            _, _, _, shape, strides = padded_layout(shape, strides, dtype, padding)
            padding = (0, 0)
        steps, out_channels = tuple(step // itemsize for step in strides), weight_shape[0]
        if listed:
            plan = list_plan(shape, steps, out_channels, geometry, itemsize)
        else:
            plan = forward_plan(shape, steps, weight_shape, stride, padding, dilation, pool, itemsize, tasks)
        self._plan, self._dtype, self._pool = plan, dtype, pool  # the plan holds the table that kernels read
        self._shape = (shape[0], out_channels, size[0] // (1 + pool), size[1] // (1 + pool))

        depth, vector = math.prod(weight_shape[1:]), channel_pitch(1, itemsize)
        pitch = channel_pitch(out_channels, itemsize)
        self._steps = self._shape[2] * self._shape[3] * pitch, 1, self._shape[3] * pitch, pitch
        least = vector if listed else least_width(itemsize)
        self._packed = pitch * (depth + 1) + vector
        self._pack = Launch(_pack, dtype, (out_channels, depth, pitch, int(has_bias), least),
                            -(-pitch // (2 * vector)), 8.0 * math.prod(weight_shape))
        if listed:
            task = convolve_lists
        elif plan.lined:
            task = _lined_convolution
        else:
            task = _pooled_convolution if pool else _plain_convolution
        numbers = address_of(plan.table), int(relu)
        self._run = Launch(task, dtype, numbers, plan.tasks, work, plan.scratch or 1)

    def __call__(self, x, weight, bias):
        if self._padding:
            x = pad_images(x, self._padding)
        dtype = self._dtype
        out, packed = empty_channels_last(self._shape, dtype), np.empty(self._packed, dtype)
        weight = np.ascontiguousarray(weight)
        self._pack(weight, weight if bias is None else np.ascontiguousarray(bias), packed)
        winners = np.empty(out.strides[0] // dtype.itemsize * len(out), np.uint8) if self._pool else out
        self._run(x, packed, out, winners)
        return out, np.ndarray(out.shape, np.uint8, winners, 0, self._steps) if self._pool else None
