"""Pooling of planes (P, H, W): max, adaptive max, average and adaptive average.

A pooling is known by the window of every output row and the window of every output column. Averages are
separable linear maps (`separable`). The maximum is separable as well: first down the rows of a window,
along contiguous memory, then across its columns; the row of every maximum is kept to settle ties as
PyTorch does.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from . import scatter
from .functions import like
from .jit import jit
from .launch import Launch, Task
from .masked import integers_of
from .separable import AxisMap, PlanesMap, map_planes, map_planes_backward
from .simd import pointer_shift

__all__ = ["adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "adaptive_max_pool2d", "avg_pool2d",
           "avg_pool2d_backward", "avg_pool2d_of_integers", "gather_planes", "max_pool2d", "max_windows",
           "prepared_adaptive_average", "prepared_average", "scatter_planes"]  # fmt: skip

_TASK = 16384  # elements of a task, about
_INT64 = np.dtype(np.int64)


@jit
def max_pool_planes(start, stop, x, rows, row_step, columns, column_step, values, indices):
    """Maximum of every window and its place in the plane, for the planes start <= p < stop.

    Output (i, j) looks at the rows range(*rows[i], row_step) and the columns range(*columns[j],
    column_step). The first of equal maxima in row-major order wins, and the last NaN wins over all; an
    empty window gives -inf at place -1.
    """
    width = x.shape[2]
    best = np.empty(width, x.dtype)
    place = np.empty(width, np.int64)
    for plane in range(start, stop):
        for i in range(values.shape[1]):
            first, last = rows[i]
            if first < last:
                source = x[plane, first]
                for w in range(width):
                    best[w] = source[w]
                    place[w] = first
            for h in range(first + row_step, last, row_step):
                source = x[plane, h]
                for w in range(width):
                    value = source[w]
                    larger = value > best[w] or math.isnan(value)
                    best[w] = value if larger else best[w]
                    place[w] = h if larger else place[w]
            result, result_place = values[plane, i], indices[plane, i]
            for j in range(result.size):
                left, right = columns[j]
                if first >= last or left >= right:
                    result[j], result_place[j] = -np.inf, -1
                    continue
                top, row, column = best[left], place[left], left
                for w in range(left + column_step, right, column_step):
                    value = best[w]
                    tie = (value == top) & (place[w] < row)
                    last_nan = math.isnan(value) & ((not math.isnan(top)) | (place[w] >= row))
                    wins = (value > top) | tie | last_nan
                    top = value if wins else top
                    row = place[w] if wins else row
                    column = w if wins else column
                result[j], result_place[j] = top, row * width + column


@Task
def _max_pool_2x2(arrays, numbers, task, worker):
    """`max_pool_planes` for windows of 2 x 2 side by side: 2 to 10 times as fast, and the usual case."""
    planes, each, height, width, rows, columns = (
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    for plane in range(task * each, min(planes, (task + 1) * each)):
        for i in range(rows):
            upper = pointer_shift(arrays[1], (plane * height + 2 * i) * width)
            lower = pointer_shift(upper, width)
            result = pointer_shift(arrays[0], (plane * rows + i) * columns)
            result_place = pointer_shift(integers_of(arrays[2]), (plane * rows + i) * columns)
            for j in range(columns):
                left = 2 * i * width + 2 * j
                top, place = upper[2 * j], left
                value = upper[2 * j + 1]
                wins = (value > top) | math.isnan(value)
                top, place = (value, left + 1) if wins else (top, place)
                value = lower[2 * j]
                wins = (value > top) | math.isnan(value)
                top, place = (value, left + width) if wins else (top, place)
                value = lower[2 * j + 1]
                wins = (value > top) | math.isnan(value)
                top, place = (value, left + width + 1) if wins else (top, place)
                result[j], result_place[j] = top, place


@Task
def _average_2x2(arrays, numbers, task, worker):
    """The mean of windows of 2 x 2 side by side, its sums in the order of `PlanesMap`: 0.8 us less."""
    planes, each, height, width, rows, columns = (
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    zero, four = like(0, arrays[1][0]), like(4, arrays[1][0])
    for plane in range(task * each, min(planes, (task + 1) * each)):
        for i in range(rows):
            upper = pointer_shift(arrays[1], (plane * height + 2 * i) * width)
            lower = pointer_shift(upper, width)
            result = pointer_shift(arrays[0], (plane * rows + i) * columns)
            for j in range(columns):
                left = zero + upper[2 * j] + lower[2 * j]
                right = zero + upper[2 * j + 1] + lower[2 * j + 1]
                result[j] = (zero + left + right) / four


@functools.lru_cache(maxsize=256)
def _windows(
    size: int, output: int, kernel: int, stride: int, padding: int, dilation: int
) -> np.ndarray:
    """First and last-plus-one input place of every window of one axis, padding cut off: (output, 2)."""
    first = np.arange(output) * stride - padding
    last = np.minimum(first + (kernel - 1) * dilation + 1, size)
    first += np.where(first < 0, -(first // dilation) * dilation, 0)
    return np.stack([first, last], axis=1)


def max_windows(size, output_size, kernel, stride, padding, dilation) -> tuple[np.ndarray, np.ndarray]:
    """First and last-plus-one place of the windows of both axes; all arguments are pairs.

    >>> [axis.tolist() for axis in max_windows((4, 4), (2, 1), (2, 2), (2, 2), (0, 0), (1, 1))]
    [[[0, 2], [2, 4]], [[0, 2]]]
    """
    return tuple(_windows(*axis) for axis in zip(size, output_size, kernel, stride, padding, dilation))


@functools.lru_cache(maxsize=256)
def _adaptive_windows(size: int, output: int) -> np.ndarray:
    """Windows floor(i * size / output) to ceil((i + 1) * size / output) of one axis: (output, 2)."""
    i = np.arange(output)
    return np.stack([i * size // output, -((i + 1) * -size // output)], axis=1)


def _max_over_windows(x, rows, row_step, columns, column_step):
    values = np.empty((len(x), len(rows), len(columns)), x.dtype)
    indices = np.empty(values.shape, np.int64)
    x = np.ascontiguousarray(x)
    max_pool_planes(0, len(x), x, rows, row_step, columns, column_step, values, indices)
    return values, indices


@functools.lru_cache(maxsize=1024)
def _prepared_2x2(dtype, shape, kernel, stride, padding, dilation, output_size) -> Launch | None:
    """The launch of max pooling if the windows are of 2 x 2 side by side, else None."""
    if dilation != (1, 1) or dtype.kind != "f":
        return None
    return _launch_2x2(_max_pool_2x2, dtype, shape, output_size, kernel, stride, padding)


def _launch_2x2(task: Task, dtype, shape, output_size, kernel, stride, padding) -> Launch | None:
    """The launch of a task for windows of 2 x 2 side by side; None if these are others."""
    planes, (height, width) = math.prod(shape[:-2]), shape[-2:]
    fits = 2 * output_size[0] <= height and 2 * output_size[1] <= width
    if not (fits and kernel == stride == (2, 2) and padding == (0, 0)):
        return None
    each = max(1, _TASK // (height * width))
    numbers = planes, each, height, width, *output_size
    return Launch(task, dtype, numbers, -(-planes // each), 4 * math.prod(shape))


def max_pool2d(x: np.ndarray, kernel, stride, padding, dilation, output_size):
    """Maximum of every window of planes (..., H, W), and its int64 place in the flat H * W plane.

    The other arguments are pairs. ``output_size`` is (Ho, Wo), since floor or ceil is the caller's
    choice. Both results are (..., Ho, Wo) (torch.nn.functional.max_pool2d with return_indices=True).

    >>> x = np.arange(4.0).reshape(1, 2, 2)
    >>> values, indices = max_pool2d(x, (2, 2), (2, 2), (0, 0), (1, 1), (1, 1))
    >>> values.item(), indices.item()
    (3.0, 3)
    """
    shape, mapped = x.shape, x.shape[:-2] + output_size
    run = _prepared_2x2(x.dtype, shape, kernel, stride, padding, dilation, output_size)
    if run is not None:
        values, indices = np.empty(mapped, x.dtype), np.empty(mapped, _INT64)
        run.run((values, x if x.flags.c_contiguous else np.ascontiguousarray(x), indices))
        return values, indices
    rows, columns = max_windows(shape[-2:], output_size, kernel, stride, padding, dilation)
    planes = x.reshape(math.prod(shape[:-2]), *shape[-2:])
    values, indices = _max_over_windows(planes, rows, dilation[0], columns, dilation[1])
    return values.reshape(mapped), indices.reshape(mapped)


def adaptive_max_pool2d(x: np.ndarray, output_size):
    """`max_pool2d` with the windows that cut planes (P, H, W) into ``output_size`` parts.

    >>> values, indices = adaptive_max_pool2d(np.arange(6.0).reshape(1, 2, 3), (1, 2))
    >>> values.tolist(), indices.tolist()
    ([[[4.0, 5.0]]], [[[4, 5]]])
    """
    rows, columns = (_adaptive_windows(*axis) for axis in zip(x.shape[-2:], output_size))
    return _max_over_windows(x, rows, 1, columns, 1)


def gather_planes(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Elements of planes (P, H, W) at flat places (P, Ho, Wo): max pooling, winners known.

    >>> gather_planes(np.arange(4.0).reshape(1, 2, 2), np.array([[[3]]])).tolist()
    [[[3.0]]]
    """
    planes = len(x)
    flat, _ = scatter.gather(x.reshape(planes, x[:1].size), indices.reshape(planes, indices[:1].size))
    return flat.reshape(indices.shape)


def scatter_planes(grad: np.ndarray, indices: np.ndarray, input_size) -> np.ndarray:
    """Backward of `max_pool2d`: planes of ``input_size`` with grad (P, Ho, Wo) summed into flat places.

    >>> scatter_planes(np.ones((1, 1, 2)), np.array([[[3, 3]]]), (2, 2)).tolist()
    [[[0.0, 0.0], [0.0, 2.0]]]
    """
    planes, size = len(grad), grad[:1].size
    out = np.zeros((planes, *input_size), grad.dtype)
    scatter.scatter_add(
        out.reshape(planes, out[:1].size), indices.reshape(planes, size), grad.reshape(planes, size)
    )
    return out


def _average_map(windows, counts, dtype) -> AxisMap:
    """The axis map that sums each window and divides by its count."""
    taps = [np.arange(first, last) for first, last in windows]
    return AxisMap.of(taps, [np.ones(len(t)) for t in taps], counts, dtype)


@functools.lru_cache(maxsize=256)
def _average_axis(size, output, kernel, stride, padding, count_include_pad, dtype) -> AxisMap:
    """Axis map of average pooling. A window counts its padding, never what lies beyond the padding."""
    windows = _windows(size, output, kernel, stride, padding, 1)
    counts = windows[:, 1] - windows[:, 0]
    if count_include_pad:
        first = np.arange(output) * stride - padding
        counts = np.minimum(first + kernel, size + padding) - first
    return _average_map(windows, np.maximum(counts, 1), dtype)


@functools.lru_cache(maxsize=256)
def _adaptive_average_axis(size: int, output: int, dtype) -> AxisMap:
    windows = _adaptive_windows(size, output)
    return _average_map(windows, windows[:, 1] - windows[:, 0], dtype)


@functools.lru_cache(maxsize=256)
def _adaptive_average_maps(input_size, output_size, dtype) -> tuple[AxisMap, ...]:
    return tuple([_adaptive_average_axis(*axis, dtype) for axis in zip(input_size, output_size)])


@functools.lru_cache(maxsize=256)
def _average_maps(
    input_size, output_size, kernel, stride, padding, count_include_pad, divisor_override, dtype
):
    axes = zip(input_size, output_size, kernel, stride, padding)
    rows, columns = (_average_axis(*axis, count_include_pad, dtype) for axis in axes)
    if divisor_override is not None:
        rows = rows._replace(divisors=np.full_like(rows.divisors, divisor_override))
        columns = columns._replace(divisors=np.ones_like(columns.divisors))
    return rows, columns


@functools.lru_cache(maxsize=1024)
def prepared_average(dtype, shape, windows) -> PlanesMap:
    """The function of contiguous planes of this type and shape that computes `avg_pool2d`.

    ``windows`` is a tuple that begins with its further arguments.

    >>> windows = (2, 2), (2, 2), (0, 0), (1, 1), True, None
    >>> prepared_average(np.dtype(float), (1, 2, 2), windows)(np.arange(4.0).reshape(1, 2, 2)).tolist()
    [[[1.5]]]
    """
    kernel, stride, padding, output_size, count_include_pad, divisor_override = windows[:6]
    run = _launch_2x2(_average_2x2, dtype, shape, output_size, kernel, stride, padding)
    if run is not None and divisor_override is None:
        return PlanesMap(run, (*shape[:-2], *output_size), ())
    maps = _average_maps(
        shape[-2:], output_size, kernel, stride, padding, count_include_pad, divisor_override, dtype
    )
    return PlanesMap.of(dtype, shape, *maps)


@functools.lru_cache(maxsize=1024)
def prepared_adaptive_average(dtype, shape, output_size) -> PlanesMap:
    """The function of contiguous planes of this type and shape that computes `adaptive_avg_pool2d`.

    >>> means = prepared_adaptive_average(np.dtype(float), (1, 2, 3), (1, 2))
    >>> means(np.arange(6.0).reshape(1, 2, 3)).tolist()
    [[[2.0, 3.0]]]
    """
    return PlanesMap.of(dtype, shape, *_adaptive_average_maps(shape[-2:], output_size, dtype))


def avg_pool2d(
    x: np.ndarray, kernel, stride, padding, output_size, count_include_pad=True, divisor_override=None
) -> np.ndarray:
    """Mean of every window of planes (..., H, W), as torch.nn.functional.avg_pool2d: (..., *output_size).

    Images (N, C, H, W) that are not contiguous have to be channels-last; so is the result.

    The divisor is the number of places of the window inside the padded plane, or inside the plane itself
    without ``count_include_pad``, or ``divisor_override``.

    >>> avg_pool2d(np.arange(4.0).reshape(1, 2, 2), (2, 2), (2, 2), (0, 0), (1, 1)).tolist()
    [[[1.5]]]
    """
    if x.flags.c_contiguous:
        windows = kernel, stride, padding, output_size, count_include_pad, divisor_override
        return prepared_average(x.dtype, x.shape, windows)(x)
    maps = _average_maps(
        x.shape[-2:], output_size, kernel, stride, padding, count_include_pad, divisor_override, x.dtype
    )
    return map_planes(x, *maps)


def avg_pool2d_of_integers(
    x: np.ndarray, kernel, stride, padding, output_size, count_include_pad=True, divisor_override=None
) -> np.ndarray:
    """`avg_pool2d` of int64: the sums are exact, and the means cut towards zero.

    >>> avg_pool2d_of_integers(np.array([[[-3, -4]]]), (1, 2), (1, 2), (0, 0), (1, 1)).tolist()
    [[[-3]]]
    """
    rows, columns = _average_maps(x.shape[-2:], output_size, kernel, stride, padding, count_include_pad,
                                  divisor_override, np.dtype(np.float64))
    sums = np.add.reduceat(x[:, rows.taps], rows.ends[:-1], axis=1)
    sums = np.add.reduceat(sums[:, :, columns.taps], columns.ends[:-1], axis=2)
    divisors = np.outer(rows.divisors, columns.divisors).astype(np.int64)
    return np.sign(sums) * np.sign(divisors) * (np.abs(sums) // np.abs(divisors))


def avg_pool2d_backward(
    grad: np.ndarray, kernel, stride, padding, input_size, count_include_pad=True, divisor_override=None
) -> np.ndarray:
    """Gradient of `avg_pool2d` by its input, planes of ``input_size``, from a cotangent (P, Ho, Wo).

    >>> avg_pool2d_backward(np.ones((1, 1, 1)), (2, 2), (2, 2), (0, 0), (2, 2)).tolist()
    [[[0.25, 0.25], [0.25, 0.25]]]
    """
    maps = _average_maps(
        input_size,
        grad.shape[-2:],
        kernel,
        stride,
        padding,
        count_include_pad,
        divisor_override,
        grad.dtype,
    )
    return map_planes_backward(grad, *maps, input_size)


def adaptive_avg_pool2d(x: np.ndarray, output_size) -> np.ndarray:
    """Mean of the windows that cut planes (..., H, W) into ``output_size`` parts, which may overlap.

    Images (N, C, H, W) that are not contiguous have to be channels-last; so is the result.

    >>> adaptive_avg_pool2d(np.arange(6.0).reshape(1, 2, 3), (1, 2)).tolist()
    [[[2.0, 3.0]]]
    """
    if x.flags.c_contiguous:
        return prepared_adaptive_average(x.dtype, x.shape, output_size)(x)
    return map_planes(x, *_adaptive_average_maps(x.shape[-2:], output_size, x.dtype))


def adaptive_avg_pool2d_backward(grad: np.ndarray, input_size) -> np.ndarray:
    """Gradient of `adaptive_avg_pool2d` by its input: planes of ``input_size`` from a cotangent.

    >>> adaptive_avg_pool2d_backward(np.ones((1, 1, 1)), (1, 2)).tolist()
    [[[0.5, 0.5]]]
    """
    maps = _adaptive_average_maps(input_size, grad.shape[-2:], grad.dtype)
    return map_planes_backward(grad, *maps, input_size)
