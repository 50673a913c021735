"""Max pooling of channels-last images: windows go over pixels, and all channels of a pixel at once.

The loops over channels read and write consecutive memory, which LLVM turns into SIMD code; a task is one
row of windows of one image.
"""

from __future__ import annotations

import numpy as np

from .channels_last import empty_channels_last, to_channels_last
from .jit import jit
from .launch import Task, address_of, launch
from .simd import pointer_shift, table_at

__all__ = ["is_channels_last", "max_pool", "scatter"]


def is_channels_last(x: np.ndarray) -> bool:
    """Whether the channels of images (N, C, H, W) lie side by side, and the images are not planes as well.

    >>> is_channels_last(np.ones((2, 4, 4, 3)).transpose(0, 3, 1, 2)), is_channels_last(np.ones((2, 3, 4, 4)))
    (True, False)
    """
    return x.ndim == 4 and x.strides[1] == x.itemsize and not x.flags.c_contiguous and min(x.strides) > 0


@jit
def _start(pixel, place, channels, values, places):
    for c in range(channels):
        values[c] = pixel[c]
        places[c] = place


@jit
def _improve(pixel, place, channels, values, places):
    """Keep the larger value of each channel and its place; a NaN beats all before it."""
    for c in range(channels):
        value = pixel[c]
        wins = (value > values[c]) | (value != value)
        values[c] = value if wins else values[c]
        places[c] = place if wins else places[c]


@Task
def _max_pool_row(arrays, numbers, task, worker):
    """All windows of one row of the result."""
    x, values = arrays[0], arrays[1]
    places, rows, columns = table_at(numbers[0]), table_at(numbers[1]), table_at(numbers[2])
    row_step, column_step, width, channels = numbers[3], numbers[4], numbers[5], numbers[6]
    out_rows, out_columns = numbers[7], numbers[8]
    steps, value_steps = pointer_shift(numbers, 9), pointer_shift(numbers, 12)
    image, i = task // out_rows, task % out_rows
    x = pointer_shift(x, image * steps[0])
    for j in range(out_columns):
        found = pointer_shift(values, image * value_steps[0] + i * value_steps[1] + j * value_steps[2])
        where = pointer_shift(places, ((image * out_rows + i) * out_columns + j) * channels)
        first = True
        for h in range(rows[2 * i], rows[2 * i + 1], row_step):
            for w in range(columns[2 * j], columns[2 * j + 1], column_step):
                pixel = pointer_shift(x, h * steps[1] + w * steps[2])
                if first:
                    _start(pixel, h * width + w, channels, found, where)
                    first = False
                else:
                    _improve(pixel, h * width + w, channels, found, where)
        if first:  # a window that sees nothing but padding
            for c in range(channels):
                found[c] = -np.inf
                where[c] = -1


def _steps(x: np.ndarray) -> list[int]:
    """Distances in elements between images, rows and pixels."""
    return [x.strides[axis] // x.itemsize for axis in (0, 2, 3)]


def max_pool(x: np.ndarray, rows: np.ndarray, row_step: int, columns: np.ndarray, column_step: int):
    """Maximum of every window of channels-last images, and its int64 place in the flat H * W plane.

    Arguments:
        x: (N, C, H, W), channels-last float32 or float64.
        rows, columns: int64 (Ho, 2) and (Wo, 2), first and last-plus-one place of every window.
        row_step, column_step: the windows' dilation.

    Returns both as (N, C, Ho, Wo) in channels-last memory.

    >>> x = np.arange(4.0).reshape(1, 2, 2, 1).transpose(0, 3, 1, 2)
    >>> values, places = max_pool(x, np.array([[0, 2]]), 1, np.array([[0, 2]]), 1)
    >>> values.item(), places.item()
    (3.0, 3)
    """
    images, channels, _, width = x.shape
    shape = (images, channels, len(rows), len(columns))
    values = empty_channels_last(shape, x.dtype)
    places = np.empty((images, len(rows), len(columns), channels), np.int64)
    rows, columns = np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(columns, np.int64)
    numbers = (address_of(places), address_of(rows), address_of(columns), row_step, column_step, width,
               channels, len(rows), len(columns), *_steps(x), *_steps(values))  # fmt: skip
    work = 8.0 * values.size * max(1, (rows[0, 1] - rows[0, 0]) * (columns[0, 1] - columns[0, 0]))
    launch(_max_pool_row, (x, values), numbers, images * len(rows), work)
    return values, places.transpose(0, 3, 1, 2)


@Task
def _scatter_image(arrays, numbers, task, worker):
    """Add the gradients of one image to the places of the maxima."""
    grad, out, places = arrays[0], arrays[1], table_at(numbers[0])
    rows, columns, channels, pixels_out = numbers[1], numbers[2], numbers[3], numbers[4]
    steps, pixel_step = pointer_shift(numbers, 5), numbers[8]
    out = pointer_shift(out, task * pixels_out * pixel_step)
    for k in range(pixels_out * pixel_step):
        out[k] = 0
    for i in range(rows):
        for j in range(columns):
            source = pointer_shift(grad, task * steps[0] + i * steps[1] + j * steps[2])
            where = pointer_shift(places, ((task * rows + i) * columns + j) * channels)
            for c in range(channels):
                if 0 <= where[c] < pixels_out:
                    out[where[c] * pixel_step + c] += source[c]


def scatter(grad: np.ndarray, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Backward of `max_pool`: zeros (N, C, *size) in channels-last memory, with ``grad`` added at ``places``.

    Arguments:
        grad: (N, C, Ho, Wo) of any strides.
        places: int64 of the same shape, as `max_pool` returned them.

    >>> places = np.array([3]).reshape(1, 1, 1, 1)
    >>> scatter(np.ones((1, 1, 1, 1)), places, (2, 2)).ravel().tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    if not is_channels_last(grad):
        grad = to_channels_last(grad)
    images, channels, rows, columns = grad.shape
    places = np.ascontiguousarray(places.transpose(0, 2, 3, 1))
    out = empty_channels_last((images, channels, *size), grad.dtype)
    numbers = (address_of(places), rows, columns, channels, size[0] * size[1], *_steps(grad), _steps(out)[2])
    launch(_scatter_image, (grad, out), numbers, images, 4.0 * (grad.size + out.size))
    return out
