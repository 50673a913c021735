"""Linear maps of planes that act on rows and columns one after the other.

Average pooling, adaptive average pooling and every interpolation are R X C^T with two sparse matrices, R
for the rows and C for the columns of a plane X, divided by the numbers of averaged elements. One forward
and one backward kernel serve them all; the caller writes down the matrices (`AxisMap`). The pass over
the rows runs along contiguous memory and is SIMD code whatever the window, and a k x k window costs k +
k instead of k * k.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from .functions import like
from .jit import part
from .launch import Launch, Task, address_of
from .separable_channels_last import map_images, map_images_backward
from .simd import pointer_shift, table_at

__all__ = ["AxisMap", "PlanesMap", "map_planes", "map_planes_backward"]

_TASK = 16384  # elements of a task, about
_COST = 8  # time for an element of the larger plane, in the multiplications that `launch` counts


class AxisMap(NamedTuple):
    """Sparse matrix of one axis.

    Output i is the sum of weights[k] * input[taps[k]] over ends[i] <= k < ends[i + 1].
    The sum is divided by ``divisors[i]``, apart from the weights so that means of equal numbers are
    exact.  ``tables`` are the addresses of ends and taps, for kernels.

    >>> pairs = AxisMap.of([[0, 1], [2, 3]], [[1, 1], [1, 1]], [2, 2], np.float64)
    >>> one = AxisMap.of([[0]], [[1]], [1], np.float64)
    >>> map_planes(np.arange(4.0).reshape(1, 1, 4), one, pairs).tolist()
    [[[0.5, 2.5]]]
    """

    ends: np.ndarray
    taps: np.ndarray
    weights: np.ndarray
    divisors: np.ndarray
    tables: tuple[int, int]

    @classmethod
    def of(cls, taps, weights, divisors, dtype) -> AxisMap:
        """From one list of taps and one of weights for every output."""
        ends = np.cumsum([0, *map(len, taps)])
        taps = np.concatenate([*taps, []]).astype(np.int64)
        weights, divisors = np.concatenate([*weights, []]).astype(dtype), np.asarray(divisors, dtype)
        return cls(ends, taps, weights, divisors, (address_of(ends), address_of(taps)))


# Numbers of the tasks: planes, planes of a task, height and width of a plane, rows and columns of a mapped
# one, addresses of the ends and taps of rows and columns.


@part
def _axes(arrays, numbers):
    """Ends, taps, weights and divisors of the map of the rows, and of that of the columns."""
    return (
        (table_at(numbers[6]), table_at(numbers[7]), arrays[2], arrays[4]),
        (table_at(numbers[8]), table_at(numbers[9]), arrays[3], arrays[5]),
    )


@Task
def _map(arrays, numbers, task, worker):
    """out[p] = R x[p] C^T / divisors for the planes of a task."""
    of_rows, of_columns = _axes(arrays, numbers)
    row_ends, row_taps, row_weights, row_divisors = of_rows
    column_ends, column_taps, column_weights, column_divisors = of_columns
    height, width, rows, columns = numbers[2], numbers[3], numbers[4], numbers[5]
    line = pointer_shift(arrays[6], worker * width)
    for plane in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        x = pointer_shift(arrays[1], plane * height * width)
        for i in range(rows):
            for w in range(width):
                line[w] = like(0, line[0])
            for k in range(row_ends[i], row_ends[i + 1]):
                source, weight = pointer_shift(x, row_taps[k] * width), row_weights[k]
                for w in range(width):
                    line[w] += weight * source[w]
            result, divisor = pointer_shift(arrays[0], (plane * rows + i) * columns), row_divisors[i]
            for j in range(columns):
                total = like(0, line[0])
                for k in range(column_ends[j], column_ends[j + 1]):
                    total += column_weights[k] * line[column_taps[k]]
                result[j] = total / (divisor * column_divisors[j])


@Task
def _map_backward(arrays, numbers, task, worker):
    """out[p] = R^T (grad[p] / divisors) C for the planes of a task: the transposed map."""
    of_rows, of_columns = _axes(arrays, numbers)
    row_ends, row_taps, row_weights, row_divisors = of_rows
    column_ends, column_taps, column_weights, column_divisors = of_columns
    height, width, rows, columns = numbers[2], numbers[3], numbers[4], numbers[5]
    line = pointer_shift(arrays[6], worker * width)
    for plane in range(task * numbers[1], min(numbers[0], (task + 1) * numbers[1])):
        out = pointer_shift(arrays[0], plane * height * width)
        for place in range(height * width):
            out[place] = like(0, line[0])
        for i in range(rows):
            for w in range(width):
                line[w] = like(0, line[0])
            source, divisor = pointer_shift(arrays[1], (plane * rows + i) * columns), row_divisors[i]
            for j in range(columns):
                g = source[j] / (divisor * column_divisors[j])
                for k in range(column_ends[j], column_ends[j + 1]):
                    line[column_taps[k]] += column_weights[k] * g
            for k in range(row_ends[i], row_ends[i + 1]):
                result, weight = pointer_shift(out, row_taps[k] * width), row_weights[k]
                for w in range(width):
                    result[w] += weight * line[w]


@functools.lru_cache(maxsize=1024)
def _prepared(task: Task, dtype, shape, mapped, row_tables, column_tables) -> Launch:
    """The launch that maps planes of this shape to planes of the shape ``mapped``, or back."""
    count, size, mapped = math.prod(shape[:-2]), shape[-2:], mapped[-2:]
    larger = max(math.prod(size), math.prod(mapped))
    each = max(1, _TASK // max(larger, 1))
    numbers = (count, each, *size, *mapped, *row_tables, *column_tables)
    return Launch(task, dtype, numbers, -(-count // each), _COST * count * larger, size[1])


class PlanesMap(NamedTuple):
    """Two axis maps made ready for planes (..., H, W) of one shape and type, contiguous.

    Attributes:
        run: the launch.
        shape: of the mapped planes.
        tables: weights of rows and columns, and their divisors; nothing for a launch that knows them.
    """

    run: Launch
    shape: tuple[int, ...]
    tables: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, dtype, shape: tuple, rows: AxisMap, columns: AxisMap) -> PlanesMap:
        """For planes of this type and shape."""
        mapped = (*shape[:-2], len(rows.divisors), len(columns.divisors))
        run = _prepared(_map, dtype, shape, mapped, rows.tables, columns.tables)
        return cls(run, mapped, (rows.weights, columns.weights, rows.divisors, columns.divisors))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        run, shape, tables = self
        out = np.empty(shape, x.dtype)
        run.run((out, x, *tables))
        return out


def map_planes(x: np.ndarray, rows: AxisMap, columns: AxisMap) -> np.ndarray:
    """Apply two axis maps to planes (..., H, W): an array (..., len(rows.divisors), len(columns.divisors)).

    Images (N, C, H, W) that are not contiguous have to be channels-last, see `separable_channels_last`.

    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_planes(np.array([[[1.0, 2.0], [3.0, 6.0]]]), both, both).tolist()
    [[[3.0]]]
    """
    if x.ndim == 4 and not x.flags.c_contiguous:
        return map_images(x, rows, columns)
    return PlanesMap.of(x.dtype, x.shape, rows, columns)(np.ascontiguousarray(x))


def map_planes_backward(grad: np.ndarray, rows: AxisMap, columns: AxisMap, input_size) -> np.ndarray:
    """Gradient of `map_planes` by its input: planes of ``input_size`` (H, W) from a cotangent.

    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_planes_backward(np.ones((1, 1, 1)), both, both, (2, 2)).tolist()
    [[[0.25, 0.25], [0.25, 0.25]]]
    """
    if grad.ndim == 4 and not grad.flags.c_contiguous:
        return map_images_backward(grad, rows, columns, input_size)
    shape = (*grad.shape[:-2], *input_size)
    out = np.empty(shape, grad.dtype)
    run = _prepared(_map_backward, grad.dtype, shape, grad.shape, rows.tables, columns.tables)
    run(out, np.ascontiguousarray(grad), rows.weights, columns.weights, rows.divisors, columns.divisors)
    return out
