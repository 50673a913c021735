"""Convolution of images (N, C, H, W) and its two gradients, for float32 and float64 arrays of any
strides.

Output and input gradient are the same computation with another plan (see `correlation`): rows of weights
times shifted views of padded planes, in `outer_tile`.  The weight gradient is a table of dot products
between planes of the input and of the output's gradient, in `dot_tile`; its sums are formed in a fixed
number of parts, which are added in order.  Many small images go tap by tap instead (see `conv_taps`),
wherever that is faster.  No result depends on the number of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .conv_taps import correlate_taps, correlate_weight_taps, worth_taps, worth_weight_taps
from .correlation import input_plan, output_plan, output_size
from .cpu import lanes
from .launch import Task, address_of, get_num_threads, launch
from .micro import DOT_COLUMNS, DOT_ROWS, FEW_ROWS, ROWS, SUMS, dot_tile, outer_tile
from .planes import copy_block, copy_line, fill_zeros, write_map
from .simd import lanes_of, offsets_by_step, offsets_from_table, pointer_shift, table_at

__all__ = ["conv2d", "conv2d_input", "conv2d_weight"]

BLOCK_PIXELS = 512  # a strip of 8 rows of float32 fills half of a 32 KiB first-level cache
DOT_PIXELS = 1024  # 4 rows of float32 fill half of it
SPLITS = 8  # partial sums of a weight gradient, at most


@Task
def _correlate(arrays, numbers, task, worker):
    """Output channels of one part, for one block of images."""
    source, weights, bias = arrays[0], arrays[1], arrays[2]
    out, zeros, scratch = arrays[3], arrays[4], arrays[5]
    plan, steps = table_at(numbers[0]), pointer_shift(numbers, 1)
    images, groups, out_channels, parts = numbers[5], numbers[6], numbers[7], numbers[8]
    bias_step, channel_size, strip_pitch = numbers[9], numbers[10], numbers[11]
    images_each, channels, pitch, image = plan[0], plan[1], plan[10], plan[11]
    rows, columns = plan[13], plan[14]
    first_phase = 16 + plan[4] + plan[5]
    lanes = lanes_of(source)

    first_image = task // parts * images_each
    block = min(images_each, images - first_image)
    panels = -(-out_channels // ROWS)
    part = task % parts
    first_unit, last_unit = part * groups * panels // parts, (part + 1) * groups * panels // parts
    if first_unit == last_unit:
        return
    first_group, last_group = first_unit // panels, (last_unit - 1) // panels + 1
    planes = pointer_shift(scratch, worker * numbers[12])
    strip = pointer_shift(planes, numbers[12] - ROWS * strip_pitch)
    copy_block(
        source, steps, plan, first_image, block,
        first_group * channels, (last_group - first_group) * channels, channel_size, planes,
    )  # fmt: skip

    for unit in range(first_unit, last_unit):
        group, first_row = unit // panels, unit % panels * ROWS
        panel_rows = min(ROWS, out_channels - first_row)
        first_out = group * out_channels + first_row
        phase_weights = weights
        for index in range(plan[15]):
            phase = pointer_shift(plan, first_phase + 9 * index)
            table, depth = pointer_shift(plan, phase[0]), phase[1]
            view = pointer_shift(planes, (group - first_group) * channels * channel_size + phase[2])
            panel = pointer_shift(phase_weights, first_out * depth)
            count = (block - 1) * image + (phase[5] - 1) * pitch + phase[8]
            width = 4 * lanes if panel_rows <= FEW_ROWS else 2 * lanes
            for q in range(0, count, width):
                rest = count - q
                tile_columns = lanes if rest <= lanes else 2 * lanes if rest <= 2 * lanes else width
                outer_tile(
                    panel, depth, 1, panel_rows - 1, pointer_shift(view, q), table, depth,
                    zeros, 0, pointer_shift(strip, q), strip_pitch, tile_columns,
                )  # fmt: skip
            for r in range(panel_rows):
                value = bias[(first_out + r) * bias_step]
                for n in range(block):
                    map_number = (first_image + n) * groups * out_channels + first_out + r
                    target = pointer_shift(out, map_number * rows * columns)
                    line = pointer_shift(strip, r * strip_pitch + n * image)
                    write_map(line, value, plan, phase, target)
            phase_weights = pointer_shift(phase_weights, groups * out_channels * depth)


@Task
def _correlate_weight(arrays, numbers, task, worker):
    """One partial sum of the weight gradient: the images of one split, output channels of one part."""
    x, grad, partials, scratch = arrays[0], arrays[1], arrays[2], arrays[3]
    plan, steps, grad_steps = table_at(numbers[0]), pointer_shift(numbers, 1), pointer_shift(numbers, 5)
    images, groups, out_channels, parts, splits = (
        numbers[9],
        numbers[10],
        numbers[11],
        numbers[12],
        numbers[13],
    )
    channel_size, grad_pitch = numbers[14], numbers[15]
    images_each, channels, pitch, image = plan[0], plan[1], plan[10], plan[11]
    rows, columns = plan[13], plan[14]
    phase = pointer_shift(plan, 16 + plan[4] + plan[5])
    table, depth = pointer_shift(plan, phase[0]), phase[1]

    split, part = task // parts, task % parts
    first_image, last_image = split * images // splits, (split + 1) * images // splits
    panels = -(-out_channels // DOT_ROWS)
    first_unit, last_unit = part * groups * panels // parts, (part + 1) * groups * panels // parts
    if first_unit == last_unit:
        return
    first_group, last_group = first_unit // panels, (last_unit - 1) // panels + 1
    first_out = first_unit // panels * out_channels + first_unit % panels * DOT_ROWS
    last_out = (last_unit - 1) // panels * out_channels + min(
        out_channels, ((last_unit - 1) % panels + 1) * DOT_ROWS
    )
    planes = pointer_shift(scratch, worker * numbers[16])
    sums = pointer_shift(planes, numbers[16] - numbers[17])
    gradients = pointer_shift(planes, numbers[18])
    partials = pointer_shift(partials, split * groups * out_channels * depth)
    fill_zeros(pointer_shift(partials, first_out * depth), (last_out - first_out) * depth)

    for first in range(first_image, last_image, images_each):
        block = min(images_each, last_image - first)
        copy_block(
            x, steps, plan, first, block,
            first_group * channels, (last_group - first_group) * channels, channel_size, planes,
        )  # fmt: skip
        count = (block - 1) * image + (rows - 1) * pitch + columns
        for o in range(first_out, last_out):
            line = pointer_shift(gradients, (o - first_out) * grad_pitch)
            fill_zeros(line, count)
            for n in range(block):
                for h in range(rows):
                    place = (first + n) * grad_steps[0] + o * grad_steps[1] + h * grad_steps[2]
                    target = pointer_shift(line, n * image + h * pitch)
                    copy_line(pointer_shift(grad, place), grad_steps[3], target, columns)
        for unit in range(first_unit, last_unit):
            group, row = unit // panels, unit % panels * DOT_ROWS
            panel_rows = min(DOT_ROWS, out_channels - row)
            o = group * out_channels + row
            line = pointer_shift(gradients, (o - first_out) * grad_pitch)
            grad_rows = offsets_by_step(0, panel_rows - 1, grad_pitch, DOT_ROWS)
            view = pointer_shift(planes, (group - first_group) * channels * channel_size)
            for k in range(0, depth, DOT_COLUMNS):
                taps = offsets_from_table(k, depth - 1, table, DOT_COLUMNS)
                dot_tile(line, grad_rows, view, taps, count, sums)
                for r in range(panel_rows):
                    for c in range(min(DOT_COLUMNS, depth - k)):
                        partials[(o + r) * depth + k + c] += sums[r * DOT_COLUMNS + c]


@functools.cache
def _zeros(dtype):
    """Four vectors of zeros."""
    return np.zeros(4 * lanes(dtype.itemsize), dtype)


def _steps(images):
    size = images.itemsize
    return [stride // size for stride in images.strides]


def _parts(blocks, panels):
    """In how many parts the output channels are cut, so that ``blocks`` * parts tasks feed all threads.

    Every part copies the images anew, and no sum is cut: the same bits for any number of parts.
    """
    return min(panels, -(-get_num_threads() // blocks))


def _run(plan, source, weights, bias, out, groups):
    """Launch `_correlate`."""
    images, channels_out = out.shape[:2]
    blocks = -(-images // plan.images_each)
    panels = groups * -(-channels_out // groups // ROWS)
    parts = _parts(blocks, panels)
    zeros = _zeros(out.dtype)
    scratch = source.shape[1] * plan.scratch + zeros.size + ROWS * plan.strip
    numbers = (
        address_of(plan.table), *_steps(source), images, groups, channels_out // groups, parts,
        0 if bias is None else 1, plan.scratch, plan.strip, scratch,
    )  # fmt: skip
    arrays = (source, weights, zeros if bias is None else bias, out, zeros)
    work = weights.size * images * plan.table[11]
    launch(_correlate, arrays, numbers, blocks * parts, work, scratch)
    return out


def conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Cross-correlation of images with kernels (`torch.nn.functional.conv2d`).

    Arguments:
        x: (N, C, H, W) float32 or float64.
        weight: (O, C / groups, KH, KW) of the same dtype.
        bias: (O,) or None.
        stride, padding, dilation: pairs (rows, columns); padding adds zeros on both sides.
        groups: the channels are cut into so many groups, each with its own kernels.

    Returns a C-contiguous (N, O, OH, OW) array.

    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))[0, 0].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    size, kernel = x.shape[2:], weight.shape[2:]
    out_size = tuple(map(output_size, size, kernel, stride, padding, dilation))
    out = np.empty((len(x), len(weight), *out_size), x.dtype)
    if out.size == 0 or weight.size == 0:
        out[...] = 0 if bias is None else bias[:, None, None]
        return out
    bias = None if bias is None else np.ascontiguousarray(bias)
    geometry = (size, kernel, stride, padding, dilation, out_size)
    if worth_taps(x, out, geometry, groups, gradient=False):
        weight = np.ascontiguousarray(weight)
        return correlate_taps(x, weight, bias, out, geometry, groups, gradient=False)
    plan = output_plan(
        size, kernel, stride, padding, dilation, weight.shape[1], len(x), BLOCK_PIXELS, x.itemsize
    )
    return _run(plan, x, np.ascontiguousarray(weight), bias, out, groups)


def conv2d_input(grad, weight, input_shape, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Gradient of `conv2d` with respect to its input (`torch.nn.grad.conv2d_input`).

    Arguments:
        grad: (N, O, OH, OW), the gradient with respect to the output.
        weight, stride, padding, dilation, groups: as for `conv2d`.
        input_shape: (N, C, H, W).

    Returns a C-contiguous array of that shape.

    >>> conv2d_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), (1, 1, 3, 3))[0, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    if grad.size == 0 or weight.size == 0 or 0 in input_shape:
        return np.zeros(input_shape, grad.dtype)
    out_channels, kernel = len(weight) // groups, weight.shape[2:]
    out = np.empty(input_shape, grad.dtype)
    geometry = (tuple(input_shape[2:]), kernel, stride, padding, dilation, grad.shape[2:])
    if worth_taps(grad, out, geometry, groups, gradient=True):
        weight = np.ascontiguousarray(weight)
        return correlate_taps(grad, weight, None, out, geometry, groups, gradient=True)
    plan = input_plan(
        tuple(input_shape[2:]),
        kernel,
        stride,
        padding,
        dilation,
        out_channels,
        len(grad),
        BLOCK_PIXELS,
        grad.itemsize,
    )
    turned = weight.reshape(groups, out_channels, -1, *kernel).swapaxes(1, 2)
    phases = [turned[..., rows, columns].ravel() for rows, columns in plan.taps]
    return _run(plan, grad, phases[0] if len(phases) == 1 else np.concatenate(phases), None, out, groups)


def conv2d_weight(grad, x, weight_shape, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Gradient of `conv2d` with respect to its weight (`torch.nn.grad.conv2d_weight`).

    Arguments:
        grad: (N, O, OH, OW), the gradient with respect to the output.
        x, stride, padding, dilation, groups: as for `conv2d`.
        weight_shape: (O, C / groups, KH, KW).

    Returns a C-contiguous array of that shape.

    >>> conv2d_weight(np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3)), (1, 1, 2, 2))[0, 0].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    if grad.size == 0 or x.size == 0 or 0 in weight_shape:
        return np.zeros(weight_shape, grad.dtype)
    geometry = (x.shape[2:], tuple(weight_shape[2:]), stride, padding, dilation, grad.shape[2:])
    if worth_weight_taps(x, grad, geometry, groups):
        return correlate_weight_taps(x, grad, weight_shape, geometry, groups)
    images, channels_out = grad.shape[:2]
    weights = int(np.prod(weight_shape))
    plan = output_plan(
        x.shape[2:],
        weight_shape[2:],
        stride,
        padding,
        dilation,
        weight_shape[1],
        images,
        DOT_PIXELS,
        x.itemsize,
    )
    blocks = -(-images // plan.images_each)
    splits = max(1, min(SPLITS, blocks, 2**18 // weights))  # at most 1 MiB of float32 partial sums
    parts = _parts(splits, groups * -(-channels_out // groups // DOT_ROWS))
    planes = x.shape[1] * plan.scratch
    scratch = planes + channels_out * plan.strip + SUMS
    partials = np.empty((splits, *weight_shape), x.dtype)
    numbers = (
        address_of(plan.table), *_steps(x), *_steps(grad), images, groups, channels_out // groups,
        parts, splits, plan.scratch, plan.strip, scratch, SUMS, planes,
    )  # fmt: skip
    work = weights * images * plan.table[11]
    launch(_correlate_weight, (x, grad, partials), numbers, splits * parts, work, scratch)
    return partials[0] if splits == 1 else partials.sum(axis=0)
