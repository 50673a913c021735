"""Images with a border of zeros, so that a convolution's padding needs no special case.

What is read is described by four steps (image, channel, row, column) in elements.  Images without
padding are read in place, whatever their steps; with padding they are copied to planes or to
channels-last pixels, whichever their memory is nearer to.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .jit import part
from .launch import Launch, Task, address_of
from .planes import copy_line
from .simd import pointer_shift, table_at

__all__ = ["HALO", "copy_images", "element_steps", "halo_table", "pad_images", "padded_layout"]

HALO = 13  # numbers in a table
_PARTS = 4  # tasks an image is copied in


def element_steps(array) -> tuple[int, ...]:
    """Strides of an array in elements.

    >>> element_steps(np.zeros((2, 3)))
    (3, 1)
    """
    size = array.itemsize
    return tuple(stride // size for stride in array.strides)


def halo_table(shape, steps, padding) -> list[int]:
    """How images (N, C, H, W) with ``steps`` get a border of ``padding`` rows and columns of zeros.

    Returns C, H, W; the four steps of the images, the four steps of what is read; the place of the first
    pixel there; and the elements to be copied per image, which is 0 if images are read in place.

    >>> halo_table((1, 2, 3, 3), (18, 9, 3, 1), (1, 1))
    [2, 3, 3, 18, 9, 3, 1, 50, 25, 5, 1, 6, 50]
    """
    _, channels, rows, columns = shape
    if padding == (0, 0):
        return [channels, rows, columns, *steps, *steps, 0, 0]
    height, width = rows + 2 * padding[0], columns + 2 * padding[1]
    if steps[3] == 1 or channels == 1:
        pixel, row, channel, image = 1, width, height * width, channels * height * width
    else:
        near = steps[1] == 1 and channels <= steps[3] <= 2 * channels + 16
        pixel = steps[3] if near else channels
        channel, row, image = 1, width * pixel, height * width * pixel
    lead = padding[0] * row + padding[1] * pixel
    return [channels, rows, columns, *steps, image, channel, row, pixel, lead, image]


@part
def copy_images(source, halo, first, images, first_row, last_row, target):
    """Copy rows first_row <= h < last_row of some images into ``target``; its border is left alone."""
    channels, columns, lead = halo[0], halo[2], halo[11]
    image_step, channel_step, row_step, step = halo[3], halo[4], halo[5], halo[6]
    target_image, target_channel, target_row, target_step = halo[7], halo[8], halo[9], halo[10]
    for n in range(images):
        image = pointer_shift(source, (first + n) * image_step)
        place = pointer_shift(target, n * target_image + lead)
        for h in range(first_row, last_row):
            row, line = pointer_shift(image, h * row_step), pointer_shift(place, h * target_row)
            if target_step == 1:
                for c in range(channels):
                    copy_line(
                        pointer_shift(row, c * channel_step), step,
                        pointer_shift(line, c * target_channel), columns,
                    )  # fmt: skip
            elif channel_step == 1 and step == target_step:  # pixels at the same distance
                copy_line(row, 1, line, (columns - 1) * step + channels)
            else:
                for w in range(columns):
                    copy_line(
                        pointer_shift(row, w * step), channel_step,
                        pointer_shift(line, w * target_step), channels,
                    )  # fmt: skip


@Task
def _pad(arrays, numbers, task, worker):
    """Copy a part of the rows of one image."""
    halo, part = table_at(numbers[0]), task % _PARTS
    image, rows = task // _PARTS, halo[1]
    copy_images(
        arrays[0], halo, image, 1, part * rows // _PARTS, (part + 1) * rows // _PARTS,
        pointer_shift(arrays[1], image * halo[7]),
    )  # fmt: skip


def pad_images(x: np.ndarray, padding) -> np.ndarray:
    """Images (N, C, H, W) with zeros around them, in memory that is as near to ``x`` as possible.

    >>> pad_images(np.ones((1, 1, 1, 1)), (1, 1))[0, 0].tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    _, copy, elements, shape, strides = padded_layout(x.shape, x.strides, x.dtype, padding)
    memory = np.zeros(elements, x.dtype)
    copy(x, memory)
    return np.ndarray(shape, x.dtype, memory, 0, strides)


@functools.lru_cache(maxsize=256)
def padded_layout(shape, strides, dtype, padding) -> tuple:
    """The table of `halo_table` and the launch that reads it; elements, shape and strides of the result."""
    size = dtype.itemsize
    table = np.array(halo_table(shape, tuple(stride // size for stride in strides), padding))
    images, channels, rows, columns = shape
    copy = Launch(_pad, dtype, (address_of(table),), images * _PARTS, 4.0 * math.prod(shape))
    padded = (images, channels, rows + 2 * padding[0], columns + 2 * padding[1])
    return table, copy, images * int(table[12]), padded, tuple(int(step) * size for step in table[7:11])
