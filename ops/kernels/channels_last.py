"""Channels-last memory: images (N, C, H, W) whose channels lie side by side, and copies from and to it.

The *pitch*, the distance between two pixels, is the number of channels rounded up to whole vectors, and
the first pixel begins on a cache line.  Kernels read and write whole vectors there.
"""

from __future__ import annotations

import functools

import numpy as np

from .cpu import VECTOR_BYTES, lanes
from .jit import part
from .launch import Launch, Task, address_of
from .masked import transpose_part
from .simd import lanes_of, pointer_shift, transpose_block

__all__ = ["as_written", "channel_pitch", "empty_channels_last", "planes_from_pixels", "to_channels_first",
           "to_channels_last", "transpose"]  # fmt: skip

_TASK = 2**14  # elements a task copies: 64 KiB of float32


def channel_pitch(channels: int, itemsize: int) -> int:
    """Number of elements from one pixel to the next: ``channels`` in whole vectors.

    >>> channel_pitch(3, 4) == lanes(4)
    True
    """
    vector = lanes(itemsize)
    return -(-channels // vector) * vector


def empty_channels_last(shape, dtype) -> np.ndarray:
    """New (N, C, H, W) array in channels-last memory, not initialised.

    >>> empty_channels_last((2, 3, 4, 5), np.dtype(np.float32)).strides[1]
    4
    """
    count, strides = _layout(shape, dtype.itemsize)
    buffer = np.empty(count, np.uint8)
    return np.ndarray(shape, dtype, buffer, -address_of(buffer) % VECTOR_BYTES, strides)


@functools.lru_cache(maxsize=1024)
def _layout(shape, size) -> tuple[int, tuple[int, ...]]:
    """Bytes of such an array with a margin to align it, and its strides."""
    images, channels, rows, columns = shape
    pixel = channel_pitch(channels, size) * size
    line, image = columns * pixel, rows * columns * pixel
    return images * image + VECTOR_BYTES, (image, size, line, pixel)


def as_written(array, pitch):
    """The array in channels-last memory with this pitch, as kernels write it: nearly always itself.

    >>> as_written(np.ones((1, 1, 2, 2)), 8).strides
    (256, 8, 128, 64)
    >>> as_written(None, 8) is None
    True
    """
    if array is None:
        return None
    _, _, rows, columns = array.shape
    steps, size = (rows * columns * pitch, 1, columns * pitch, pitch), array.itemsize
    strides = tuple([step * size for step in steps])
    if array.strides == strides:
        return array
    memory = np.zeros(array.shape[0] * steps[0], array.dtype)
    written = np.ndarray(array.shape, array.dtype, memory, 0, strides)
    written[...] = array
    return written


@part
def transpose(source, source_step, rows, columns, target, target_step):
    """``target[j * target_step + i] = source[i * source_step + j]`` for i < rows and j < columns."""
    lanes = lanes_of(source)
    for i in range(0, rows, lanes):
        for j in range(0, columns, lanes):
            block = pointer_shift(source, i * source_step + j)
            place = pointer_shift(target, j * target_step + i)
            if i + lanes <= rows and j + lanes <= columns:
                transpose_block(block, source_step, place, target_step)
            else:
                transpose_part(
                    block, source_step, min(lanes, rows - i), min(lanes, columns - j), place, target_step
                )


@Task
def _transpose_images(arrays, numbers, task, worker):
    """Transpose some rows of one of the matrices."""
    source, target = arrays[0], arrays[1]
    image_step, step, rows, columns = numbers[0], numbers[1], numbers[2], numbers[3]
    target_image_step, target_step, rows_each, parts = numbers[4], numbers[5], numbers[6], numbers[7]
    image, first = task // parts, task % parts * rows_each
    transpose(
        pointer_shift(source, image * image_step + first * step), step, min(rows_each, rows - first),
        columns, pointer_shift(target, image * target_image_step + first), target_step,
    )  # fmt: skip


def _copy(images, rows, columns, steps, target_steps, dtype) -> Launch:
    """The launch that transposes a matrix of each image; steps are bytes from image to image, row to row."""
    rows_each = -(-_TASK // columns // 16) * 16
    parts = -(-rows // rows_each)
    (image, row), (target_image, target_row) = (
        [step // dtype.itemsize for step in pair] for pair in (steps, target_steps)
    )
    numbers = image, row, rows, columns, target_image, target_row, rows_each, parts
    work = 8.0 * images * rows * columns
    return Launch(_transpose_images, dtype, numbers, images * parts, work)


def _floating(dtype):
    return dtype == np.float32 or dtype == np.float64


def planes_from_pixels(shape, strides, dtype) -> Launch:
    """The launch that copies channels-last images of this shape and these strides in bytes to planes.

    >>> pixels, planes = np.arange(6.0).reshape(1, 1, 2, 3), np.empty((1, 3, 1, 2))
    >>> planes_from_pixels(planes.shape, (48, 8, 48, 24), pixels.dtype)(pixels, planes)
    >>> planes.tolist()
    [[[[0.0, 3.0]], [[1.0, 4.0]], [[2.0, 5.0]]]]
    """
    images, channels, rows, columns = shape
    plane = rows * columns * dtype.itemsize
    return _copy(images, rows * columns, channels, (strides[0], strides[3]), (channels * plane, plane), dtype)


@functools.lru_cache(maxsize=4096)  # training copies the same shapes again and again
def _from_pixels(shape, strides, dtype) -> Launch | None:
    """How to copy images whose channels lie side by side to planes; None for other strides."""
    (_, channels, rows, columns), size = shape, dtype.itemsize
    dense = strides[1] == size and (rows == 1 or strides[2] == columns * strides[3])
    if 0 in shape or not dense or channels == 1 or strides[3] <= 0 or strides[0] < 0 or not _floating(dtype):
        return None
    return planes_from_pixels(shape, strides, dtype)


@functools.lru_cache(maxsize=4096)
def _from_planes(shape, strides, dtype) -> Launch | None:
    """How to copy planes to channels-last memory; None for other strides."""
    (images, channels, rows, columns), size = shape, dtype.itemsize
    dense = strides[3] == size and (rows == 1 or strides[2] == columns * size)
    if 0 in shape or not dense or strides[1] <= 0 or strides[0] < 0 or not _floating(dtype):
        return None
    _, (image, _, _, pixel) = _layout(shape, size)
    return _copy(images, channels, rows * columns, (strides[0], strides[1]), (image, pixel), dtype)


def to_channels_first(array: np.ndarray) -> np.ndarray:
    """C-contiguous copy of images (N, C, H, W) of any strides; fast from channels-last memory.

    >>> x = np.arange(12.0).reshape(1, 2, 2, 3)
    >>> to_channels_first(x.transpose(0, 3, 1, 2)).tolist() == x.transpose(0, 3, 1, 2).tolist()
    True
    """
    out = np.empty(array.shape, array.dtype)
    copy = _from_pixels(array.shape, array.strides, array.dtype)
    if copy is None:
        out[...] = array
    else:
        copy(array, out)
    return out


def to_channels_last(array: np.ndarray) -> np.ndarray:
    """Copy of images (N, C, H, W) of any strides in channels-last memory; fast from planes.

    >>> to_channels_last(np.ones((2, 3, 4, 5))).strides[1]
    8
    """
    out = empty_channels_last(array.shape, array.dtype)
    copy = _from_planes(array.shape, array.strides, array.dtype)
    if copy is None:
        out[...] = array
    else:
        copy(array, out)
    return out
