"""A convolution with what usually follows it, and its gradients, in channels-last memory.

`conv_block` computes ``max_pool2d(relu(conv2d(x, weight, bias)), 2)`` in one sweep; relu and pooling are
optional.  Shapes are PyTorch's (N, C, H, W); the memory of the results is channels-last.  Here is only
the choice of a way: Winograd's (`winograd`) where it is faster, behind a pooling the gradients of
`pooled_gradient`, else the direct sums of `conv_block_forward` and `conv_block_backward`, and the ops one
after another for several groups of channels and for empty arrays.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from . import conv
from . import pool as pooling
from .channels_last import empty_channels_last, to_channels_last
from .conv_block_backward import convolve_backward
from .conv_block_forward import Convolution, out_size
from .conv_small import SMALL_RESULT, SMALL_WORK, SmallConvolution
from .pooled_gradient import pooled_gradient, worth_pooled_gradient
from .winograd import winograd_backward, winograd_forward, worth_winograd

__all__ = ["conv_block", "conv_block_backward", "is_small", "prepared_block",
           "small_convolution"]  # fmt: skip

_WINDOW = (2, 2)


@functools.lru_cache(maxsize=1024)
def _ways(shape, weight_shape, stride, padding, dilation, groups, pool, itemsize) -> tuple[str, str]:
    """Which kernels compute the block, forward and backward: "plain" for groups and for what is empty."""
    size = out_size(shape[2:], weight_shape[2:], stride, padding, dilation)
    if groups != 1 or 0 in shape or 0 in weight_shape or min(size) < 1 + pool:
        return "plain", "plain"
    simple = weight_shape[2:] == (3, 3) and stride == dilation == (1, 1)
    winograd = simple and worth_winograd(shape, weight_shape, padding, pool)
    pooled = pool and worth_pooled_gradient(shape[1], weight_shape, dilation, itemsize)
    forward = "winograd" if winograd else "direct"
    return forward, "winners" if pooled else forward


def conv_block(x, weight, bias, stride, padding, dilation, groups, relu, pool):
    """Cross-correlation, plus bias, relu and 2 x 2 max-pooling with stride 2.

    Arguments:
        x: (N, C, H, W) float32 or float64, of any strides.
        weight: (O, C / groups, KH, KW) of the same dtype.
        bias: (O,) or None.
        stride, padding, dilation: pairs (rows, columns).
        groups: the channels are cut into so many groups, each with its own kernels.
        relu, pool: whether negative values become 0, and whether windows are pooled (after relu).

    Returns ``(out, places)``.  ``out`` (N, O, OH, OW) lies in channels-last memory.  ``places``, None
    without ``pool``, holds 2 * row + column of the largest pixel of every window as uint8: the first of
    equal ones, the last NaN, as `torch.nn.functional.max_pool2d` chooses.

    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> pair = (1, 1)
    >>> out, places = conv_block(x, np.ones((1, 1, 1, 1)), None, pair, (0, 0), pair, 1, True, True)
    >>> out.item(), places.item()
    (3.0, 3)
    """
    compute = prepared_block(x.shape, x.strides, x.dtype, weight.shape, bias is not None, stride, padding,
                             dilation, groups, relu, pool)  # fmt: skip
    return compute(x, weight, bias)


def prepared_block(shape, strides, dtype, weight_shape, has_bias, stride, padding, dilation, groups, relu,
                   pool):  # fmt: skip
    """The function of images, weight and bias that computes `conv_block` for arrays of one geometry.

    >>> one, pair = np.ones((1, 1, 1, 1)), (1, 1)
    >>> block = prepared_block(one.shape, one.strides, one.dtype, one.shape, False, pair, (0, 0), pair, 1,
    ...                        True, False)
    >>> block(one, 2 * one, None)[0].item()
    2.0
    """
    way, _ = _ways(shape, weight_shape, stride, padding, dilation, groups, pool, dtype.itemsize)
    if way == "winograd":
        return functools.partial(winograd_forward, padding=padding, relu=relu, pool=pool)
    if way == "direct":
        return Convolution(shape, strides, dtype, weight_shape, has_bias, stride, padding, dilation, relu,
                           pool)  # fmt: skip
    return functools.partial(_one_by_one, stride=stride, padding=padding, dilation=dilation, groups=groups,
                             relu=relu, pool=pool)  # fmt: skip


@functools.lru_cache(maxsize=4096)
def is_small(shape, weight_shape, stride, padding, dilation, groups, itemsize) -> bool:
    """Whether a convolution has so little to do that `small_convolution` is faster than what else there is.

    >>> one = (1, 1)
    >>> is_small((1, 4, 15, 15), (4, 4, 3, 3), one, one, one, 1, 4)
    True
    """
    way, _ = _ways(shape, weight_shape, stride, padding, dilation, groups, False, itemsize)
    size = out_size(shape[2:], weight_shape[2:], stride, padding, dilation)
    results = shape[0] * weight_shape[0] * math.prod(size)
    work = results * math.prod(weight_shape[1:])
    return way == "direct" and results <= SMALL_RESULT and work <= SMALL_WORK


def small_convolution(shape, strides, dtype, weight_shape, has_bias, stride, padding, dilation, groups,
                      signals) -> SmallConvolution | None:  # fmt: skip
    """As `prepared_block` without relu and pooling; None unless there is so little to do that it is worth it.

    The function gives nothing but the result, row-major; of ``signals``, images of one row, as (N, C, L).

    >>> one, pair = np.ones((1, 1, 1)), (1, 1)
    >>> shape, strides, weight_shape = (1, 1, 1, 1), (8, 8, 8, 8), (1, 1, 1, 1)
    >>> options = pair, (0, 0), pair, 1
    >>> convolve = small_convolution(shape, strides, one.dtype, weight_shape, False, *options, signals=True)
    >>> convolve(one, 2 * one, None)
    array([[[2.]]])
    """
    if not is_small(shape, weight_shape, stride, padding, dilation, groups, dtype.itemsize):
        return None
    return SmallConvolution(shape, strides, dtype, weight_shape, has_bias, stride, padding, dilation,
                            signals=signals)  # fmt: skip


def _one_by_one(x, weight, bias, stride, padding, dilation, groups, relu, pool):
    """The ops one after another; arguments as for `conv_block`."""
    values = conv.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if relu:
        np.maximum(values, 0, out=values)
    if not pool:
        return to_channels_last(values), None
    images, channels, rows, columns = values.shape
    shape = (images, channels, rows // 2, columns // 2)
    planes = values.reshape(images * channels, rows, columns)
    values, indices = pooling.max_pool2d(planes, _WINDOW, _WINDOW, (0, 0), (1, 1), shape[2:])
    places = indices // max(1, columns) % 2 * 2 + indices % max(1, columns) % 2
    out, numbers = to_channels_last(values.reshape(shape)), empty_channels_last(shape, np.dtype(np.uint8))
    numbers[...] = places.reshape(shape)
    return out, numbers


def _before_pooling(grad, places, rows, columns):
    """The gradient in front of a pooling: ``grad`` at the places that won, else 0."""
    images, channels, half_rows, half_columns = grad.shape
    wide = np.zeros((images, channels, rows, columns), grad.dtype)
    for place in range(4):
        row, column = divmod(place, 2)
        part = wide[:, :, row : 2 * half_rows : 2, column : 2 * half_columns : 2]
        part[...] = np.where(places == place, grad, 0)
    return wide


def conv_block_backward(
    grad, x, weight, out, places, stride, padding, dilation, groups, relu, needs
):
    """Gradients of `conv_block` with respect to its input, weight and bias.

    Arguments:
        grad: the gradient with respect to ``out``, of its shape and of any strides.
        x, weight, stride, padding, dilation, groups, relu: as for `conv_block`.
        out, places: what `conv_block` returned; ``out`` may be None without ``relu``.
        needs: three booleans; a gradient that is not needed is not computed, and None.

    Returns ``(dx, dw, db)``: dx in channels-last memory, dw C-contiguous.

    >>> x, pair = np.arange(4.0).reshape(1, 1, 2, 2), (1, 1)
    >>> weight = np.full((1, 1, 1, 1), 2.0)
    >>> out, places = conv_block(x, weight, None, pair, (0, 0), pair, 1, True, True)
    >>> dx, dw, db = conv_block_backward(
    ...     np.ones((1, 1, 1, 1)), x, weight, out, places, pair, (0, 0), pair, 1, True, (True,) * 3)
    >>> dx.ravel().tolist(), dw.item(), db.item()
    ([0.0, 0.0, 0.0, 2.0], 3.0, 1.0)
    """
    pool = places is not None
    _, way = _ways(x.shape, weight.shape, stride, padding, dilation, groups, pool, x.itemsize)
    if way == "winners":
        return pooled_gradient(grad, x, weight, out, places, stride, padding, relu, needs)
    if way == "winograd":
        return winograd_backward(grad, x, weight, out, places, padding, relu, needs)
    if way == "direct":
        return convolve_backward(grad, x, weight, out, places, stride, padding, dilation, relu, needs)
    if relu:
        grad = np.where(out > 0, grad, 0)
    if pool:
        size = out_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        grad = _before_pooling(grad, places, *size)
    geometry = (stride, padding, dilation, groups)
    dx = to_channels_last(conv.conv2d_input(grad, weight, x.shape, *geometry)) if needs[0] else None
    dw = conv.conv2d_weight(grad, x, weight.shape, *geometry) if needs[1] else None
    return dx, dw, grad.sum(axis=(0, 2, 3)) if needs[2] else None
