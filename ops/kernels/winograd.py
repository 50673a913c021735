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
from .launch import Launch, address_of, get_num_threads
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


# ------------------------------------------------------------------ what shapes decide, once for many calls


def _map(shape, strides, size):
    """Step between images, then the map of one (see `winograd_strips`), of an array with these strides."""
    images, channels, rows, columns = [stride // size for stride in strides]
    return images, *shape[2:], rows, columns, channels


_NOTHING = (0,) * 6  # in place of the map of an array that is not there


def _gradient_numbers(shape, size, grad, output, places):
    """Numbers for `_read_gradient`: relu and pool, then step and map of gradient, output and places.

    Arguments:
        shape, size: shape of all three, bytes of an element of the first two.
        grad, output, places: their strides; None without relu, and without pool.
    """
    return (
        int(output is not None), int(places is not None), *_map(shape, grad, size),
        *(_NOTHING if output is None else _map(shape, output, size)),
        *(_NOTHING if places is None else _map(shape, places, 1)),
    )  # fmt: skip


def _parts(blocks, panels, threads):
    """In how many parts the output channels are cut, so that all threads have work; cuts no sum."""
    return min(panels, -(-threads // blocks))


class _Correlation:
    """`correlate` for one geometry.

    Arguments:
        plan: from `correlation_plan`.
        steps: those of the weight as (output, input channels, 3, 3).
        shape: of the result.
        relu, pool: what follows.
        gradient: from `_gradient_numbers`.
    """

    def __init__(self, plan, dtype, steps, shape, relu, pool, gradient, threads):
        self._plan = plan  # holds the table, whose address is among the numbers
        self._shape, self._dtype = shape, dtype
        table, parts = plan.table, _parts(plan.blocks, plan.panels, threads)
        channels, out_channels, out_pitch, depth = (int(table[i]) for i in (8, 10, 11, 14))
        self._no_bias, self._margin = np.zeros(out_pitch, dtype), np.zeros(out_pitch - out_channels, dtype)
        self._transform = None
        if plan.blocks > 1:  # all kernels are transformed once, else each block does what it needs
            length, passes = lanes(dtype.itemsize), -(-channels // depth)
            self._planes = plan.panels * PLANES * (2 * channels + passes) * length + length
            self._transform = Launch(
                transform, dtype, (*steps, out_channels, channels, depth, out_pitch),
                plan.panels * passes, 180 * out_channels * channels, (KERNELS + 1) * length,
            )  # fmt: skip
        numbers = (address_of(table), *steps, parts, int(plan.blocks > 1), int(relu), int(pool), *gradient)
        work = PLANES * channels * out_channels * int(table[0] * table[1] * table[2])
        self._correlate = Launch(correlate, dtype, numbers, plan.blocks * parts, work, plan.scratch)

    def __call__(self, source, output, winners, weight, bias, places):
        """The result.  What is not there is None; ``places`` is written to."""
        if bias is None:
            bias = self._no_bias
        elif self._margin.size:
            bias = np.concatenate([bias, self._margin])
        else:
            bias = np.ascontiguousarray(bias)
        if self._transform is not None:
            planes = np.empty(self._planes, self._dtype)
            self._transform(weight, planes)
            weight = planes
        out = empty_channels_last(self._shape, self._dtype)
        self._correlate(
            source, source if output is None else output, source if winners is None else winners,
            weight, bias, out, source if places is None else places,
        )  # fmt: skip
        return out


@functools.lru_cache(maxsize=512)
def _forward(shape, strides, weight_shape, weight_strides, padding, relu, pool, dtype, threads):
    """The shape of the result of `winograd_forward`, and its `_Correlation` unless it is empty."""
    images, channels, height, width = shape
    size = height + 2 * padding[0] - 2, width + 2 * padding[1] - 2
    if pool:
        size = rows, columns = size[0] // 2, size[1] // 2
    else:
        rows, columns = -(-size[0] // 2), -(-size[1] // 2)
    result = images, weight_shape[0], *size
    if 0 in result:
        return result, None
    item = dtype.itemsize
    plan = correlation_plan(images, channels, weight_shape[0], rows, columns, size, padding, item)
    gradient = _gradient_numbers(shape, item, strides, None, None)
    steps = [stride // item for stride in weight_strides]
    return result, _Correlation(plan, dtype, steps, result, relu, pool, gradient, threads)


@functools.lru_cache(maxsize=512)
def _backward(shape, grad, output, places, weight_shape, weight_strides, input_size, padding, dtype, threads):
    """The `_Correlation` of gradients with turned kernels; ``shape`` to ``places`` as above."""
    images, out_channels = shape[:2]
    channels, item = weight_shape[0], dtype.itemsize
    rows, columns = -(-input_size[0] // 2), -(-input_size[1] // 2)
    padding = 2 - padding[0], 2 - padding[1]
    plan = correlation_plan(images, out_channels, channels, rows, columns, input_size, padding, item)
    gradient = _gradient_numbers(shape, item, grad, output, places)
    steps = [stride // item for stride in weight_strides]
    result = images, channels, *input_size
    return _Correlation(plan, dtype, steps, result, False, False, gradient, threads)


class _WeightGradient:
    """`correlate_weight` for one geometry; arguments as for `_backward`, and those of the input."""

    def __init__(
        self, shape, grad, output, places, x_shape, x_strides, padding, needs_weight, dtype, threads
    ):  # fmt: skip
        images, out_channels, rows, columns = shape
        channels, item, length = x_shape[1], dtype.itemsize, lanes(dtype.itemsize)
        if places is None:
            rows, columns = -(-rows // 2), -(-columns // 2)
        plan = weight_plan(images, channels, out_channels, rows, columns, padding, item)
        splits, partial = int(plan.table[13]), int(plan.table[18])
        parts = _parts(splits, plan.panels, threads)
        self._plan = plan  # holds the table, whose address is among the numbers
        self._shape, self._dtype = (out_channels, channels, 3, 3) if needs_weight else (0,), dtype
        self._bias, self._out_channels = int(plan.table[11]), out_channels
        self._partials = None if plan.blocks == 1 else splits * partial + length
        numbers = (
            address_of(plan.table), *_map(x_shape, x_strides, item), parts, int(needs_weight),
            *_gradient_numbers(shape, item, grad, output, places),
        )  # fmt: skip
        work = PLANES * channels * out_channels * images * rows * columns
        self._correlate = Launch(correlate_weight, dtype, numbers, splits * parts, work, plan.scratch)
        if plan.blocks > 1:
            self._finish = Launch(
                finish_weight, dtype, (address_of(plan.table), 16, int(needs_weight)),
                plan.panels * -(-channels // 16), 270 * splits * out_channels * channels,
                (KERNELS + 1) * length,
            )  # fmt: skip

    def __call__(self, grad, output, winners, x):
        """The gradients of weight (of no elements if it is not needed) and bias."""
        weight, bias = np.empty(self._shape, self._dtype), np.zeros(self._bias, self._dtype)
        whole = self._partials is None
        partials = weight if whole else np.empty(self._partials, self._dtype)
        self._correlate(
            x, grad, grad if output is None else output, grad if winners is None else winners,
            partials, weight, bias,
        )  # fmt: skip
        if not whole:
            self._finish(partials, weight, bias)
        return weight, bias[:self._out_channels]


_weight_gradients = functools.lru_cache(maxsize=512)(_WeightGradient)


# ------------------------------------------------------------------ the computations


def _side_by_side(array):
    """The array itself if its channels are side by side, else a copy whose channels are."""
    if array.strides[1] == array.itemsize or array.shape[1] == 1:
        return array
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def _empty_places(shape, itemsize):
    """An uninitialised uint8 array whose pixels are as many elements apart as those of the values."""
    images, channels, rows, columns = shape
    memory = np.empty((images, rows, columns, channel_pitch(channels, itemsize)), np.uint8)
    return memory.transpose(0, 3, 1, 2)[:, :channels]


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
    shape, run = _forward(
        x.shape, x.strides, weight.shape, weight.strides, padding, relu, pool, x.dtype, get_num_threads()
    )
    places = _empty_places(shape, x.itemsize) if pool else None
    if run is None:
        return empty_channels_last(shape, x.dtype), places
    return run(x, None, None, weight, bias, places), places


def _strides(array):
    return None if array is None else array.strides


def _input_gradient(grad, output, places, weight, input_size, padding):
    """Gradient of the input from the one after relu (if there is an output) and pool (if places)."""
    if grad.size == 0 or 0 in input_size or weight.size == 0:
        out = empty_channels_last((len(grad), weight.shape[1], *input_size), grad.dtype)
        out[...] = 0
        return out
    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    run = _backward(
        grad.shape, grad.strides, _strides(output), _strides(places), turned.shape, turned.strides,
        tuple(input_size), padding, grad.dtype, get_num_threads(),
    )  # fmt: skip
    return run(grad, output, places, turned, None, None)


def _weight_gradient(grad, output, places, x, padding, needs_weight=True):
    """Gradients of weight and bias from the one after relu (if there is an output) and pool (if places)."""
    if grad.size == 0:
        shape = (grad.shape[1], x.shape[1], 3, 3)
        return np.zeros(shape, grad.dtype), np.zeros(grad.shape[1], grad.dtype)
    run = _weight_gradients(
        grad.shape, grad.strides, _strides(output), _strides(places), x.shape, x.strides, padding,
        needs_weight, grad.dtype, get_num_threads(),
    )  # fmt: skip
    return run(grad, output, places, x)


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
    out = _side_by_side(out) if relu else None
    places = None if places is None else _side_by_side(places)
    dx = dw = db = None
    if needs[0]:
        dx = _input_gradient(grad, out, places, weight, x.shape[2:], padding)
    if needs[1] or needs[2]:
        dw, db = _weight_gradient(grad, out, places, x, padding, needs[1])
    return dx, dw if needs[1] else None, db if needs[2] else None


def winograd_input_gradient(grad, weight, input_size, padding=(0, 0)):
    """Gradient of a convolution with respect to its input of ``input_size`` (H, W).

    >>> winograd_input_gradient(np.ones((1, 1, 1, 1)), np.ones((1, 1, 3, 3)), (3, 3)).shape
    (1, 1, 3, 3)
    """
    return _input_gradient(grad, None, None, weight, input_size, padding)


def winograd_weight_gradient(grad, x, padding=(0, 0)):
    """Gradient of a convolution with respect to its weight (O, C, 3, 3).

    >>> winograd_weight_gradient(np.ones((1, 1, 1, 1)), np.ones((1, 1, 3, 3))).shape
    (1, 1, 3, 3)
    """
    return _weight_gradient(grad, None, None, x, padding)[0]


@functools.lru_cache(maxsize=1024)
def worth_winograd(x_shape, weight_shape, padding, pool):
    """Whether `winograd_forward` and `winograd_backward` apply and are faster than the direct kernels.

    Measured with 16 and more channels on both sides: 1.2 to 2.2 times as fast, forward and backward, for
    1 to 64 images.  With 8 channels the transforms cost more than the products save; on maps of 5 x 5,
    where tiles are 36 places for 25, the two are equal.

    >>> worth_winograd((64, 32, 16, 16), (32, 32, 3, 3), (1, 1), False)
    True
    """
    if weight_shape[2:] != (3, 3) or max(padding) > 2 or min(weight_shape[:2]) < 16:
        return False
    rows, columns = (size + 2 * pad - 2 for size, pad in zip(x_shape[2:], padding))
    if rows < 2 or columns < 2:
        return False
    tiles = (rows // 2) * (columns // 2) if pool else -(-rows // 2) * -(-columns // 2)
    return 3 * 16 * tiles <= 2 * 9 * rows * columns
