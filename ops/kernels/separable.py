"""Linear maps of planes that act on rows and columns one after the other.

Average pooling, adaptive average pooling and every interpolation are R X C^T with two sparse matrices, R
for the rows and C for the columns of a plane X, divided by the numbers of averaged elements. One forward
and one backward kernel serve them all; the caller writes down the matrices (`AxisMap`). The pass over
the rows runs along contiguous memory and is SIMD code whatever the window, and a k x k window costs k +
k instead of k * k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .jit import jit
from .separable_channels_last import map_images, map_images_backward

__all__ = ["AxisMap", "map_planes", "map_planes_backward"]


class AxisMap(NamedTuple):
    """Sparse matrix of one axis.

    Output i is the sum of weights[k] * input[taps[k]] over ends[i] <= k < ends[i + 1].
    The sum is divided by ``divisors[i]``, apart from the weights so that means of equal numbers are
    exact.

    >>> pairs = AxisMap.of([[0, 1], [2, 3]], [[1, 1], [1, 1]], [2, 2], np.float64)
    >>> one = AxisMap.of([[0]], [[1]], [1], np.float64)
    >>> map_planes(np.arange(4.0).reshape(1, 1, 4), one, pairs).tolist()
    [[[0.5, 2.5]]]
    """

    ends: np.ndarray
    taps: np.ndarray
    weights: np.ndarray
    divisors: np.ndarray

    @classmethod
    def of(cls, taps, weights, divisors, dtype) -> AxisMap:
        """From one list of taps and one of weights for every output."""
        ends = np.cumsum([0, *map(len, taps)])
        # Unsigned, since compiled code then leaves out Python's meaning of a negative index.
        taps = np.concatenate([*taps, []]).astype(np.uint64)
        return cls(ends, taps, np.concatenate([*weights, []]).astype(dtype), np.asarray(divisors, dtype))


@jit
def separable_planes(start, stop, x, rows, columns, out):
    """out[p] = R x[p] C^T / divisors for start <= p < stop."""
    line = np.empty(x.shape[2], x.dtype)
    for plane in range(start, stop):
        for i in range(out.shape[1]):
            line[:] = 0
            for k in range(rows.ends[i], rows.ends[i + 1]):
                source, weight = x[plane, rows.taps[k]], rows.weights[k]
                for w in range(line.size):
                    line[w] += weight * source[w]
            result = out[plane, i]
            for j in range(result.size):
                total = x.dtype.type(0)
                for k in range(columns.ends[j], columns.ends[j + 1]):
                    total += columns.weights[k] * line[columns.taps[k]]
                result[j] = total / (rows.divisors[i] * columns.divisors[j])


@jit
def separable_backward_planes(start, stop, grad, rows, columns, out):
    """out[p] = R^T (grad[p] / divisors) C for start <= p < stop: the transposed map."""
    line = np.empty(out.shape[2], out.dtype)
    for plane in range(start, stop):
        out[plane, :, :] = 0
        for i in range(grad.shape[1]):
            line[:] = 0
            source = grad[plane, i]
            for j in range(source.size):
                g = source[j] / (rows.divisors[i] * columns.divisors[j])
                for k in range(columns.ends[j], columns.ends[j + 1]):
                    line[columns.taps[k]] += columns.weights[k] * g
            for k in range(rows.ends[i], rows.ends[i + 1]):
                result, weight = out[plane, rows.taps[k]], rows.weights[k]
                for w in range(line.size):
                    result[w] += weight * line[w]


def map_planes(x: np.ndarray, rows: AxisMap, columns: AxisMap) -> np.ndarray:
    """Apply two axis maps to planes (P, H, W): an array (P, len(rows.divisors), len(columns.divisors)).

    Four dimensions stand for channels-last images (N, C, H, W), see `separable_channels_last`.

    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_planes(np.array([[[1.0, 2.0], [3.0, 6.0]]]), both, both).tolist()
    [[[3.0]]]
    """
    if x.ndim == 4:
        return map_images(x, rows, columns)
    out = np.empty((len(x), rows.divisors.size, columns.divisors.size), x.dtype)
    separable_planes(0, len(out), np.ascontiguousarray(x), rows, columns, out)
    return out


def map_planes_backward(grad: np.ndarray, rows: AxisMap, columns: AxisMap, input_size) -> np.ndarray:
    """Gradient of `map_planes` by its input: planes of ``input_size`` (H, W) from a cotangent.

    >>> both = AxisMap.of([[0, 1]], [[1, 1]], [2], np.float64)
    >>> map_planes_backward(np.ones((1, 1, 1)), both, both, (2, 2)).tolist()
    [[[0.25, 0.25], [0.25, 0.25]]]
    """
    if grad.ndim == 4:
        return map_images_backward(grad, rows, columns, input_size)
    out = np.empty((len(grad), *input_size), grad.dtype)
    separable_backward_planes(0, len(out), np.ascontiguousarray(grad), rows, columns, out)
    return out
