"""Interpolation of planes (P, H, W): nearest, bilinear and bicubic, forward and backward.

Every mode is a few taps and weights an axis; `separable` does the arithmetic. A line (P, L) is the plane
(P, 1, L). ``scales`` holds, for every axis, the input pixels that one output pixel is wide: PyTorch
takes 1 / scale_factor where the user gave one, else input / output, and (input - 1) / (output - 1) when
corners are aligned (0 for an output of one pixel). Coordinates are computed in the dtype of the data, as
PyTorch does.
"""

from __future__ import annotations

import functools

import numpy as np

from .jit import jit
from .separable import AxisMap, map_planes, map_planes_backward

__all__ = ["interpolate", "interpolate_backward"]


def _cubic_weights(t: np.ndarray) -> list[np.ndarray]:
    """Weights of the four neighbours at distances 1 + t, t, 1 - t, 2 - t (Keys, 1981; a = -0.75)."""
    a = t.dtype.type(-0.75)

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _antialias_map(
    mode: str, size: int, output_size: int, scale: float, dtype: np.dtype
) -> AxisMap:
    """Taps and weights of one axis with the kernel stretched to the width of an output pixel.

    The kernels are a triangle ("bilinear") or Keys' cubic with a = -0.5 ("bicubic"), as in Pillow;
    weights are divided by their sum.
    """
    number = dtype.type
    scale = 1.0 if output_size == size else scale  # PyTorch copies an axis that keeps its size
    width = max(number(scale), number(1))
    reach = number(2 if mode == "bicubic" else 1) * width
    centers = number(scale) * (np.arange(output_size, dtype=dtype) + number(0.5))
    first = np.maximum((centers - reach + number(0.5)).astype(np.int64), 0)
    last = np.minimum((centers + reach + number(0.5)).astype(np.int64), size)
    taps = [np.arange(*ends) for ends in zip(first, last)]
    weights = []
    for places, center in zip(taps, centers):
        d = np.abs((places.astype(dtype) - center + number(0.5)) / width)
        if mode == "bicubic":
            near = (number(1.5) * d - number(2.5)) * d * d + 1
            far = number(-0.5) * (((d - 5) * d + 8) * d - 4)
            weight = np.where(d < 1, near, np.where(d < 2, far, 0))
        else:
            weight = np.maximum(1 - d, 0)
        weights.append(weight / weight.sum())
    return AxisMap.of(taps, weights, np.ones(output_size), dtype)


@functools.lru_cache(maxsize=256)
def _axis_map(
    mode: str, size: int, output_size: int, scale: float, align_corners: bool, dtype: np.dtype
) -> AxisMap:
    """Taps and weights of one axis of ``size`` input pixels."""
    if mode.endswith("-antialias"):
        return _antialias_map(mode.removesuffix("-antialias"), size, output_size, scale, dtype)
    number = dtype.type
    places = np.arange(output_size, dtype=dtype)
    # Whatever scale_factor said, PyTorch copies an axis that keeps its size, repeats one that doubles;
    # not so for the nearest elements of a line, hence the mode "nearest-line".
    if output_size == size and mode in ("nearest", "bilinear"):
        scale = 1.0
    elif output_size == 2 * size and mode == "nearest":
        scale = 0.5
    if align_corners or mode in ("nearest", "nearest-line"):
        position = places * number(scale)
    else:
        position = number(scale) * (places + number(0.5)) - number(0.5)
    if mode == "nearest-exact":
        position = (places + number(0.5)) * number(scale)
    if mode == "bilinear":
        position = np.maximum(position, number(0))
    below = np.minimum(np.floor(position).astype(np.int64), size - 1)
    t = np.clip(position - below.astype(dtype), number(0), number(1))
    if mode == "bilinear":
        taps, weights = [below, np.minimum(below + 1, size - 1)], [1 - t, t]
    elif mode == "bicubic":
        taps, weights = [below - 1, below, below + 1, below + 2], _cubic_weights(t)
    else:
        taps, weights = [below], [np.ones_like(t)]
    taps = np.clip(np.stack(taps, axis=1), 0, size - 1)
    return AxisMap.of(taps, np.stack(weights, axis=1), np.ones(output_size), dtype)


def _maps(mode, input_size, output_size, scales, align_corners, dtype):
    return [
        _axis_map(mode, *sizes, float(scale), align_corners, dtype)
        for *sizes, scale in zip(input_size, output_size, scales)
    ]


def _unsigned(taps: np.ndarray) -> np.ndarray:
    """The taps as numbers for which compiled code leaves out Python's meaning of a negative index."""
    return taps.view(np.uint64)


@jit
def _nearest_planes(x, rows, columns, out):
    """out[p, i, j] = x[p, rows[i], columns[j]]; a row that repeats the one before is copied."""
    for plane in range(out.shape[0]):
        for i in range(rows.size):
            result = out[plane, i]
            if i > 0 and rows[i] == rows[i - 1]:
                result[:] = out[plane, i - 1]
            else:
                source = x[plane, rows[i]]
                for j in range(columns.size):
                    result[j] = source[columns[j]]


@jit
def _nearest_backward_planes(grad, rows, columns, out):
    """out[p, rows[i], columns[j]] += grad[p, i, j]; rows with one target are added up first."""
    line = np.empty(columns.size, grad.dtype)
    for plane in range(out.shape[0]):
        for i in range(rows.size):
            source = grad[plane, i]
            if i > 0 and rows[i] == rows[i - 1]:
                for j in range(line.size):
                    line[j] += source[j]
            else:
                line[:] = source
            if i + 1 == rows.size or rows[i + 1] != rows[i]:
                target = out[plane, rows[i]]
                for j in range(line.size):
                    target[columns[j]] += line[j]


def interpolate(
    x: np.ndarray, output_size, scales, mode: str, align_corners: bool = False
) -> np.ndarray:
    """Planes (P, H, W) resampled to (P, *output_size) (torch.nn.functional.interpolate).

    ``mode`` is "nearest", "nearest-line", "nearest-exact", "bilinear", "bicubic", "bilinear-antialias"
    or "bicubic-antialias"; ``scales`` see above.

    >>> x = np.array([[[0.0, 1.0]]])
    >>> interpolate(x, (1, 4), (1.0, 0.5), "bilinear").tolist()
    [[[0.0, 0.25, 0.75, 1.0]]]
    >>> interpolate(x, (1, 4), (1.0, 0.5), "nearest").tolist()
    [[[0.0, 0.0, 1.0, 1.0]]]
    """
    rows, columns = _maps(mode, x.shape[1:], output_size, scales, align_corners, x.dtype)
    if x.ndim == 4 or not mode.startswith("nearest"):
        return map_planes(x, rows, columns)
    out = np.empty((len(x), *output_size), x.dtype)
    _nearest_planes(np.ascontiguousarray(x), _unsigned(rows.taps), _unsigned(columns.taps), out)
    return out


def interpolate_backward(
    grad: np.ndarray, input_size, scales, mode: str, align_corners: bool = False
) -> np.ndarray:
    """Gradient of `interpolate` by its input, planes of ``input_size``, from a cotangent of its output.

    >>> interpolate_backward(np.ones((1, 1, 4)), (1, 2), (1.0, 0.5), "bilinear").tolist()
    [[[2.0, 2.0]]]
    """
    maps = _maps(mode, input_size, grad.shape[1:], scales, align_corners, grad.dtype)
    if grad.ndim == 4 or not mode.startswith("nearest"):
        return map_planes_backward(grad, *maps, input_size)
    out = np.zeros((len(grad), *input_size), grad.dtype)
    _nearest_backward_planes(np.ascontiguousarray(grad), *[_unsigned(axis.taps) for axis in maps], out)
    return out
