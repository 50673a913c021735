"""The linear maps of `separable` for channels-last images: all channels of a pixel at once.

The loops over channels read and write consecutive memory, which LLVM turns into SIMD code.  Pixels may be
padded (see `channels_last`).
"""

from __future__ import annotations

import numpy as np

from .channels_last import empty_channels_last
from .functions import like
from .jit import jit
from .launch import Task, launch
from .simd import table_at

__all__ = ["map_images", "map_images_backward"]


@jit
def _add(target, place, source, start, channels, weight):
    for c in range(channels):
        target[place + c] += weight * source[start + c]


@jit
def _zero(target, place, count):
    for c in range(count):
        target[place + c] = like(0, target[place])


@Task
def _map_row(arrays, numbers, task, worker):
    """One row of one image of the result."""
    out, x, row_weights, column_weights = arrays[0], arrays[1], arrays[2], arrays[3]
    row_divisors, column_divisors, lines = arrays[4], arrays[5], arrays[6]
    row_ends, row_taps = table_at(numbers[0]), table_at(numbers[1])
    column_ends, column_taps = table_at(numbers[2]), table_at(numbers[3])
    channels, width, height, columns = numbers[4], numbers[5], numbers[6], numbers[7]
    image, i = task // height, task % height
    line = worker * width * channels
    _zero(lines, line, width * channels)
    for k in range(row_ends[i], row_ends[i + 1]):
        start = image * numbers[11] + row_taps[k] * numbers[12]
        for w in range(width):
            _add(lines, line + w * channels, x, start + w * numbers[13], channels, row_weights[k])
    for j in range(columns):
        place = image * numbers[8] + i * numbers[9] + j * numbers[10]
        _zero(out, place, channels)
        for k in range(column_ends[j], column_ends[j + 1]):
            _add(out, place, lines, line + column_taps[k] * channels, channels, column_weights[k])
        divisor = row_divisors[i] * column_divisors[j]
        for c in range(channels):
            out[place + c] /= divisor


@Task
def _map_backward_image(arrays, numbers, task, worker):
    """The transposed map of one image."""
    out, g, row_weights, column_weights = arrays[0], arrays[1], arrays[2], arrays[3]
    row_divisors, column_divisors, lines = arrays[4], arrays[5], arrays[6]
    row_ends, row_taps = table_at(numbers[0]), table_at(numbers[1])
    column_ends, column_taps = table_at(numbers[2]), table_at(numbers[3])
    channels, width, rows, columns, height = numbers[4], numbers[5], numbers[6], numbers[7], numbers[14]
    line = worker * width * channels
    for h in range(height):
        for w in range(width):
            _zero(out, task * numbers[8] + h * numbers[9] + w * numbers[10], channels)
    for i in range(rows):
        _zero(lines, line, width * channels)
        for j in range(columns):
            start = task * numbers[11] + i * numbers[12] + j * numbers[13]
            divisor = row_divisors[i] * column_divisors[j]
            for k in range(column_ends[j], column_ends[j + 1]):
                place = line + column_taps[k] * channels
                _add(lines, place, g, start, channels, column_weights[k] / divisor)
        for k in range(row_ends[i], row_ends[i + 1]):
            place = task * numbers[8] + row_taps[k] * numbers[9]
            for w in range(width):
                _add(out, place + w * numbers[10], lines, line + w * channels, channels, row_weights[k])


def _steps(array: np.ndarray) -> tuple[int, int, int]:
    """Elements from image to image, row to row and pixel to pixel."""
    n, _, h, w = array.strides
    return n // array.itemsize, h // array.itemsize, w // array.itemsize


def _run(task: Task, out, x, rows, columns, width: int, height: int, tasks: int) -> np.ndarray:
    channels = x.shape[1]
    numbers = (*rows.tables, *columns.tables, channels, width, rows.divisors.size, columns.divisors.size,
               *_steps(out), *_steps(x), height)
    arrays = (out, x, rows.weights, columns.weights, rows.divisors, columns.divisors)
    if out.size:
        launch(task, arrays, numbers, tasks, 4.0 * max(x.size, out.size), width * channels)
    return out


def map_images(x: np.ndarray, rows, columns) -> np.ndarray:
    """`separable.map_planes` of channels-last images (N, C, H, W); so is the result.

    >>> from ops.kernels.separable import AxisMap
    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_images(np.arange(8.0).reshape(1, 2, 2, 2).transpose(0, 3, 1, 2), both, both).ravel().tolist()
    [3.0, 4.0]
    """
    shape = (*x.shape[:2], rows.divisors.size, columns.divisors.size)
    out = empty_channels_last(shape, x.dtype)
    return _run(_map_row, out, x, rows, columns, x.shape[3], shape[2], shape[0] * shape[2])


def map_images_backward(grad: np.ndarray, rows, columns, input_size) -> np.ndarray:
    """Gradient of `map_images` by its input: channels-last images of ``input_size`` (H, W).

    >>> from ops.kernels.separable import AxisMap
    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_images_backward(np.ones((1, 1, 1, 1)), both, both, (2, 2)).ravel().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    out = empty_channels_last((*grad.shape[:2], *input_size), grad.dtype)
    return _run(_map_backward_image, out, grad, rows, columns, input_size[1], input_size[0], len(grad))
