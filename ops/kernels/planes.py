"""Copies between images and the padded planes that convolutions read (see `correlation`).

All arguments called ``plan`` are pointers to a `correlation.Plan`'s table.
"""

from __future__ import annotations

from .jit import part
from .simd import lanes_of, pointer_shift, vector_add, vector_load, vector_splat, vector_store

__all__ = ["copy_block", "copy_line", "fill_zeros", "write_map"]


@part
def fill_zeros(target, count):
    """Set ``count`` elements to zero."""
    for i in range(count):
        target[i] = 0


@part
def copy_line(source, source_step, target, count):
    """Copy ``count`` elements to consecutive places."""
    if source_step == 1:
        lanes = lanes_of(source)
        whole = count - count % lanes
        for i in range(0, whole, lanes):
            vector_store(target, i, vector_load(source, i, None), None)
        if whole < count:
            rest = count - whole
            vector_store(target, whole, vector_load(source, whole, rest), rest)
    else:
        for i in range(count):
            target[i] = source[i * source_step]


@part
def _copy_image(source, row_step, column_step, plan, target):
    """Copy one channel of one image to its planes; the padding is left alone."""
    rows, columns, row_planes, column_planes = plan[2], plan[3], plan[4], plan[5]
    row_stride, column_stride, row_extent, column_extent = plan[6], plan[7], plan[8], plan[9]
    pitch, plane = plan[10], plan[12]
    row_starts, column_starts = pointer_shift(plan, 16), pointer_shift(plan, 16 + row_planes)
    for i in range(row_planes):
        first_row = max(0, -(row_starts[i] // row_stride))
        last_row = min(row_extent, -((row_starts[i] - rows) // row_stride))
        for j in range(column_planes):
            start = column_starts[j]
            first = max(0, -(start // column_stride))
            count = min(column_extent, -((start - columns) // column_stride)) - first
            if count <= 0 or first_row >= last_row:
                continue
            row = row_starts[i] + first_row * row_stride
            line = pointer_shift(source, row * row_step + (start + first * column_stride) * column_step)
            image = pointer_shift(target, (i * column_planes + j) * plane + first_row * pitch + first)
            line_step, step = row_stride * row_step, column_stride * column_step
            if count == pitch and line_step == pitch * step:  # rows follow each other without a gap
                copy_line(line, step, image, count * (last_row - first_row))
                continue
            for t in range(last_row - first_row):
                copy_line(
                    pointer_shift(line, t * line_step), step, pointer_shift(image, t * pitch), count
                )


@part
def copy_block(source, steps, plan, first_image, images, first_channel, channels, channel_size, target):
    """Copy channels of a block of images to zeroed planes."""
    fill_zeros(target, channels * channel_size)
    for c in range(channels):
        for n in range(images):
            place = (first_image + n) * steps[0] + (first_channel + c) * steps[1]
            planes = pointer_shift(target, c * channel_size + n * plan[11])
            _copy_image(pointer_shift(source, place), steps[2], steps[3], plan, planes)


@part
def _write_line(strip, bias, out, out_step, count):
    """Write ``count`` consecutive sums plus the bias."""
    if out_step == 1:
        lanes = lanes_of(strip)
        biases = vector_splat(bias)
        whole = count - count % lanes
        for i in range(0, whole, lanes):
            vector_store(out, i, vector_add(vector_load(strip, i, None), biases), None)
        if whole < count:
            vector_store(out, whole, vector_add(vector_load(strip, whole, None), biases), count - whole)
    else:
        for i in range(count):
            out[i * out_step] = strip[i] + bias


@part
def write_map(strip, bias, plan, phase, out):
    """Write one phase of an output channel of an image plus the bias; ``phase`` points into the plan."""
    columns, pitch = plan[14], plan[10]
    out = pointer_shift(out, phase[3] * columns + phase[6])
    if phase[8] == columns and pitch == columns and phase[4] == 1:  # rows leave no gaps
        _write_line(strip, bias, out, 1, phase[5] * columns)
        return
    for h in range(phase[5]):
        line = pointer_shift(out, h * phase[4] * columns)
        _write_line(pointer_shift(strip, h * pitch), bias, line, phase[7], phase[8])
