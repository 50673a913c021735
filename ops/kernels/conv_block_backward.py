"""Gradients of a convolution block with respect to its input, weight and bias, in one sweep.

For each block of images the output's gradient is first undone through pooling and relu into scratch
memory that stays in the second-level cache; its sum is the bias's gradient.  Then come the weight's
gradient (rows: taps, vectors: output channels, a sum over pixels) and the input's (rows: input pixels,
vectors: input channels, a sum over taps and output channels).

The images are cut into a number of splits that depends on shapes alone.  Each split has its own sums
over pixels, which are added in order at the end: the same bits for any number of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .channels_last import (
    as_written,
    channel_pitch,
    empty_channels_last,
    to_channels_last,
    transpose,
)
from .conv_block_plan import HEADER, LISTS, PHASE, backward_plan
from .conv_dots import dotted_input, pack_dots
from .conv_lists import listed_input, listed_weight
from .conv_strips import PIXELS, TAPS, output_strip, panel_width, weight_strip
from .halo import HALO, copy_images, element_steps
from .jit import part
from .launch import Task, address_of, launch
from .masked import (
    aligned,
    bytes_of,
    spread_window,
    vector_where_positive,
    vector_zeros,
)
from .planes import fill_zeros
from .simd import (
    lanes_of,
    pointer_shift,
    table_at,
    vector_add,
    vector_load,
    vector_store,
)

__all__ = ["convolve_backward"]

REDUCED = 64  # taps that one task of the last step adds up, about


@Task
def _pack(arrays, numbers, task, worker):
    """Weights (O, C, T) to panels of input channels: for every phase rows (output channel, tap)."""
    weights, packed, scratch = arrays[0], aligned(arrays[1]), arrays[2]
    out_channels, channels, taps, pitch = numbers[0], numbers[1], numbers[2], numbers[3]
    phases, lists = numbers[4], table_at(numbers[5])
    lanes = lanes_of(weights)
    first = task * 2 * lanes
    width = panel_width(channels, first, lanes, numbers[6])
    rows = min(width, channels - first)
    turned = pointer_shift(scratch, worker * taps * 2 * lanes)
    fill_zeros(turned, taps * width)
    for o in range(out_channels):
        weight = pointer_shift(weights, (o * channels + first) * taps)
        target = packed
        if phases == 1:
            target = pointer_shift(target, (first * out_channels + o * width) * taps)
            if rows < width:
                fill_zeros(target, taps * width)
            transpose(weight, taps, rows, taps, target, width)
            continue
        transpose(weight, taps, rows, taps, turned, width)
        entry = lists
        for _ in range(phases):
            count = entry[0]
            line = pointer_shift(target, (first * out_channels + o * width) * count)
            for t in range(count):
                source = pointer_shift(turned, entry[1 + t] * width)
                for j in range(0, width, lanes):
                    vector_store(line, t * width + j, vector_load(source, j, None), None)
            target = pointer_shift(target, out_channels * count * pitch)
            entry = pointer_shift(entry, 1 + count)


@part
def _spread(grad, steps, out, winners, out_steps, plan, relu, count, target, sums):
    """One vector of channels of one image's gradient into scratch memory, undone through relu and pool.

    Only the first ``count`` channels are read, all if it is None.  The sum of all goes to ``sums``.
    """
    rows, columns, pool, row_step, pitch = plan[6], plan[7], plan[8], plan[9], plan[5]
    total = vector_zeros(grad)
    if pool:
        rows, columns = rows // 2, columns // 2
    for i in range(rows):
        for j in range(columns):
            value = vector_load(grad, i * steps[2] + j * steps[3], count)
            place = i * out_steps[0] + j * out_steps[1]
            if relu:
                value = vector_where_positive(value, vector_load(out, place, None))
            total = vector_add(total, value)
            if pool:
                window = pointer_shift(target, 2 * (i * row_step + j * pitch))
                spread_window(value, pointer_shift(winners, place), window, row_step, pitch)
            else:
                vector_store(target, i * row_step + j * pitch, value, None)
    vector_store(sums, 0, vector_add(vector_load(sums, 0, None), total), None)


@part
def _spread_block(grad, steps, out, winners, plan, relu, first, block, target, sums):
    """The gradient of a block of images into scratch memory, and its sums over pixels."""
    out_channels, pitch, columns, pool = plan[4], plan[5], plan[7], plan[8]
    lanes = lanes_of(grad)
    shift = 1 if pool else 0
    out_steps = (columns >> shift) * pitch, pitch
    out_image = (plan[6] >> shift) * out_steps[0]
    for n in range(block):
        image = pointer_shift(grad, (first + n) * steps[0])
        for c in range(0, pitch, lanes):
            start = (first + n) * out_image + c
            line, value, winner = pointer_shift(image, c), pointer_shift(out, start), winners
            if pool:
                winner = pointer_shift(winners, start)
            place = pointer_shift(target, n * plan[10] + plan[11] + c)
            total = pointer_shift(sums, c)
            if c + lanes <= out_channels:
                _spread(line, steps, value, winner, out_steps, plan, relu, None, place, total)
            else:
                _spread(
                    line, steps, value, winner, out_steps, plan, relu, out_channels - c, place, total
                )


@part
def _weight_part(source, halo, plan, part, block, grad, partials, zeros, fresh):
    """Add a block of images to a part of the weight's gradient, which starts at zero if it is ``fresh``."""
    lanes, pitch, depth, parts = lanes_of(source), plan[5], plan[13], plan[2]
    tiles = -(-depth // TAPS)
    total = -(-pitch // (2 * lanes)) * tiles
    taps = pointer_shift(halo, HALO)
    rows, columns = plan[6], plan[7]
    if plan[8]:
        rows, columns = rows - rows % 2, columns - columns % 2
    x_steps, grad_steps = (halo[7], plan[14], plan[15]), (plan[10], plan[9], pitch)
    lines_each = plan[24] if block == 1 else rows  # the lines of several images do not follow each other
    for line in range(0, rows, lines_each):
        x, g = pointer_shift(source, line * x_steps[1]), pointer_shift(grad, plan[11] + line * grad_steps[1])
        counts = block, min(lines_each, rows - line), columns
        starts = fresh and line == 0
        tile, end = part * total // parts, (part + 1) * total // parts
        while tile < end:
            channel, first = tile // tiles * 2 * lanes, tile % tiles
            stop = min(tiles, first + end - tile)
            width = panel_width(plan[4], channel, lanes, plan[21])
            sums = pointer_shift(partials, channel * depth)
            weight_strip(
                x, taps, first, stop, depth - 1, x_steps, pointer_shift(g, channel), grad_steps, counts,
                zeros if starts else sums, 0 if starts else width, sums, width,
            )  # fmt: skip
            tile += stop - first


@part
def _input_part(grad, plan, channels, phases, part, first_image, block, packed, zeros, sums, out):
    """A part of the tiles of the input's gradient of a block of images."""
    lanes, pitch, parts = lanes_of(grad), plan[17], plan[2]
    tables = pointer_shift(phases, PHASE * plan[16])
    out = pointer_shift(out, first_image * plan[18])
    for number in range(plan[16]):
        phase = pointer_shift(phases, PHASE * number)
        count, depth = block * phase[0], phase[1]
        if count == 0:
            continue
        if plan[22]:
            dotted_input(
                grad, pointer_shift(tables, phase[2]), count, pointer_shift(tables, phase[4]), depth,
                plan[5], pointer_shift(packed, phase[5]), sums, out, pointer_shift(tables, phase[3]),
                channels, part, parts,
            )  # fmt: skip
            continue
        tiles = -(-count // PIXELS)
        total = -(-pitch // (2 * lanes)) * tiles
        tile, end = part * total // parts, (part + 1) * total // parts
        while tile < end:
            channel, first = tile // tiles * 2 * lanes, tile % tiles
            stop = min(tiles, first + end - tile)
            output_strip(
                grad, pointer_shift(tables, phase[2]), first, stop, count - 1,
                pointer_shift(tables, phase[4]), depth,
                pointer_shift(packed, phase[5] + channel * depth), zeros,
                pointer_shift(out, channel), pointer_shift(tables, phase[3]), 0,
                panel_width(channels, channel, lanes, plan[21]),
            )  # fmt: skip
            tile += stop - first


def _gradients(listed):
    """The task with or without lists, so that only the inner loops that are needed get compiled."""

    @Task
    def gradients(arrays, numbers, task, worker):
        """One part of the gradients of one split of the images."""
        grad, x, out, packed = arrays[0], arrays[1], arrays[2], aligned(arrays[3])
        dx, partials, bias_partials = arrays[4], aligned(arrays[5]), arrays[6]
        zeros, winners, scratch = arrays[7], bytes_of(arrays[8]), arrays[9]
        plan, relu, steps = table_at(numbers[0]), numbers[1], pointer_shift(numbers, 2)
        need_input, need_weight = numbers[6], numbers[7]
        images, splits, parts, images_each = plan[0], plan[1], plan[2], plan[3]
        pitch, depth = plan[5], plan[13]
        halo = pointer_shift(plan, HEADER)
        phases = pointer_shift(halo, HALO + depth)
        channels = halo[0]
        taps, lists = depth // channels, pointer_shift(phases, LISTS)

        split, part = task // parts, task % parts
        spread = aligned(pointer_shift(scratch, worker * numbers[8]))
        copies = pointer_shift(spread, plan[12])
        fill_zeros(spread, plan[12] + plan[19])
        # All parts of a split form the sums over the pixels, the first one's count.
        sums = pointer_shift(bias_partials, task * pitch)
        fill_zeros(sums, pitch)
        partials = pointer_shift(partials, split * depth * pitch)
        first_image, last_image = split * images // splits, (split + 1) * images // splits
        for first in range(first_image, last_image, images_each):
            block, fresh = min(images_each, last_image - first), first == first_image
            _spread_block(grad, steps, out, winners, plan, relu, first, block, spread, sums)
            if need_weight:
                source = pointer_shift(x, first * halo[3])
                if plan[19]:
                    source = copies
                    copy_images(x, halo, first, block, 0, halo[1], source)
                if listed:
                    listed_weight(
                        source, halo[7], lists, phases[0], taps, channels, part, parts, block, spread,
                        plan[10], partials, pitch, zeros, fresh,
                    )  # fmt: skip
                else:
                    _weight_part(source, halo, plan, part, block, spread, partials, zeros, fresh)
            if need_input:
                if listed:
                    listed_input(
                        spread, plan[10], pointer_shift(lists, phases[1]), phases[2], phases[3], taps,
                        plan[4], part, parts, block, packed, zeros, pointer_shift(dx, first * plan[18]),
                        halo[1] * halo[2], plan[17],
                    )  # fmt: skip
                else:
                    _input_part(
                        spread, plan, channels, phases, part, first, block, packed, zeros,
                        pointer_shift(copies, plan[19]), dx,
                    )  # fmt: skip

    return gradients


_direct_gradients = _gradients(False)
_listed_gradients = _gradients(True)


@part
def _add_splits(sums, count, splits, split_step):
    """Add ``count`` elements, and no more, of all other splits to the first one's."""
    lanes = lanes_of(sums)
    whole = count - count % lanes
    for j in range(0, whole, lanes):
        total = vector_load(sums, j, None)
        for split in range(1, splits):
            total = vector_add(total, vector_load(sums, split * split_step + j, None))
        vector_store(sums, j, total, None)
    for j in range(whole, count):
        for split in range(1, splits):
            sums[j] += sums[split * split_step + j]


@Task
def _add_up(arrays, numbers, task, worker):
    """Add the partial sums of some input channels and one panel in order, and write them as (O, K)."""
    partials, bias_partials, out, bias = aligned(arrays[0]), arrays[1], arrays[2], arrays[3]
    splits, parts, depth, pitch = numbers[0], numbers[1], numbers[2], numbers[3]
    out_channels, chunks, need_bias = numbers[4], numbers[5], numbers[6]
    channels, by_place, each = numbers[8], numbers[9], numbers[10]
    lanes, taps = lanes_of(partials), depth // channels
    if need_bias and task == 0:
        for o in range(out_channels):
            total = bias_partials[o]
            for split in range(1, splits):
                total += bias_partials[split * parts * pitch + o]
            bias[o] = total
    first, channel = task // chunks * 2 * lanes, task % chunks * each
    count = min(each, channels - channel)
    width = panel_width(out_channels, first, lanes, numbers[7])
    rows, split_step = min(width, out_channels - first), depth * pitch
    sums, target = pointer_shift(partials, first * depth), pointer_shift(out, first * depth + channel * taps)
    if not by_place:
        sums = pointer_shift(sums, channel * taps * width)
        _add_splits(sums, count * taps * width, splits, split_step)
        transpose(sums, width, count * taps, rows, target, depth)
        return
    sums = pointer_shift(sums, channel * width)
    for tap in range(taps):
        _add_splits(pointer_shift(sums, tap * channels * width), count * width, splits, split_step)
    for c in range(count):
        of_channel = pointer_shift(sums, c * width)
        transpose(of_channel, channels * width, taps, rows, pointer_shift(target, c * taps), depth)


@functools.cache
def _zeros(dtype):
    """Two vectors of zeros."""
    return np.zeros(2 * channel_pitch(1, dtype.itemsize), dtype)


def _packed_weights(weight, plan):
    """Weights for the input's gradient, packed by `_pack`."""
    out_channels, channels = weight.shape[:2]
    taps = weight[0, 0].size
    vector = channel_pitch(1, weight.itemsize)
    packed = np.empty(plan.packed + vector, weight.dtype)
    if plan.dots:
        numbers = (out_channels, channels, taps, plan.pitch, plan.phases, address_of(plan.taps))
        launch(pack_dots, (weight, packed), numbers, 1, 8.0 * weight.size)
        return packed
    numbers = (
        out_channels, channels, taps, plan.in_pitch, plan.phases, address_of(plan.taps),
        plan.least,
    )  # fmt: skip
    panels, scratch = -(-plan.in_pitch // (2 * vector)), taps * 2 * vector
    launch(_pack, (weight, packed), numbers, panels, 8.0 * weight.size, scratch)
    return packed


def convolve_backward(grad, x, weight, out, places, stride, padding, dilation, relu, needs):
    """`conv_block_backward` with one group of channels, for arrays that are not empty.

    >>> x, weight = np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 3.0)
    >>> convolve_backward(x, x, weight, None, None, (1, 1), (0, 0), (1, 1), False, (True, True, True))
    (array([[[[3.]]]]), array([[[[1.]]]]), array([1.]))
    """
    need_input, need_weight, need_bias = needs
    pool, shape, dtype = places is not None, x.shape, x.dtype
    size = dtype.itemsize
    weight = np.ascontiguousarray(weight)
    if grad.strides[1] != size and len(weight) > 1:
        grad = to_channels_last(grad)
    plan = backward_plan(
        shape, element_steps(x), weight.shape, stride, padding, dilation, pool, size
    )
    vector = channel_pitch(1, size)
    out, places = as_written(out if relu else None, plan.pitch), as_written(places, plan.pitch)
    nothing = np.empty(vector, dtype)
    packed = _packed_weights(weight, plan) if need_input else nothing
    dx = empty_channels_last(shape, dtype) if need_input else nothing
    tasks = plan.splits * plan.parts
    partials = np.empty(plan.splits * plan.depth * plan.pitch + vector, dtype) if need_weight else nothing
    bias_partials = np.empty(tasks * plan.pitch, dtype)
    numbers = (
        address_of(plan.table), int(relu), *element_steps(grad),
        int(need_input), int(need_weight), plan.scratch,
    )  # fmt: skip
    work = float(weight.size) * grad[:, 0].size * (4 if pool else 1) * (need_input + need_weight)
    arrays = (grad, x, grad if out is None else out, packed, dx, partials, bias_partials, _zeros(dtype),
              places if pool else grad)  # fmt: skip
    task = _listed_gradients if plan.listed else _direct_gradients
    launch(task, arrays, numbers, tasks, work, plan.scratch)
    dw = np.empty(weight.shape, dtype) if need_weight else None
    db = np.empty(len(weight), dtype) if need_bias else None
    if need_weight:
        channels = shape[1]
        each = max(1, REDUCED // (plan.depth // channels))
        chunks = -(-channels // each)
        numbers = (plan.splits, plan.parts, plan.depth, plan.pitch, len(weight), chunks, int(need_bias),
                   plan.least, channels, int(plan.by_place), each)  # fmt: skip
        panels = -(-plan.pitch // (2 * vector))
        arrays = (partials, bias_partials, dw, nothing if db is None else db)
        launch(_add_up, arrays, numbers, panels * chunks, 4.0 * plan.splits * weight.size)
    elif need_bias:
        bias_partials.reshape(tasks, plan.pitch)[:: plan.parts, : len(weight)].sum(axis=0, out=db)
    return dx if need_input else None, dw, db
