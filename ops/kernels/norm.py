"""Batch, group and layer norm: statistics, affine map and all gradients of a piece while it is in cache.

Three families, by where the elements that share a mean lie:

=========  =====================  ================================================================
family     memory                 mean over
=========  =====================  ================================================================
group      (rows, c, positions)   each row: group norm; layer norm with one position
channel    (n, c, positions)      n and positions of a channel: batch norm of images
column     (rows, c)              the rows of a column: batch norm of channels-last images (whose
                                  pixels may be padded), or of vectors
=========  =====================  ================================================================

The third one is in ``norm_columns.py``.  Sums run over short blocks in the arrays' dtype and over the
blocks in float64.  How the work is cut depends on the shape alone: results are the same bits for any
number of threads.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .functions import like
from .jit import jit
from .launch import Launch, Task, launch
from .maps import parameters
from .simd import pointer_shift

__all__ = ["channel_backward", "channel_forward", "group_backward", "group_forward", "per_channel"]

_SUMS = {"reassoc", "contract", "nsz", "arcp"}  # lets LLVM sum in SIMD lanes; NaN keeps its meaning
_BLOCK = 512  # elements of a sum in the arrays' dtype
_TASK = 16384  # elements of a task, about
_PARTIALS = 32  # tasks that keep sums of their own for every column, at most
_COST = 8  # time for an element, in the multiplications that `launch` counts


# ------------------------------------------------------------------ sums over one stretch of memory


@jit(fastmath=_SUMS)
def _block_sum(x, start, stop):
    total = like(0, x[start])
    for i in range(start, stop):
        total += x[i]
    return total


@jit(fastmath=_SUMS)
def _block_squares(x, start, stop, center):
    total = like(0, center)
    for i in range(start, stop):
        total += (x[i] - center) * (x[i] - center)
    return total


@jit(fastmath=_SUMS)
def _block_products(g, x, start, stop, center):
    total = product = like(0, center)
    for i in range(start, stop):
        total += g[i]
        product += g[i] * (x[i] - center)
    return total, product


@jit(fastmath=_SUMS)
def _block_weighted(g, x, weight, start, count, center):
    total = product = like(0, center)
    for i in range(count):
        total += g[start + i] * weight[i]
        product += g[start + i] * weight[i] * (x[start + i] - center)
    return total, product


@jit
def _sum(x, start, stop):
    total = 0.0
    for first in range(start, stop, _BLOCK):
        total += _block_sum(x, first, min(first + _BLOCK, stop))
    return total


@jit
def _squares(x, start, stop, center):
    total = 0.0
    for first in range(start, stop, _BLOCK):
        total += _block_squares(x, first, min(first + _BLOCK, stop), center)
    return total


@jit
def _products(g, x, start, stop, center):
    total, product = 0.0, 0.0
    for first in range(start, stop, _BLOCK):
        more, products = _block_products(g, x, first, min(first + _BLOCK, stop), center)
        total += more
        product += products
    return total, product


@jit(fastmath={"contract"})
def _affine(out, x, start, stop, center, scale, shift):
    for i in range(start, stop):
        out[i] = (x[i] - center) * scale + shift


@jit(fastmath={"contract"})
def _combine(out, g, x, start, stop, center, g_scale, x_scale, shift):
    for i in range(start, stop):
        out[i] = g[i] * g_scale + (x[i] - center) * x_scale + shift


# ------------------------------------------------------------------ group


@Task
def _group_forward(arrays, numbers, task, worker):
    out, x, weight, bias, mean, variance = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
    rows, share, channels, positions, groups = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    eps, size = arrays[6][0], channels * positions
    for r in range(task * share, min(rows, (task + 1) * share)):
        first = r * size
        center = like(_sum(x, first, first + size) / size, eps)
        spread = _squares(x, first, first + size, center) / size
        mean[r], variance[r] = center, like(spread, eps)
        inverse = like(1.0 / math.sqrt(spread + eps), eps)
        channel = r % groups * channels
        if positions == 1:
            for i in range(channels):
                out[first + i] = (x[first + i] - center) * inverse * weight[channel + i] + bias[channel + i]
        else:
            for k in range(channels):
                start = first + k * positions
                _affine(out, x, start, start + positions, center, inverse * weight[channel + k],
                        bias[channel + k])


@Task
def _group_backward(arrays, numbers, task, worker):
    """Sums for weight and bias go to a table (rows, channels), or (tasks, channels) for one position."""
    out, g, x, weight, mean, variance = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
    rows, share, channels, positions, groups = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    totals, products, eps = arrays[6], arrays[7], arrays[8][0]
    size, table = channels * positions, task * channels
    if positions == 1:
        for i in range(channels):
            totals[table + i] = products[table + i] = like(0, eps)
    for r in range(task * share, min(rows, (task + 1) * share)):
        first, center, channel = r * size, mean[r], r % groups * channels
        inverse = 1.0 / math.sqrt(float(variance[r]) + eps)
        scale = like(inverse, eps)
        total, product = 0.0, 0.0
        if positions == 1:
            for i in range(0, channels, _BLOCK):
                factors, count = pointer_shift(weight, channel + i), min(_BLOCK, channels - i)
                more, next_product = _block_weighted(g, x, factors, first + i, count, center)
                total += more
                product += next_product
        else:
            for k in range(channels):
                start = first + k * positions
                more, next_product = _products(g, x, start, start + positions, center)
                totals[r * channels + k] = like(more, eps)
                products[r * channels + k] = like(next_product * inverse, eps)
                total += more * weight[channel + k]
                product += next_product * weight[channel + k]
        shift = like(-total / size * inverse, eps)
        x_scale = like(-product / size * inverse**3, eps)
        if positions == 1:
            for i in range(channels):
                d, h = x[first + i] - center, g[first + i] * weight[channel + i]
                out[first + i] = h * scale + d * x_scale + shift
            for i in range(channels):  # a loop of its own: LLVM gives up on many arrays that may overlap
                totals[table + i] += g[first + i]
                products[table + i] += g[first + i] * ((x[first + i] - center) * scale)
        else:
            for k in range(channels):
                start = first + k * positions
                _combine(out, g, x, start, start + positions, center, weight[channel + k] * scale, x_scale,
                         shift)


def per_channel(values, count: int, default: float, dtype) -> np.ndarray:
    """A vector for every channel in the kernels' dtype.

    >>> per_channel(None, 2, 1, np.float32)
    array([1., 1.], dtype=float32)
    """
    return _constant(count, default, dtype) if values is None else np.ascontiguousarray(values, dtype)


@functools.lru_cache(maxsize=256)
def _constant(count: int, value: float, dtype) -> np.ndarray:
    """The same number for every channel; kernels only read it."""
    return np.full(count, value, dtype)


@functools.lru_cache(maxsize=1024)
def _prepared_groups(dtype, shape, groups: int, eps: float) -> tuple[Launch, np.ndarray]:
    """The launch of `group_forward` for x of this shape, and the array of ``eps``."""
    n, c, positions = shape[0], shape[1], math.prod(shape[2:])
    rows, channels = n * groups, c // groups
    share = max(1, _TASK // (channels * positions))
    numbers = rows, share, channels, positions, groups
    launch = Launch(_group_forward, dtype, numbers, -(-rows // share), math.prod(shape) * _COST)
    return launch, parameters((eps,), dtype)


def group_forward(x, weight, bias, groups: int, eps: float) -> tuple:
    """Normalise x (n, c, ...), contiguous, over groups of channels of each sample.

    Returns the result, and mean and biased variance (n, groups).

    >>> group_forward(np.array([[[1.0], [3.0]]]), None, None, 1, 0.0)[0].ravel().tolist()
    [-1.0, 1.0]
    """
    shape, dtype = x.shape, x.dtype
    c, statistics = shape[1], (shape[0], groups)
    out, mean, variance = np.empty(shape, dtype), np.empty(statistics, dtype), np.empty(statistics, dtype)
    launch, constant = _prepared_groups(dtype, shape, groups, eps)
    launch.run((out, x, per_channel(weight, c, 1, dtype), per_channel(bias, c, 0, dtype), mean, variance,
                constant))
    return out, mean, variance


def group_backward(g, x, weight, mean, variance, groups: int, eps: float) -> tuple:
    """Gradients of `group_forward` by x, weight (c,) and bias (c,).

    >>> one = np.ones((1, 1))
    >>> group_backward(np.ones((1, 2, 1)), np.array([[[1.0], [3.0]]]), None, 2 * one, one, 1, 0.0)[1].tolist()
    [-1.0, 1.0]
    """
    n, c, positions = x.shape
    out, rows, channels = np.empty(x.shape, x.dtype), n * groups, c // groups
    share = max(1, _TASK // (channels * positions))
    if positions == 1:  # a task may not mix groups, whose weights differ
        share = max(share, -(-rows // _PARTIALS)) if groups == 1 else 1
    tasks = -(-rows // share)
    tables = np.empty((2, tasks if positions == 1 else rows, channels), x.dtype)
    arrays = (out, g, x, per_channel(weight, c, 1, x.dtype), mean, variance, tables[0], tables[1],
              parameters((eps,), x.dtype))
    launch(_group_backward, arrays, (rows, share, channels, positions, groups), tasks, x.size * 2 * _COST)
    totals, products = tables.reshape(2, -1, c).sum(1, dtype=np.float64).astype(x.dtype)
    return out, products, totals


# ------------------------------------------------------------------ channel


@Task
def _channel_forward(arrays, numbers, task, worker):
    out, x, weight, bias, mean, variance = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
    samples, channels, positions, eps = numbers[0], numbers[1], numbers[2], arrays[6][0]
    count, total = samples * positions, 0.0
    for n in range(samples):
        start = (n * channels + task) * positions
        total += _sum(x, start, start + positions)
    center, total = like(total / count, eps), 0.0
    for n in range(samples):
        start = (n * channels + task) * positions
        total += _squares(x, start, start + positions, center)
    mean[task], variance[task] = center, like(total / count, eps)
    scale = like(1.0 / math.sqrt(total / count + eps), eps) * weight[task]
    for n in range(samples):
        start = (n * channels + task) * positions
        _affine(out, x, start, start + positions, center, scale, bias[task])


@Task
def _channel_backward(arrays, numbers, task, worker):
    out, g, x, weight, mean, variance = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5]
    samples, channels, positions, eps = numbers[0], numbers[1], numbers[2], arrays[8][0]
    count, center, total, product = samples * positions, mean[task], 0.0, 0.0
    for n in range(samples):
        start = (n * channels + task) * positions
        more, products = _products(g, x, start, start + positions, center)
        total += more
        product += products
    inverse = 1.0 / math.sqrt(float(variance[task]) + eps)
    arrays[6][task], arrays[7][task] = like(total, eps), like(product * inverse, eps)
    scale = inverse * weight[task]
    x_scale = like(-product / count * scale * inverse * inverse, eps)
    shift = like(-total / count * scale, eps)
    for n in range(samples):
        start = (n * channels + task) * positions
        _combine(out, g, x, start, start + positions, center, like(scale, eps), x_scale, shift)


@functools.lru_cache(maxsize=1024)
def _prepared_channels(dtype, shape) -> Launch:
    """The launch of `channel_forward` for x of this shape."""
    n, c, positions = shape[0], shape[1], math.prod(shape[2:])
    return Launch(_channel_forward, dtype, (n, c, positions), c, math.prod(shape) * _COST)


def channel_forward(x, weight, bias, eps: float) -> tuple:
    """Normalise x (n, c, ...), contiguous, over all but the channels: result, mean (c,), variance (c,).

    >>> channel_forward(np.array([[[1.0, 3.0]]]), None, None, 0.0)[0].ravel().tolist()
    [-1.0, 1.0]
    """
    shape, dtype = x.shape, x.dtype
    c = shape[1]
    out, mean, variance = np.empty(shape, dtype), np.empty(c, dtype), np.empty(c, dtype)
    _prepared_channels(dtype, shape)(
        out, x, per_channel(weight, c, 1, dtype), per_channel(bias, c, 0, dtype), mean, variance,
        parameters((eps,), dtype))
    return out, mean, variance


def channel_backward(g, x, weight, mean, variance, eps: float) -> tuple:
    """Gradients of `channel_forward` by x, weight (c,) and bias (c,).

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> channel_backward(np.ones((1, 1, 2)), np.array([[[1.0, 3.0]]]), None, two, one, 0.0)[2].tolist()
    [2.0]
    """
    n, c, positions = x.shape
    out, totals, products = np.empty_like(x), np.empty(c, x.dtype), np.empty(c, x.dtype)
    arrays = (out, g, x, per_channel(weight, c, 1, x.dtype), mean, variance, totals, products,
              parameters((eps,), x.dtype))
    launch(_channel_backward, arrays, (n, c, positions), c, x.size * 2 * _COST)
    return out, products, totals
