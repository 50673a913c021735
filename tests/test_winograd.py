"""Winograd's convolution against the direct one in float64: values, gradients, ties, strides."""

import numpy as np
import pytest

from ops.kernels import launch, pool
from ops.kernels.conv import conv2d, conv2d_input, conv2d_weight
from ops.kernels.winograd import (
    winograd_backward,
    winograd_forward,
    winograd_input_gradient,
    winograd_weight_gradient,
    worth_winograd,
)

DTYPES = [np.float32, np.float64]
# images, channels, rows, columns, output channels, padding
CASES = [
    (2, 16, 8, 8, 16, (1, 1)),
    (3, 17, 7, 9, 33, (1, 1)),
    (2, 33, 6, 5, 64, (0, 0)),
    (1, 64, 3, 3, 17, (0, 0)),
    (1, 16, 1, 1, 16, (1, 1)),
    (2, 3, 5, 6, 2, (2, 1)),
    (9, 32, 14, 14, 40, (1, 0)),  # several images a block
    (1, 24, 40, 40, 16, (1, 1)),  # several blocks an image
    (1, 200, 5, 5, 40, (1, 1)),  # several passes over the channels
    (1, 160, 7, 7, 160, (1, 1)),  # a weight gradient without partial sums
]


@pytest.fixture
def threads():
    """`set_num_threads`, undone at the end."""
    before = launch.get_num_threads()
    yield launch.set_num_threads
    launch.set_num_threads(before)


def inputs(case, dtype, seed=0):
    """Random x, weight, bias and padding."""
    images, channels, rows, columns, out_channels, padding = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((images, channels, rows, columns)).astype(dtype)
    weight = rng.standard_normal((out_channels, channels, 3, 3)).astype(dtype)
    return x, weight, rng.standard_normal(out_channels).astype(dtype), padding


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def spread_out(array):
    """The same values, every second element of a larger array of NaN."""
    wide = np.full([2 * size + 1 for size in array.shape], np.nan, array.dtype)
    part = wide[tuple(slice(1, None, 2) for _ in array.shape)]
    part[...] = array
    return part


def reverse(array):
    turn = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[turn])[turn]


def maxima(values):
    """Maxima of 2 x 2 windows and their places 0 to 3, by the pooling kernel."""
    images, channels, rows, columns = values.shape
    size = rows // 2, columns // 2
    planes = values.reshape(images * channels, rows, columns)
    best, index = pool.max_pool2d(planes, (2, 2), (2, 2), (0, 0), (1, 1), size)
    places = index // columns % 2 * 2 + index % columns % 2
    return best.reshape(images, channels, *size), places.reshape(images, channels, *size)


def unpool(grad, places, shape):
    """The gradient before the pooling."""
    wide = np.zeros(shape)
    for place in range(4):
        part = wide[:, :, place // 2 : grad.shape[2] * 2 : 2, place % 2 : grad.shape[3] * 2 : 2]
        part[...] = np.where(places == place, grad, 0)
    return wide


def near(actual, expected):
    """Relative to the largest value: a few units in the last place for each factor of ten terms."""
    assert actual.shape == expected.shape
    bound = 20 * np.finfo(actual.dtype).eps * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def is_channels_last(array):
    return array.strides[1] == array.itemsize or array.shape[1] == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, dtype):
    x, weight, bias, padding = inputs(case, dtype)
    wide = x.astype(float), weight.astype(float), bias.astype(float)
    expected = conv2d(*wide, padding=padding)
    out, places = winograd_forward(x, weight, bias, padding)
    assert places is None and out.dtype == dtype and is_channels_last(out)
    near(out, expected)
    positive = winograd_forward(x, weight, None, padding, relu=True)[0]
    near(positive, np.maximum(conv2d(*wide[:2], padding=padding), 0))
    grad = np.random.default_rng(1).standard_normal(expected.shape).astype(dtype)
    dx, dw, db = winograd_backward(grad, x, weight, None, None, padding)
    assert dx.dtype == dw.dtype == db.dtype == dtype
    assert is_channels_last(dx) and dw.flags.c_contiguous
    near(dx, conv2d_input(grad.astype(float), wide[1], x.shape, padding=padding))
    near(dw, conv2d_weight(grad.astype(float), wide[0], weight.shape, padding=padding))
    near(db, grad.astype(float).sum((0, 2, 3)))
    assert np.array_equal(dx, winograd_input_gradient(grad, weight, x.shape[2:], padding))
    assert np.array_equal(dw, winograd_weight_gradient(grad, x, padding))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if case[2] > 1])
def test_relu_and_pool(case, pooled, dtype):
    x, weight, bias, padding = inputs(case, dtype, seed=2)
    out, places = winograd_forward(x, weight, bias, padding, relu=True, pool=pooled)
    full, _ = winograd_forward(x, weight, bias, padding, relu=True)
    grad = np.random.default_rng(3).standard_normal(out.shape).astype(dtype)
    masked = np.where(out > 0, grad, 0).astype(float)
    if pooled:
        if 0 in out.shape:
            return
        best, winners = maxima(np.ascontiguousarray(full))
        assert np.array_equal(out, best) and np.array_equal(places, winners)
        assert places.dtype == np.uint8
        masked = unpool(masked, winners, full.shape)
    else:
        assert np.array_equal(out, full)
    expected = (
        conv2d_input(masked, weight.astype(float), x.shape, padding=padding),
        conv2d_weight(masked, x.astype(float), weight.shape, padding=padding),
        masked.sum((0, 2, 3)),
    )
    every_layout = (grad, channels_last(grad), spread_out(grad), reverse(grad))
    for array in every_layout:
        gradients = winograd_backward(array, x, weight, out, places, padding, True)
        for actual, wanted in zip(gradients, expected):
            near(actual, wanted)


def test_ties_and_nan():
    x = np.zeros((1, 16, 8, 8), np.float32)
    weight = np.zeros((16, 16, 3, 3), np.float32)
    weight[:, 0, 1, 1] = 1
    x[0, 0, :2, 2:4] = 5  # a tie: the first wins
    x[0, 0, 2, 0] = x[0, 0, 3, 0] = np.nan  # the last NaN wins
    x[0, 0, 4, 4:6] = [1, np.nan]
    out, places = winograd_forward(x, weight, None, (1, 1), relu=True, pool=True)
    full, _ = winograd_forward(x, weight, None, (1, 1), relu=True)
    best, winners = maxima(np.ascontiguousarray(full))
    assert np.array_equal(out, best, equal_nan=True) and np.array_equal(places, winners)
    assert out[0, 3, 0, 1] == 5 and places[0, 3, 0, 1] == 0
    assert np.isnan(out[0, :, 1, 0]).all()
    direct = conv2d(x, weight, padding=(1, 1))
    assert np.array_equal(np.isnan(full), np.isnan(direct))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_stride(dtype):
    x, weight, bias, padding = inputs((3, 20, 18, 17, 33, (1, 1)), dtype)
    expected = winograd_forward(x, weight, bias, padding)[0]
    grad = np.random.default_rng(4).standard_normal(expected.shape).astype(dtype)
    gradients = winograd_backward(grad, x, weight, None, None, padding)
    for layout in (channels_last, spread_out, reverse, np.asfortranarray):
        actual = winograd_forward(layout(x), layout(weight), bias[::-1].copy()[::-1], padding)[0]
        assert np.array_equal(actual, expected)
        actual = winograd_backward(layout(grad), layout(x), layout(weight), None, None, padding)
        assert all(map(np.array_equal, actual, gradients))
    same = np.broadcast_to(x[:1], x.shape)
    assert np.array_equal(
        winograd_forward(same, weight, bias, padding)[0],
        winograd_forward(same.copy(), weight, bias, padding)[0],
    )


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(
    "case", [(9, 32, 14, 14, 40, (1, 1)), (1, 64, 56, 56, 64, (1, 1)), (1, 160, 7, 7, 160, (1, 1))]
)
def test_threads_do_not_change_a_bit(threads, case, pooled):
    x, weight, bias, padding = inputs(case, np.float32)
    results = []
    for count in (1, 2):
        threads(count)
        out, places = winograd_forward(x, weight, bias, padding, True, pooled)
        grad = np.random.default_rng(5).standard_normal(out.shape).astype(np.float32)
        gradients = winograd_backward(grad, x, weight, out, places, padding, True)
        results.append((out, *gradients))
    assert all(map(np.array_equal, *results))


def test_needs_and_inputs_left_alone():
    x, weight, bias, padding = inputs(CASES[1], np.float32)
    out, places = winograd_forward(x, weight, bias, padding, True, True)
    grad = np.ones(out.shape, np.float32)
    arrays = grad, x, weight, out, places
    before = [array.copy() for array in arrays]
    wanted = winograd_backward(*arrays, padding, True)
    for number in range(8):
        needs = tuple(bool(number >> i & 1) for i in range(3))
        gradients = winograd_backward(*arrays, padding, True, needs)
        for need, actual, expected in zip(needs, gradients, wanted):
            assert np.array_equal(actual, expected) if need else actual is None
    assert all(map(np.array_equal, arrays, before))


@pytest.mark.parametrize("pooled", [False, True])
def test_empty_batch(pooled):
    x, weight, bias, padding = inputs((0, 16, 6, 6, 24, (1, 1)), np.float32)
    out, places = winograd_forward(x, weight, bias, padding, True, pooled)
    assert out.shape == ((0, 24, 3, 3) if pooled else (0, 24, 6, 6))
    dx, dw, db = winograd_backward(out, x, weight, out, places, padding, True)
    assert dx.shape == x.shape and not dw.any() and not db.any() and dw.shape == weight.shape


def test_no_more_rounding_than_the_direct_sum():
    x, weight, bias, padding = inputs((2, 64, 16, 16, 64, (1, 1)), np.float32)
    exact = conv2d(x.astype(float), weight.astype(float), bias.astype(float), padding=padding)
    direct = np.abs(conv2d(x, weight, bias, padding=padding) - exact).max()
    assert np.abs(winograd_forward(x, weight, bias, padding)[0] - exact).max() <= 3 * direct


def test_worth():
    assert worth_winograd((64, 32, 16, 16), (32, 32, 3, 3), (1, 1), False)
    assert not worth_winograd((64, 3, 16, 16), (32, 3, 3, 3), (1, 1), False)
    assert not worth_winograd((64, 32, 16, 16), (32, 32, 5, 5), (1, 1), False)
    assert not worth_winograd((64, 32, 1, 1), (32, 32, 3, 3), (1, 1), False)
