"""The convolution (a cross-correlation, as in every deep-learning library) and its two gradients.

Three ops are closed under differentiation: the convolution, its input gradient and its weight gradient
are each linear in two arguments, and the derivative of one is made of the other two.  Their arguments
are pairs of numbers that were checked before; users call the functions of `ops.convolution.functions`.
"""

from __future__ import annotations

import functools

import numpy as np

from ops.contracts import check_convolution, check_convolved, one_type, shaped
from ops.core import Joint, case, op
from ops.lazy import LazyModule
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import squeeze, unsqueeze

__all__ = ["convolution", "convolution_input", "convolution_weight", "pair", "signal_convolution"]

_kernels = LazyModule("ops.kernels.conv")
_blocks = LazyModule("ops.kernels.conv_block")


def pair(value, name: str, count: int = 2) -> tuple[int, ...]:
    """One number for all dimensions, or one for each.

    >>> pair(3, "stride"), pair((1, 2), "stride")
    ((3, 3), (1, 2))
    """
    if isinstance(value, (int, np.integer)):
        return (int(value),) * count
    if isinstance(value, str):
        raise TypeError(f"{name} must be an int or a tuple of ints, not str ({value!r})")
    values = tuple(int(v) for v in value)
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise RuntimeError(f"expected {name} to be a single integer value or a list of {count} values, "
                           f"but got {value}")
    return values


def output_size(input: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Number of windows along one dimension.

    >>> output_size(32, 5, 1, 0, 1)
    28
    """
    return (input + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def window_cases(rng):
    """Input, weight, stride, padding, dilation, groups."""
    yield (2, 2, 5, 4), (3, 2, 3, 2), (1, 1), (0, 0), (1, 1), 1
    yield (1, 4, 6, 5), (2, 2, 3, 3), (2, 1), (1, 2), (1, 1), 2
    yield (1, 1, 6, 6), (2, 1, 2, 2), (1, 2), (1, 0), (2, 3), 1
    yield (0, 2, 4, 4), (2, 2, 3, 3), (1, 1), (0, 0), (1, 1), 1


def _convolution_cases(rng):
    for x, w, *options in window_cases(rng):
        yield case(spaced(rng, x), spaced(rng, w), spaced(rng, (w[0],)), *options)


def _windows(input, weight_shape, stride, padding, dilation):
    """Every window of the padded input: (N, C, Ho, Wo, KH, KW); a slow and independent reference."""
    n, c, h, w = input.shape
    kh, kw = weight_shape[2:]
    padded = np.pad(input, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    ho, wo = (output_size(*d) for d in zip((h, w), (kh, kw), stride, padding, dilation))
    result = np.zeros((n, c, ho, wo, kh, kw))
    for i, j, a, b in np.ndindex(ho, wo, kh, kw):
        row, column = i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1]
        result[:, :, i, j, a, b] = padded[:, :, row, column]
    return result


def _reference(input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    windows = _windows(input, weight.shape, stride, padding, dilation)
    n, _, ho, wo = windows.shape[:4]
    grouped = windows.reshape(n, groups, weight.shape[1], *windows.shape[2:])
    filters = weight.reshape(groups, -1, *weight.shape[1:])
    result = np.einsum("ngchwab,gocab->ngohw", grouped, filters).reshape(n, len(weight), ho, wo)
    return result if bias is None else result + bias[:, None, None]


_LINEAR = {"zero_dim": "takes images", "bad": "checked by conv2d"}


def convolution_gradients(g, wanted, input, weight, stride, padding, dilation, groups):
    """Gradients of `convolution` by input, weight and bias; None for those that are not wanted.

    Arrays go through one pass over the images, Tensors through ops that can be differentiated again.

    >>> g, image, weight = np.ones((1, 1, 1, 1)), np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    >>> convolution_gradients(g, (False, False, True), image, weight, (1, 1), (0, 0), (1, 1), 1)[2]
    array([1.])
    """
    if isinstance(g, np.ndarray):
        return _blocks.conv_block_backward(g, input, weight, None, None, stride, padding, dilation, groups,
                                           False, wanted)
    options = stride, padding, dilation, groups
    return (
        convolution_input(g, weight, tuple(input.shape), *options) if wanted[0] else None,
        convolution_weight(g, input, tuple(weight.shape), *options) if wanted[1] else None,
        sum(g, (0, 2, 3)) if wanted[2] else None,
    )


def convolved(op: str, input, weight, bias, stride, padding, dilation, groups, relu=False, pool=False):
    """A convolution and what follows it, as the op of this name checks and computes it: values and places.

    >>> image, weight = np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1))
    >>> convolved("convolution_block", image, weight, None, (1, 1), (0, 0), (1, 1), 1)
    (array([[[[1.]]]]), None)
    """
    of_bias = (None, None) if bias is None else (bias.shape, bias.dtype)
    block = _prepared_block(op, input.shape, input.strides, input.dtype, weight.shape, weight.dtype, *of_bias,
                            stride, padding, dilation, groups, relu, pool)
    return block(input, weight, bias)


@functools.lru_cache(1024)  # training asks for the same geometry again and again
def _prepared_block(op, input_shape, strides, input_type, weight_shape, weight_type, bias_shape, bias_type,
                    stride, padding, dilation, groups, relu, pool):
    """The checked function of `convolved` for arrays of one geometry."""
    options = stride, padding, dilation, groups
    check_convolved(op, input_shape, input_type, weight_shape, weight_type, bias_shape, bias_type, *options)
    return _blocks.prepared_block(input_shape, strides, input_type, weight_shape, bias_shape is not None,
                                  *options, relu, pool)


def _convolve(signals: bool, input, weight, bias, stride, padding, dilation, groups):
    """The result of `convolution`, or of `signal_convolution`."""
    of_bias = (None, None) if bias is None else (bias.shape, bias.dtype)
    return _prepared(signals, input.shape, input.strides, input.dtype, weight.shape, weight.dtype, *of_bias,
                     stride, padding, dilation, groups)(input, weight, bias)


@functools.lru_cache(1024)
def _prepared(signals, input_shape, strides, input_type, weight_shape, weight_type, bias_shape, bias_type,
              stride, padding, dilation, groups):
    """The checked function of `_convolve` for arrays of one geometry.  A signal is an image of one row."""
    if signals:
        input_shape, weight_shape = ((*shape[:2], 1, *shape[2:]) for shape in (input_shape, weight_shape))
        strides, stride = (*strides[:2], 0, *strides[2:]), (1, *stride)
        padding, dilation = (0, *padding), (1, *dilation)
    options = stride, padding, dilation, groups
    check_convolved("convolution", input_shape, input_type, weight_shape, weight_type, bias_shape, bias_type,
                    *options)
    geometry = input_shape, strides, input_type, weight_shape, bias_shape is not None, *options
    small = _blocks.small_convolution(*geometry, signals)
    if small is not None:
        return small
    if groups == 1:
        block = _blocks.prepared_block(*geometry, False, False)
        convolve = lambda *arrays: block(*arrays)[0]
    else:  # no `convolution_block` passes it on, so that users see the memory: row-major, as PyTorch's
        convolve = functools.partial(_kernels.conv2d, stride=stride, padding=padding, dilation=dilation,
                                     groups=groups)
    if not signals:
        return convolve
    return lambda input, weight, bias: np.ascontiguousarray(
        convolve(input[:, :, None], weight[:, :, None], bias)[:, :, 0])


@op(
    grad=Joint(("input", "weight", "bias"), convolution_gradients), samples=_convolution_cases,
    reference=_reference, exempt=_LINEAR,
)
def convolution(input, weight, bias, stride, padding, dilation, groups):
    """`ops.conv2d` of arguments that were checked: pairs of numbers, a batch of images.

    >>> convolution(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), None, (1, 1), (0, 0), (1, 1), 1)[0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    return _convolve(False, input, weight, bias, stride, padding, dilation, groups)


def _signal_gradients(g, wanted, input, weight, stride, padding, dilation, groups):
    """`convolution_gradients` of signals."""
    g, input, weight = (unsqueeze(one, 2) for one in (g, input, weight))
    options = (1, *stride), (0, *padding), (1, *dilation), groups
    found = convolution_gradients(g, wanted, input, weight, *options)
    return (*(one if one is None else squeeze(one, 2) for one in found[:2]), found[2])


def _signal_reference(input, weight, bias, stride, padding, dilation, groups):
    options = (1, *stride), (0, *padding), (1, *dilation), groups
    return _reference(input[:, :, None], weight[:, :, None], bias, *options)[:, :, 0]


def _signal_cases(rng):
    yield case(spaced(rng, (2, 2, 6)), spaced(rng, (3, 2, 3)), spaced(rng, (3,)), (2,), (1,), (1,), 1)
    yield case(spaced(rng, (1, 4, 5)), spaced(rng, (2, 2, 2)), spaced(rng, (2,)), (1,), (0,), (2,), 2)
    yield case(spaced(rng, (0, 2, 4)), spaced(rng, (2, 2, 3)), spaced(rng, (2,)), (1,), (0,), (1,), 1)


@op(
    grad=Joint(("input", "weight", "bias"), _signal_gradients), samples=_signal_cases,
    reference=_signal_reference, exempt={"zero_dim": "takes signals", "bad": "checked by conv1d"},
)
def signal_convolution(input, weight, bias, stride, padding, dilation, groups):
    """`ops.conv1d` of arguments that were checked: tuples of one number, a batch of signals.

    A signal is an image of one row.

    >>> signal_convolution(np.ones((1, 1, 3)), np.ones((1, 1, 2)), None, (1,), (0,), (1,), 1)
    array([[[2., 2.]]])
    """
    return _convolve(True, input, weight, bias, stride, padding, dilation, groups)


def _input_cases(rng):
    for x, w, stride, padding, dilation, groups in window_cases(rng):
        out = [output_size(*d) for d in zip(x[2:], w[2:], stride, padding, dilation)]
        given = spaced(rng, (x[0], w[0], *out)), spaced(rng, w), x, stride, padding, dilation, groups
        yield case(*given)
        yield case(*given, spaced(rng, (x[1],)))


def _input_reference(grad, weight, input_shape, stride, padding, dilation, groups, bias=None):
    n, c, h, w = input_shape
    result = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]))
    outs = weight.shape[0] // groups
    for o, i, j, a, b in np.ndindex(weight.shape[0], *grad.shape[2:], *weight.shape[2:]):
        first = o // outs * weight.shape[1]
        channels = slice(first, first + weight.shape[1])
        row, column = i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1]
        result[:, channels, row, column] += grad[:, o, i, j, None] * weight[o, :, a, b]
    result = result[:, :, padding[0]:padding[0] + h, padding[1]:padding[1] + w]
    return result if bias is None else result + bias[:, None, None]


@op(
    grad=dict(
        grad=lambda g, weight, stride, padding, dilation, groups: convolution(
            g, weight, None, stride, padding, dilation, groups),
        weight=lambda g, grad, weight_shape, stride, padding, dilation, groups: convolution_weight(
            grad, g, weight_shape, stride, padding, dilation, groups),
        bias=lambda g: sum(g, (0, 2, 3)),
    ),
    samples=_input_cases, reference=_input_reference, exempt=_LINEAR,
)
def convolution_input(grad, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Gradient of `convolution` with respect to its input, given that of its output.

    As a transposed convolution it may have a bias, one number for each channel of the result.

    >>> g, weight = np.ones((1, 1, 1, 1)), np.ones((1, 1, 2, 2))
    >>> convolution_input(g, weight, (1, 1, 2, 2), (1, 1), (0, 0), (1, 1), 1)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    name = "convolution_input"
    one_type(name, grad=grad, weight=weight, bias=bias)
    shaped(name, "bias", bias, input_shape[1:2])
    shaped(name, "grad", grad, check_convolution(name, input_shape, weight.shape, stride, padding, dilation,
                                                 groups))
    result = _kernels.conv2d_input(grad, weight, tuple(input_shape), stride, padding, dilation, groups)
    if bias is not None:
        result += bias[:, None, None]
    return result


def _weight_cases(rng):
    for x, w, stride, padding, dilation, groups in window_cases(rng):
        out = [output_size(*d) for d in zip(x[2:], w[2:], stride, padding, dilation)]
        yield case(spaced(rng, (x[0], w[0], *out)), spaced(rng, x), w, stride, padding, dilation, groups)


def _weight_reference(grad, input, weight_shape, stride, padding, dilation, groups):
    windows = _windows(input, weight_shape, stride, padding, dilation)
    result = np.zeros(weight_shape)
    outs = weight_shape[0] // groups
    for o in range(weight_shape[0]):
        first = o // outs * weight_shape[1]
        result[o] = np.einsum("nhw,nchwab->cab", grad[:, o], windows[:, first:first + weight_shape[1]])
    return result


@op(
    grad=dict(
        grad=lambda g, input, stride, padding, dilation, groups: convolution(
            input, g, None, stride, padding, dilation, groups),
        input=lambda g, grad, input_shape, stride, padding, dilation, groups: convolution_input(
            grad, g, input_shape, stride, padding, dilation, groups),
    ),
    samples=_weight_cases, reference=_weight_reference, exempt=_LINEAR,
)
def convolution_weight(grad, input, weight_shape, stride, padding, dilation, groups):
    """Gradient of `convolution` with respect to its weight, given that of its output.

    >>> g, image = np.ones((1, 1, 1, 1)), np.ones((1, 1, 2, 2))
    >>> convolution_weight(g, image, (1, 1, 2, 2), (1, 1), (0, 0), (1, 1), 1)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    name = "convolution_weight"
    one_type(name, grad=grad, input=input)
    shaped(name, "grad", grad, check_convolution(name, input.shape, weight_shape, stride, padding, dilation,
                                                 groups))
    return _kernels.conv2d_weight(grad, input, tuple(weight_shape), stride, padding, dilation, groups)
