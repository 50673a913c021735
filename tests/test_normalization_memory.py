"""Normalization and average pooling of channels-last images: same values, memory kept, threads agree."""

import numpy as np
import pytest

import ops
from ops.kernels.channels_last import empty_channels_last
from ops.kernels.launch import get_num_threads, set_num_threads


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def dense(image):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(image, 1, -1)), -1, 1)


def padded(image):
    result = empty_channels_last(image.shape, image.dtype)
    result[...] = image
    return result


SHAPES = [(6, 5, 7, 8), (2, 16, 3, 3), (20, 33, 20, 20)]


def normalized(image, cotangent, weight, groups):
    values, mean, variance = ops.channel_norm(image, weight, weight, groups, 1e-5)
    slope = ops.channel_norm_input(cotangent, image, weight, mean, variance, groups, 1e-5)
    return values, slope, ops.channel_norm_weight(cotangent, image, mean, variance, groups, 1e-5)


@pytest.mark.parametrize("layout", [dense, padded])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_keeps_channels_last(shape, layout):
    rng = np.random.default_rng(0)
    image, g = (rng.normal(5, 2, shape).astype(np.float32) for _ in range(2))
    weight = rng.normal(size=shape[1]).astype(np.float32)
    expected = normalized(image, g, weight, None)
    found = normalized(layout(image), layout(g), weight, None)
    for mine, other in zip(found, expected):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    assert found[0].strides == found[1].strides == layout(image).strides


@pytest.mark.parametrize("layout", [np.array, dense, padded])
@pytest.mark.parametrize("groups", [None, 1, 3])
def test_norms_have_the_same_bits_for_any_number_of_threads(groups, layout, threads):
    rng = np.random.default_rng(0)
    image, g = (layout(rng.normal(size=SHAPES[2]).astype(np.float32)) for _ in range(2))
    weight, results = np.ones(SHAPES[2][1], np.float32), []
    for count in (1, 2):
        threads(count)
        results.append(normalized(image, g, weight, groups))
    for one, two in zip(*results):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_statistics_of_large_means(mean):
    """float32 against float64: the deviations are squared, not the elements."""
    image = np.random.default_rng(0).normal(mean, 1, (8, 4, 40, 40)).astype(np.float32)
    for layout in (np.array, dense):
        _, _, variance = ops.channel_norm(layout(image), None, None, None, 1e-5)
        np.testing.assert_allclose(variance, image.astype(np.float64).var((0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("layout", [dense, padded])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_average_pooling_of_channels_last(shape, dtype, layout):
    image = np.random.default_rng(0).normal(size=shape).astype(dtype)
    cases = [(lambda x: ops.avg_pool2d(x, 2)), (lambda x: ops.avg_pool2d(x, 3, 2, 1, True, False)),
             (lambda x: ops.adaptive_avg_pool2d(x, 1)), (lambda x: ops.adaptive_avg_pool2d(x, (2, 3))),
             (lambda x: ops.adaptive_avg_pooling_backward(x, (9, 11)))]
    for function in cases:
        found = function(layout(image))
        np.testing.assert_allclose(found, function(image), rtol=1e-5, atol=1e-6)
        assert found.strides[1] == found.itemsize
