"""Convolution blocks of small images: only pixels that meet a tap of the kernel are multiplied.

In small images the padding is a large part of the work: for a 5 x 5 kernel with stride 2 on 4 x 4
pixels, half of the products.  Here every output pixel has a list of the taps that reach the image (see
`conv_taps.tap_table`), and so has every input pixel and every tap in the backward pass.  The rows of a
tile are images (for weight gradients: input channels) instead of pixels.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from . import vector as _operators  # noqa: F401 - gives vectors their operators
from .channels_last import channel_pitch
from .conv_taps import tap_table
from .halo import HALO, copy_images
from .jit import part
from .launch import Task
from .masked import aligned, vector_zeros
from .micro import ROWS, taps_tile
from .simd import lanes_of, pointer_shift, table_at, vector_load, vector_store

__all__ = [
    "Plan",
    "convolve_lists",
    "image_copy",
    "input_lists",
    "list_plan",
    "listed_input",
    "listed_weight",
    "skewed",
    "weight_lists",
    "worth_lists",
]  # fmt: skip

FULL = 0.8  # lists are worth their while if fewer products than this share are inside the image
_HEADER = 9


class Plan(NamedTuple):
    """A kernel's table of int64, its number of tasks, the scratch elements of a worker, and whether it forms
    lines of pixels (``conv_lines.py``).
    """

    table: np.ndarray
    tasks: int
    scratch: int
    lined: bool = False


def skewed(size: int) -> int:
    """A distance between images at which equal pixels of several images do not share a cache set.

    >>> skewed(1024)
    1056
    """
    return -(-size // 32) * 32 + 32 if size % 64 == 0 else -(-size // 32) * 32


@functools.lru_cache(maxsize=256)
def worth_lists(images, geometry) -> bool:
    """Whether so many images of this geometry (see `conv_taps.tap_table`) are better done by lists.

    Measured for 5 x 5 kernels with stride 2 on 32 images of 64 x 4 x 4: 0.27 instead of 0.55 ms.
    """
    size, kernel, _, _, _, out_size = geometry
    if images < ROWS or size[0] * size[1] > 256:
        return False
    inside = tap_table(geometry, 1, (1, 1))[:, 0].sum()
    return inside < FULL * np.prod(kernel) * np.prod(out_size)


def _swapped(table):
    """A `tap_table` with the two offsets of each pair exchanged."""
    swapped = table.copy()
    swapped[:, 1::2], swapped[:, 2::2] = table[:, 2::2], table[:, 1::2]
    return swapped


def _both_widths(geometry, target, pixel, vector):
    """Lists of (pixel, tap) for weights packed two vectors wide, and one vector wide; their row size."""
    wide, narrow = (_swapped(tap_table(geometry, target, (n * vector, pixel))) for n in (2, 1))
    return [wide.ravel(), narrow.ravel()], wide.shape


def input_lists(geometry, pitch, vector):
    """For every input pixel the output pixels and taps that it meets."""
    return _both_widths(geometry, 2, pitch, vector)


def weight_lists(geometry, in_pixel, pitch):
    """For every tap the input and output pixels that meet there."""
    return _swapped(tap_table(geometry, 0, (pitch, in_pixel)))


def image_copy(shape, steps) -> list[int]:
    """A `halo_table` for a copy in channels-last memory, without a halo."""
    _, channels, rows, columns = shape
    image = skewed(rows * columns * channels)
    return [channels, rows, columns, *steps, image, 1, columns * channels, channels, 0, image]


@functools.lru_cache(maxsize=256)
def list_plan(shape, steps, out_channels, geometry, itemsize) -> Plan:
    """Table and number of tasks for `convolve_lists`; the table's header is read there."""
    images, channels = shape[:2]
    vector, pitch = channel_pitch(1, itemsize), channel_pitch(out_channels, itemsize)
    lists, size = _both_widths(geometry, 1, channels, vector)
    panels, blocks = -(-pitch // (2 * vector)), -(-images // ROWS)
    parts = max(1, min(panels, 8 // blocks))
    copy = image_copy(shape, steps)
    taps = geometry[1][0] * geometry[1][1]
    header = [images, parts, size[0], size[1], channels, taps, pitch, len(lists[0]), copy[12]]
    table = np.concatenate([header, copy, *lists]).astype(np.int64)
    return Plan(table, blocks * parts, ROWS * copy[12])


@Task
def convolve_lists(arrays, numbers, task, worker):
    """Some panels of output channels of ROWS images."""
    x, packed, out, scratch = arrays[0], aligned(arrays[1]), arrays[2], arrays[4]
    plan, relu = table_at(numbers[0]), numbers[1]
    images, parts, pixels, list_size = plan[0], plan[1], plan[2], plan[3]
    channels, taps, pitch, narrow, image_step = plan[4], plan[5], plan[6], plan[7], plan[8]
    halo = pointer_shift(plan, _HEADER)
    lists = pointer_shift(halo, HALO)
    lanes = lanes_of(x)

    first, part = task // parts * ROWS, task % parts
    block = min(ROWS, images - first)
    source = pointer_shift(scratch, worker * ROWS * image_step)
    copy_images(x, halo, first, block, 0, halo[1], source)
    out = pointer_shift(out, first * pixels * pitch)
    panels, depth = -(-pitch // (2 * lanes)), channels * taps
    for panel in range(part * panels // parts, (part + 1) * panels // parts):
        channel = 2 * lanes * panel
        width = min(2 * lanes, pitch - channel)
        weights = pointer_shift(packed, channel * depth)
        bias = pointer_shift(packed, pitch * depth + channel)
        entries = pointer_shift(lists, 0 if width > lanes else narrow)
        for pixel in range(pixels):
            entry = pointer_shift(entries, pixel * list_size)
            taps_tile(
                source, image_step, 1, block - 1, weights, taps * width, pointer_shift(entry, 1),
                entry[0], channels, bias, 0, pointer_shift(out, pixel * pitch + channel),
                pixels * pitch, width,
            )  # fmt: skip
        if relu:
            for pixel in range(block * pixels):
                for j in range(channel, channel + width, lanes):
                    value = vector_load(out, pixel * pitch + j, None)
                    vector_store(out, pixel * pitch + j, max(value, vector_zeros(out)), None)


@part
def listed_weight(source, image_step, lists, list_size, taps, channels, part, parts, block, grad,
                  grad_step, partials, pitch, zeros, fresh):  # fmt: skip
    """Add a block of images to a part of the weight's gradient, which starts at zero if it is ``fresh``.

    Rows are input channels.
    """
    lanes = lanes_of(source)
    tiles = -(-channels // ROWS) * taps
    total = -(-pitch // (2 * lanes)) * tiles
    for tile in range(part * total // parts, (part + 1) * total // parts):
        channel, row = tile // tiles * 2 * lanes, tile % tiles // taps * ROWS
        tap, width = tile % taps, min(2 * lanes, pitch - channel)
        entry = pointer_shift(lists, tap * list_size)
        out = pointer_shift(partials, channel * channels * taps + (row * taps + tap) * width)
        taps_tile(
            pointer_shift(source, row), 1, image_step, min(ROWS, channels - row) - 1,
            pointer_shift(grad, channel), grad_step, pointer_shift(entry, 1), entry[0], block,
            zeros if fresh else out, 0 if fresh else taps * width, out, taps * width, width,
        )  # fmt: skip


@part
def listed_input(grad, grad_step, lists, list_size, narrow, taps, out_channels, part, parts, block,
                 packed, zeros, out, pixels, pitch):  # fmt: skip
    """A part of the input's gradient of a block of images; rows are images."""
    lanes, depth = lanes_of(grad), out_channels * taps
    total = -(-pitch // (2 * lanes)) * pixels
    for tile in range(part * total // parts, (part + 1) * total // parts):
        channel, pixel = tile // pixels * 2 * lanes, tile % pixels
        width = min(2 * lanes, pitch - channel)
        entry = pointer_shift(lists, (0 if width > lanes else narrow) + pixel * list_size)
        for first in range(0, block, ROWS):
            taps_tile(
                pointer_shift(grad, first * grad_step), grad_step, 1, min(ROWS, block - first) - 1,
                pointer_shift(packed, channel * depth), taps * width, pointer_shift(entry, 1), entry[0],
                out_channels, zeros, 0, pointer_shift(out, (first * pixels + pixel) * pitch + channel),
                pixels * pitch, width,
            )  # fmt: skip
