"""The kernels of convolutions against float64 sums written with NumPy alone."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.kernels import correlation
from ops.kernels.conv import conv2d, conv2d_input, conv2d_weight
from tests.kernel_helpers import DTYPES, EXAMPLES, LAYOUTS, assert_sums, normal


def patches(x, kernel, out_size, stride, padding, dilation):
    """View (N, C, KH, KW, OH, OW) of the values of x that each tap meets."""
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    n, c, h, w = x.strides
    strides = (n, c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1])
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out_size), strides)


def reference(x, weight, grad, stride, padding, dilation, groups):
    """Convolution, input gradient and weight gradient by their definitions, in float64."""
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    images, channels, *size = x.shape
    out_channels, group_channels, *kernel = weight.shape
    out_size = [correlation.output_size(*axis) for axis in zip(size, kernel, stride, padding, dilation)]
    views = patches(x, kernel, out_size, stride, padding, dilation)
    views = views.reshape(images, groups, group_channels, *kernel, *out_size)
    kernels = weight.reshape(groups, out_channels // groups, group_channels, *kernel)
    out = np.einsum("ngchwij,gochw->ngoij", views, kernels).reshape(images, out_channels, *out_size)
    if grad is None:
        return out
    grad = grad.astype(np.float64).reshape(images, groups, out_channels // groups, *out_size)
    weight_grad = np.einsum("ngchwij,ngoij->gochw", views, grad).reshape(weight.shape)
    padded = np.zeros((images, channels, *(n + 2 * p for n, p in zip(size, padding))))
    for h, w in np.ndindex(*kernel):
        part = np.einsum("ngoij,goc->ngcij", grad, kernels[..., h, w]).reshape(
            images, channels, *out_size
        )
        rows, columns = (
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip((h, w), dilation, stride, out_size)
        )
        padded[:, :, rows, columns] += part
    (top, left), (height, width) = padding, size
    return out, padded[:, :, top : top + height, left : left + width], weight_grad


def check_convolution(
    rng, dtype, x_shape, weight_shape, stride, padding, dilation, groups, layouts=("C", "C", "C")
):
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    x, weight = normal(rng, x_shape, dtype, layouts[0]), normal(rng, weight_shape, dtype, layouts[1])
    bias = normal(rng, weight_shape[:1], dtype)
    grad = normal(rng, reference(x, weight, None, **options).shape, dtype, layouts[2])
    actual = (
        conv2d(x, weight, bias, **options) - bias[:, None, None],
        conv2d(x, weight, **options),
        conv2d_input(grad, weight, x_shape, **options),
        conv2d_weight(grad, x, weight_shape, **options),
    )
    expected = reference(x, weight, grad, **options)
    absolute = reference(np.abs(x), np.abs(weight), np.abs(grad), **options)
    for result, i in zip(actual, (0, 0, 1, 2)):
        assert result.dtype == dtype
        margin = 10 if i == 0 else 0  # the bias was added and taken away
        assert_sums(result, expected[i], absolute[i] + margin, np.prod(x_shape[2:]) * x_shape[0])


@st.composite
def convolutions(draw):
    """Shapes and options of a convolution whose output is not empty."""
    pair = lambda low, high: draw(st.tuples(st.integers(low, high), st.integers(low, high)))
    kernel, stride, padding, dilation = pair(1, 5), pair(1, 4), pair(0, 4), pair(1, 3)
    groups, channels, out_channels = (
        draw(st.sampled_from([1, 1, 2, 4])),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 11)),
    )
    extra = pair(0, 20)
    size = [max(1, d * (k - 1) + 1 - 2 * p + e) for k, p, d, e in zip(kernel, padding, dilation, extra)]
    x_shape = (draw(st.integers(1, 4)), groups * channels, *size)
    return x_shape, (groups * out_channels, channels, *kernel), stride, padding, dilation, groups


@given(
    case=convolutions(),
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(*[st.sampled_from(LAYOUTS)] * 3),
)
@settings(max_examples=5 * EXAMPLES)
def test_convolution_any_shape(case, dtype, layouts):
    check_convolution(np.random.default_rng(4), dtype, *case, layouts)


@given(
    case=convolutions(),
    images=st.integers(1, 40),
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(*[st.sampled_from(LAYOUTS)] * 3),
)
@settings(max_examples=3 * EXAMPLES)
def test_convolution_tap_by_tap(case, images, dtype, layouts):
    """Any shape as if its maps were small (see `conv_taps`), whatever is faster."""
    always = dict(worth_taps=lambda *shape, **how: True, worth_weight_taps=lambda *shape: True)
    (_, *image), *rest = case
    with mock.patch.multiple("ops.kernels.conv", **always):
        check_convolution(np.random.default_rng(7), dtype, (images, *image), *rest, layouts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "case",
    [
        ((3, 3, 20, 33), (16, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((40, 6, 5, 5), (7, 6, 5, 5), (1, 1), (0, 0), (1, 1), 1),  # 1 x 1 output, many images in a block
        ((2, 20, 9, 9), (20, 1, 3, 3), (2, 2), (1, 1), (1, 1), 20),  # depthwise
        ((2, 2, 1, 2), (3, 2, 5, 4), (1, 2), (3, 4), (1, 1), 1),  # kernel larger than the image
        ((1, 2, 7, 7), (3, 2, 1, 1), (3, 3), (0, 0), (1, 1), 1),  # pixels that no tap reads
        ((2, 2, 6, 6), (3, 2, 2, 2), (1, 1), (5, 5), (1, 1), 1),  # padding beyond the kernel's reach
        ((2, 3, 15, 17), (4, 3, 3, 3), (2, 1), (4, 2), (3, 2), 1),
        ((9, 64, 4, 4), (40, 64, 5, 5), (2, 2), (2, 2), (1, 1), 1),  # a plane for every tap
        ((33, 32, 8, 8), (48, 32, 5, 5), (2, 2), (2, 2), (1, 1), 1),  # tap by tap
        ((64, 48, 7, 6), (32, 24, 3, 2), (1, 1), (1, 0), (1, 1), 2),
        ((70, 8, 16, 16), (24, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((1, 8, 70, 70), (8, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ],
)
def test_convolution_shapes(dtype, case):
    check_convolution(np.random.default_rng(5), dtype, *case)


def test_convolution_of_nothing():
    weight = np.ones((2, 3, 3, 3), np.float32)
    assert conv2d(np.ones((0, 3, 5, 5), np.float32), weight).shape == (0, 2, 3, 3)
    assert conv2d_input(np.ones((0, 2, 3, 3), np.float32), weight, (0, 3, 5, 5)).shape == (0, 3, 5, 5)
    grad = conv2d_weight(
        np.ones((0, 2, 3, 3), np.float32), np.ones((0, 3, 5, 5), np.float32), weight.shape
    )
    assert grad.shape == weight.shape and not grad.any()


def test_plans_are_kept_and_bounded():
    x, weight = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
    conv2d(x, weight)
    hits = correlation.output_plan.cache_info().hits
    conv2d(x, weight)
    assert correlation.output_plan.cache_info().hits == hits + 1
    assert correlation.output_plan.cache_info().maxsize is not None
