"""Convolution of many small images: only pixels that meet a tap of the kernel are multiplied.

In small images the padding is a large part of what `conv` computes: for a 5 x 5 kernel with stride 2 on
4 x 4 pixels, half of the products.  Here every output pixel has its own list of the taps that reach
the image (see `tap_table`), so that nothing is padded and a stride costs nothing.  The vectors run over
other axes than the pixels, after a transposition:

- Output and input gradient: over 2 vectors of images, side by side; rows are output channels.
- Weight gradient: over the input channels; rows are output channels, one tile for each tap.

The weights (and the output's gradient for the weight gradient) are read in place.  Threads share the
output channels and the blocks of images, and no sum is cut between them: the results do not depend on
their number.
"""

from __future__ import annotations

import functools

import numpy as np

from .cpu import VECTOR_BYTES, lanes
from .jit import part
from .launch import Task, address_of, get_num_threads, launch
from .micro import ROWS, taps_tile
from .planes import fill_zeros
from .simd import (
    lanes_of,
    pointer_shift,
    table_at,
    transpose_block,
    vector_add,
    vector_load,
    vector_store,
)

__all__ = ["correlate_taps", "correlate_weight_taps", "worth_taps", "worth_weight_taps"]

CACHE = 2**20  # bytes of a second-level cache, which should hold what is transposed
DEPTH = 512  # products of a weight gradient that are summed up at a time: short sums lose fewer digits
FULL = 0.85  # tiles must be as full, relative to the share of products inside the image


def _meetings(size, kernel, stride, padding, dilation, count):
    """All (tap, output, input) that meet along one axis, as three arrays."""
    tap, output = (places.ravel() for places in np.indices((kernel, count)))
    place = output * stride + tap * dilation - padding
    inside = (place >= 0) & (place < size)
    return tap[inside], output[inside], place[inside]


@functools.lru_cache(maxsize=64)
def tap_table(geometry, target, factors):
    """Which taps, output pixels and input pixels meet.

    Arguments:
        geometry: size, kernel, stride, padding, dilation and output size, each a pair (rows, columns).
        target: 0, 1 or 2: one list for each tap, output pixel or input pixel.
        factors: what the numbers of the other two, in this order, are multiplied with.

    Returns an int64 array with a row for each list: its length, then its pairs.
    """
    size, kernel, out_size = geometry[0], geometry[1], geometry[5]
    axes = zip(*map(_meetings, *geometry))
    widths = (kernel[1], out_size[1], size[1])
    pairs = zip(axes, widths)
    numbers = [np.add.outer(rows * width, columns).ravel() for (rows, columns), width in pairs]
    lists = numbers.pop(target)
    order = np.argsort(lists, kind="stable")
    lists, first, second = lists[order], *(number[order] for number in numbers)
    counts = np.bincount(lists, minlength=np.prod((kernel, out_size, size)[target]))
    table = np.zeros((len(counts), 1 + 2 * counts.max()), np.int64)
    table[:, 0] = counts
    place = 1 + 2 * (np.arange(len(lists)) - np.repeat(np.cumsum(counts) - counts, counts))
    table[lists, place] = first * factors[0]
    table[lists, place + 1] = second * factors[1]
    return table


@part
def _transpose(source, source_step, rows, columns, target, target_step):
    """``target[j * target_step + i] = source[i * source_step + j]`` for i < rows and j < columns."""
    lanes = lanes_of(source)
    whole_rows, whole_columns = rows - rows % lanes, columns - columns % lanes
    for j in range(0, whole_columns, lanes):
        for i in range(0, whole_rows, lanes):
            block = pointer_shift(source, i * source_step + j)
            transpose_block(block, source_step, pointer_shift(target, j * target_step + i), target_step)
    for i in range(rows):
        for j in range(0 if i >= whole_rows else whole_columns, columns):
            target[j * target_step + i] = source[i * source_step + j]


@Task
def _correlate(arrays, numbers, task, worker):
    """Output channels of one part, for one block of images."""
    source, weights, bias, out, scratch = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    table, list_size = table_at(numbers[0]), numbers[1]
    images, groups, channels, out_channels, parts = (
        numbers[2], numbers[3], numbers[4], numbers[5], numbers[6],
    )  # fmt: skip
    pixels, out_pixels, bias_step = numbers[7], numbers[8], numbers[9]
    row_step, channel_step, group_step = numbers[10], numbers[11], numbers[12]
    width = 2 * lanes_of(source)

    first_image, part = task // parts * width, task % parts
    block = min(width, images - first_image)
    panels = -(-out_channels // ROWS)
    first_unit, last_unit = part * groups * panels // parts, (part + 1) * groups * panels // parts
    first_group, last_group = first_unit // panels, (last_unit - 1) // panels + 1
    biases = pointer_shift(scratch, worker * numbers[13])
    strip = pointer_shift(biases, ROWS * width)
    planes = pointer_shift(strip, ROWS * out_pixels * width)
    size = (last_group - first_group) * channels * pixels
    if block < width:
        fill_zeros(planes, size * width)
    image_size = groups * channels * pixels
    first = first_image * image_size + first_group * channels * pixels
    _transpose(pointer_shift(source, first), image_size, block, size, planes, width)

    for unit in range(first_unit, last_unit):
        group, row = unit // panels, unit % panels * ROWS
        rows = min(ROWS, out_channels - row)
        first_out = group * out_channels + row
        for r in range(rows):
            for j in range(width):
                biases[r * width + j] = bias[(first_out + r) * bias_step]
        panel = pointer_shift(weights, group * group_step + row * row_step)
        view = pointer_shift(planes, (group - first_group) * channels * pixels * width)
        for pixel in range(out_pixels):
            taps = pointer_shift(table, pixel * list_size)
            taps_tile(
                panel, row_step, channel_step, rows - 1, view, pixels * width, pointer_shift(taps, 1),
                taps[0], channels, biases, width, pointer_shift(strip, pixel * width),
                out_pixels * width, block,
            )  # fmt: skip
        out_size = groups * out_channels * out_pixels
        target = pointer_shift(out, first_image * out_size + first_out * out_pixels)
        _transpose(strip, width, rows * out_pixels, block, target, out_size)


@Task
def _correlate_weight(arrays, numbers, task, worker):
    """The weight gradient of one part of the output channels."""
    x, grad, out, scratch = arrays[0], arrays[1], arrays[2], arrays[3]
    table, list_size, taps = table_at(numbers[0]), numbers[1], numbers[2]
    images, groups, channels, out_channels = numbers[3], numbers[4], numbers[5], numbers[6]
    pixels, out_pixels, images_each, pitch = numbers[7], numbers[8], numbers[9], numbers[10]
    lanes, parts = lanes_of(x), numbers[11]

    panels = -(-out_channels // ROWS)
    first_unit, last_unit = task * groups * panels // parts, (task + 1) * groups * panels // parts
    sums_size = taps * ROWS * pitch
    sums = pointer_shift(scratch, worker * numbers[12])
    zeros = pointer_shift(sums, -(-groups * panels // parts) * sums_size)
    tile = pointer_shift(zeros, 2 * lanes)
    planes = pointer_shift(tile, ROWS * 2 * lanes)
    fill_zeros(zeros, 2 * lanes)
    fill_zeros(sums, (last_unit - first_unit) * sums_size)
    fill_zeros(planes, images_each * pixels * pitch)
    image_size, out_size = groups * channels * pixels, groups * out_channels * out_pixels
    for first in range(0, images, images_each):
        block = min(images_each, images - first)
        last_group = -1
        for unit in range(first_unit, last_unit):
            group, row = unit // panels, unit % panels * ROWS
            rows = min(ROWS, out_channels - row)
            if group != last_group:
                for n in range(block):
                    image = pointer_shift(x, (first + n) * image_size + group * channels * pixels)
                    plane = pointer_shift(planes, n * pixels * pitch)
                    _transpose(image, pixels, channels, pixels, plane, pitch)
                last_group = group
            lines = pointer_shift(grad, first * out_size + (group * out_channels + row) * out_pixels)
            for c in range(0, channels, 2 * lanes):
                view = pointer_shift(planes, c)
                for tap in range(taps):
                    pairs = pointer_shift(table, tap * list_size)
                    taps_tile(
                        lines, out_pixels, out_size, rows - 1, view, pixels * pitch,
                        pointer_shift(pairs, 1), pairs[0], block, zeros, 0, tile, 2 * lanes,
                        channels - c,
                    )  # fmt: skip
                    place = (unit - first_unit) * sums_size + tap * pitch + c
                    for r in range(rows):
                        line = pointer_shift(sums, place + r * taps * pitch)
                        for j in range(0, min(2 * lanes, pitch - c), lanes):
                            total = vector_load(tile, r * 2 * lanes + j, None)
                            vector_store(line, j, vector_add(vector_load(line, j, None), total), None)
    for unit in range(first_unit, last_unit):
        group, row = unit // panels, unit % panels * ROWS
        for r in range(min(ROWS, out_channels - row)):
            source = pointer_shift(sums, (unit - first_unit) * sums_size + r * taps * pitch)
            target = pointer_shift(out, (group * out_channels + row + r) * channels * taps)
            _transpose(source, pitch, taps, channels, target, taps)


@functools.lru_cache(maxsize=256)
def _full_enough(geometry, gradient=False):
    """The share of a tile that must be in use to repay it.

    Planes multiply the padding, too, of which `tap_table` has none; and rows of 4 pixels or fewer take
    long to copy there.  ``gradient`` says that it is the input's gradient.
    """
    share, shortest = FULL, min(min(geometry[0]), min(geometry[5]))
    for size, kernel, stride, padding, dilation, count in zip(*geometry):
        products = kernel * (size / stride if gradient else count)
        share *= len(_meetings(size, kernel, stride, padding, dilation, count)[0]) / products
    return share / 2 if shortest <= 4 else share


def _filled(count, unit):
    """The share of whole units that ``count`` fills."""
    return count / (-(-count // unit) * unit)


def worth_taps(source, out, geometry, groups, gradient):
    """Whether `correlate_taps` is faster than planes: small maps, and tiles that are nearly full.

    Measured for 5 x 5 kernels with stride 2 on 32 images of 64 x 4 x 4: 0.27 instead of 0.97 ms; for
    3 x 3 kernels on 64 images of 64 x 16 x 16, which leave the cache, 13.9 instead of 13.5 ms.
    """
    filled = _filled(len(out), lanes(out.itemsize)) * _filled(out.shape[1] // groups, ROWS)
    pixel = 2 * VECTOR_BYTES
    planes = source.shape[1] * source[0, 0].size * pixel
    needed = _full_enough(geometry, gradient)
    return filled >= needed and planes * needed <= CACHE and ROWS * out[0, 0].size * pixel <= CACHE // 2


def worth_weight_taps(x, grad, geometry, groups):
    """Whether `correlate_weight_taps` is faster than planes: see `worth_taps`.

    Measured for the same two examples: 0.40 instead of 1.68 ms, 10.9 instead of 16.3 ms.
    """
    channels, out_channels = x.shape[1] // groups, grad.shape[1] // groups
    filled = _filled(channels, lanes(x.itemsize)) * _filled(out_channels, ROWS)
    image = channels * x[0, 0].size * x.itemsize
    return image <= CACHE and filled >= _full_enough(geometry)


def correlate_taps(source, weights, bias, out, geometry, groups, gradient):
    """Fill ``out`` with the convolution of ``source``, or with the gradient with respect to the input.

    Arguments:
        source: (N, C, H, W), the images or the output's gradient.
        weights: (O, C / groups, KH, KW), contiguous.
        bias: one number for each channel of ``out``, or None.
        out: C-contiguous (N, C', H', W').
        geometry: as for `tap_table`.
        groups: number of groups.
        gradient: whether ``source`` is the output's gradient.
    """
    source = np.ascontiguousarray(source)
    width = 2 * lanes(out.itemsize)
    table = tap_table(geometry, 2 if gradient else 1, (1, width))
    images, channels_out, *_ = out.shape
    channels, out_channels = source.shape[1] // groups, channels_out // groups
    pixels, out_pixels = source[0, 0].size, out[0, 0].size
    taps = weights[0, 0].size
    # Steps between the weights of two rows and of two channels of ``source``.
    steps = (taps, out_channels * taps) if gradient else (channels * taps, taps)
    blocks, panels = -(-images // width), groups * -(-out_channels // ROWS)
    parts = min(panels, -(-get_num_threads() // blocks))
    scratch = width * (ROWS + ROWS * out_pixels + groups * channels * pixels)
    numbers = (
        address_of(table), table.shape[1], images, groups, channels, out_channels, parts, pixels,
        out_pixels, 0 if bias is None else 1, *steps, channels * out_channels * taps, scratch,
    )  # fmt: skip
    arrays = (source, weights, np.zeros(1, out.dtype) if bias is None else bias, out)
    work = weights.size * images * min(pixels, out_pixels)
    launch(_correlate, arrays, numbers, blocks * parts, work, scratch)
    return out


def correlate_weight_taps(x, grad, weight_shape, geometry, groups):
    """The gradient of a convolution with respect to its weight, of shape ``weight_shape``.

    Arguments:
        x: (N, C, H, W).
        grad: (N, O, OH, OW).
        geometry, groups: as for `correlate_taps`.
    """
    x, grad = np.ascontiguousarray(x), np.ascontiguousarray(grad)
    out = np.empty(weight_shape, x.dtype)
    images, channels, taps = len(x), weight_shape[1], out[0, 0].size
    out_channels, pixels, out_pixels = len(out) // groups, x[0, 0].size, grad[0, 0].size
    vector = lanes(x.itemsize)
    pitch = -(-channels // vector) * vector
    table = tap_table(geometry, 0, (1, pitch))
    images_each = max(1, min(images, DEPTH // out_pixels))
    panels = groups * -(-out_channels // ROWS)
    parts = min(panels, get_num_threads())
    sums = -(-panels // parts) * taps * ROWS * pitch
    scratch = sums + (1 + ROWS) * 2 * vector + images_each * pixels * pitch
    numbers = (
        address_of(table), table.shape[1], taps, images, groups, channels, out_channels, pixels,
        out_pixels, images_each, pitch, parts, scratch,
    )  # fmt: skip
    launch(_correlate_weight, (x, grad, out), numbers, parts, out.size * images * out_pixels, scratch)
    return out
