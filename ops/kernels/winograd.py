"""Convolution with kernels of 3 x 3 by Winograd's F(2x2, 3x3), forward and backward.

For float32 and float64, stride and dilation 1; the results are channels last in memory.  Bias, relu and
max-pool 2 x 2 are part of the forward pass, and their gradients part of the backward pass: the map
between them is never stored.

A task takes a *block* of tiles: rows of one image or several whole images, so many that the transforms
stay in the second-level cache.  It copies their pixels to a strip (see `winograd_strips`), transforms
them (see `winograd_transforms`), and multiplies them with one panel of two vectors of output channels
after the other.  The gradient of the input is the same computation with the kernels turned.  The
gradient of the weight sums the products over the tiles, in a number of parts that the shapes decide; no
result depends on the number of threads.

The tiles are differences of pixels: infinity in the input, or an overflow, gives NaN where a direct sum
may give infinity.  NaN reaches the same outputs.
"""

from __future__ import annotations

import functools

import numpy as np

from .channels_last import channel_pitch, empty_channels_last
from .cpu import lanes
from .launch import address_of, get_num_threads, launch
from .winograd_plan import correlation_plan, weight_plan
from .winograd_tasks import correlate, correlate_weight, finish_weight, transform
from .winograd_transforms import KERNELS, PLANES

__all__ = [
    "winograd_backward",
    "winograd_forward",
    "winograd_input_gradient",
    "winograd_weight_gradient",
    "worth_winograd",
]


def _empty_places(out):
    """An uninitialised uint8 array whose pixels are as many elements apart as those of ``out``."""
    images, channels, rows, columns = out.shape
    memory = np.empty((images, rows, columns, channel_pitch(channels, out.itemsize)), np.uint8)
    return memory.transpose(0, 3, 1, 2)[:, :channels]


def _steps(array):
    size = array.itemsize
    return [stride // size for stride in array.strides]


def _map(array):
    """Step between images, then the map of one (see `winograd_strips`)."""
    images, channels, rows, columns = _steps(array)
    return images, *array.shape[2:], rows, columns, channels


def _side_by_side(array):
    """The array itself if its channels are side by side, else a copy whose channels are."""
    if array.strides[1] == array.itemsize or array.shape[1] == 1:
        return array
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def _gradient_numbers(grad, output, places, relu, pool):
    """Numbers for `_read_gradient`: relu and pool, then step and map of gradient, output and places."""
    nothing = (0,) * 6
    winners = (address_of(places), *_map(places)) if pool else (0, *nothing)
    return int(relu), int(pool), *_map(grad), *(_map(output) if relu else nothing), *winners


def _parts(blocks, panels):
    """In how many parts the output channels are cut, so that all threads have work; cuts no sum."""
    return min(panels, -(-get_num_threads() // blocks))


@functools.cache
def _zeros(count, dtype):
    return np.zeros(count, dtype)


def _transformed(weight, steps, out_channels, channels, depth):
    """All kernels transformed, for `correlate`."""
    length = lanes(weight.itemsize)
    pitch, passes = channel_pitch(out_channels, weight.itemsize), -(-channels // depth)
    panels = -(-pitch // (2 * length))
    planes = np.empty(panels * PLANES * (2 * channels + passes) * length + length, weight.dtype)
    numbers = (*steps, out_channels, channels, depth, pitch)
    scratch = (KERNELS + 1) * length
    launch(transform, (weight, planes), numbers, panels * passes, 20 * weight.size, scratch)
    return planes


def _run(plan, source, output, weight, steps, bias, out, places, relu, gradient):
    """Launch `correlate`; ``steps`` are those of the weight as (output, input channels, 3, 3)."""
    table, parts = plan.table, _parts(plan.blocks, plan.panels)
    channels, out_channels, out_pitch = int(table[8]), int(table[10]), int(table[11])
    if bias is None:
        bias = _zeros(out_pitch, out.dtype)
    elif out_channels < out_pitch:
        bias = np.concatenate([bias, np.zeros(out_pitch - out_channels, bias.dtype)])
    else:
        bias = np.ascontiguousarray(bias)
    transformed = plan.blocks > 1
    if transformed:
        weight = _transformed(weight, steps, out_channels, channels, int(table[14]))
    pool = places is not None
    numbers = (
        address_of(table), *steps, parts, int(transformed), int(relu), int(pool),
        address_of(places) if pool else 0, *gradient,
    )  # fmt: skip
    work = PLANES * channels * out_channels * int(table[0] * table[1] * table[2])
    arrays = (source, source if output is None else output, weight, bias, out)
    launch(correlate, arrays, numbers, plan.blocks * parts, work, plan.scratch)


def winograd_forward(x, weight, bias=None, padding=(0, 0), relu=False, pool=False):
    """Cross-correlation with kernels of 3 x 3, plus bias, then relu, then the maxima of 2 x 2 windows.

    Arguments:
        x: (N, C, H, W) float32 or float64, of any strides.
        weight: (O, C, 3, 3) of the same dtype.
        bias: (O,) or None.
        padding: zeros around the image, a pair (rows, columns).
        relu: replace negative values by 0.
        pool: keep the maximum of each window of 2 x 2 (stride 2; an odd last row or column is left out).

    Returns:
        out: (N, O, H', W'), channels last in memory.
        places: None without pool, else uint8: 2 * row + column of each maximum in its window.

    >>> out, places = winograd_forward(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), pool=True)
    >>> out.tolist(), places.tolist()
    ([[[[9.0]]]], [[[[0]]]])
    """
    images, channels, height, width = x.shape
    out_channels = len(weight)
    size = height + 2 * padding[0] - 2, width + 2 * padding[1] - 2
    if pool:
        size = rows, columns = size[0] // 2, size[1] // 2
    else:
        rows, columns = -(-size[0] // 2), -(-size[1] // 2)
    out = empty_channels_last((images, out_channels, *size), x.dtype)
    places = _empty_places(out) if pool else None
    if out.size == 0:
        return out, places
    plan = correlation_plan(images, channels, out_channels, rows, columns, size, padding, x.itemsize)
    gradient = _gradient_numbers(x, None, None, False, False)
    _run(plan, x, None, weight, _steps(weight), bias, out, places, relu, gradient)
    return out, places


def _input_gradient(grad, output, places, weight, input_size, padding, relu, pool):
    """Gradient of the input from the one after relu and pool."""
    images, (out_channels, channels) = len(grad), weight.shape[:2]
    out = empty_channels_last((images, channels, *input_size), grad.dtype)
    if grad.size == 0 or out.size == 0:
        out[...] = 0
        return out
    rows, columns = -(-input_size[0] // 2), -(-input_size[1] // 2)
    padding = 2 - padding[0], 2 - padding[1]
    plan = correlation_plan(
        images, out_channels, channels, rows, columns, tuple(input_size), padding, grad.itemsize
    )
    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    gradient = _gradient_numbers(grad, output, places, relu, pool)
    _run(plan, grad, output, turned, _steps(turned), None, out, None, False, gradient)
    return out


def _weight_gradient(grad, output, places, x, padding, relu, pool, needs_weight=True):
    """Gradients of weight and bias from the one after relu and pool."""
    images, out_channels, rows, columns = grad.shape
    channels = x.shape[1]
    dtype = grad.dtype
    if grad.size == 0:
        weight = np.zeros((out_channels, channels, 3, 3), dtype) if needs_weight else None
        return weight, np.zeros(out_channels, dtype)
    if not pool:
        rows, columns = -(-rows // 2), -(-columns // 2)
    plan = weight_plan(images, channels, out_channels, rows, columns, padding, x.itemsize)
    splits, partial = int(plan.table[13]), int(plan.table[18])
    length = lanes(x.itemsize)
    weight = np.empty((out_channels, channels, 3, 3) if needs_weight else 0, dtype)
    bias = np.zeros(int(plan.table[11]), dtype)
    partials = weight if plan.blocks == 1 else np.empty(splits * partial + length, dtype)
    parts = _parts(splits, plan.panels)
    gradient = _gradient_numbers(grad, output, places, relu, pool)
    numbers = (address_of(plan.table), *_map(x), parts, int(needs_weight), *gradient)
    arrays = (x, grad, grad if output is None else output, partials, weight, bias)
    work = PLANES * channels * out_channels * images * rows * columns
    launch(correlate_weight, arrays, numbers, splits * parts, work, plan.scratch)
    if plan.blocks > 1:
        numbers = (address_of(plan.table), 16, int(needs_weight))
        tasks, scratch = plan.panels * -(-channels // 16), (KERNELS + 1) * length
        work = 30 * splits * weight.size
        launch(finish_weight, (partials, weight, bias), numbers, tasks, work, scratch)
    return weight if needs_weight else None, bias[:out_channels]


def winograd_backward(
    grad, x, weight, out, places, padding=(0, 0), relu=False, needs=(True, True, True)
):
    """Gradients of `winograd_forward` with respect to input, weight and bias.

    Arguments:
        grad: gradient with respect to ``out``, of any strides.
        x, weight, padding, relu: what `winograd_forward` got.
        out, places: what it returned; ``out`` may be None without relu.
        needs: for input, weight and bias, whether the gradient is wanted; the others are None.

    >>> x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3))
    >>> dx, dw, db = winograd_backward(np.full((1, 1, 1, 1), 2.0), x, weight, None, None)
    >>> dx[0, 0].tolist(), float(dw.sum()), db.tolist()
    ([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], 18.0, [2.0])
    """
    pool = places is not None
    out = _side_by_side(out) if relu else None
    places = _side_by_side(places) if pool else None
    dx = dw = db = None
    if needs[0]:
        dx = _input_gradient(grad, out, places, weight, x.shape[2:], padding, relu, pool)
    if needs[1] or needs[2]:
        dw, db = _weight_gradient(grad, out, places, x, padding, relu, pool, needs[1])
    return dx, dw, db if needs[2] else None


def winograd_input_gradient(grad, weight, input_size, padding=(0, 0)):
    """Gradient of a convolution with respect to its input of ``input_size`` (H, W).

    >>> winograd_input_gradient(np.ones((1, 1, 1, 1)), np.ones((1, 1, 3, 3)), (3, 3)).shape
    (1, 1, 3, 3)
    """
    return _input_gradient(grad, None, None, weight, input_size, padding, False, False)


def winograd_weight_gradient(grad, x, padding=(0, 0)):
    """Gradient of a convolution with respect to its weight (O, C, 3, 3).

    >>> winograd_weight_gradient(np.ones((1, 1, 1, 1)), np.ones((1, 1, 3, 3))).shape
    (1, 1, 3, 3)
    """
    return _weight_gradient(grad, None, None, x, padding, False, False)[0]


def worth_winograd(x_shape, weight_shape, padding, pool):
    """Whether `winograd_forward` and `winograd_backward` apply and are faster than the direct kernels.

    Measured with 16 and more channels on both sides: 1.2 to 2.2 times as fast, forward and backward, for
    1 to 64 images.  With 8 channels the transforms cost more than the products save; on maps of 5 x 5,
    where tiles are 36 places for 25, the two are equal.

    >>> worth_winograd((64, 32, 16, 16), (32, 32, 3, 3), (1, 1), False)
    True
    """
    if tuple(weight_shape[2:]) != (3, 3) or max(padding) > 2 or min(weight_shape[:2]) < 16:
        return False
    rows, columns = (size + 2 * pad - 2 for size, pad in zip(x_shape[2:], padding))
    if rows < 2 or columns < 2:
        return False
    tiles = (rows // 2) * (columns // 2) if pool else -(-rows // 2) * -(-columns // 2)
    return 3 * 16 * tiles <= 2 * 9 * rows * columns
