"""Convolution blocks in channels-last memory: values, places and gradients against float64 references."""

import numpy as np
import pytest

import tinygrad_hw as torch
from ops.kernels import conv
from ops.kernels import pool as pooling
from ops.kernels.channels_last import empty_channels_last, to_channels_first, to_channels_last
from ops.kernels.conv_block import conv_block, conv_block_backward, prepared_block, small_convolution
from ops.kernels.launch import get_num_threads, set_num_threads

# images, channels, size, output channels, kernel, stride, padding, dilation, relu, pool
CASES = [
    (2, 3, (9, 11), 16, (3, 3), (1, 1), (0, 0), (1, 1), True, True),
    (3, 16, (8, 8), 33, (3, 3), (1, 1), (1, 1), (1, 1), True, False),
    (9, 16, (8, 7), 32, (3, 3), (1, 1), (1, 1), (1, 1), True, True),
    (9, 1, (7, 7), 6, (5, 5), (1, 1), (2, 2), (1, 1), False, True),
    (5, 6, (14, 14), 16, (5, 5), (1, 1), (0, 0), (1, 1), True, True),
    (3, 32, (7, 6), 20, (3, 3), (1, 1), (1, 1), (1, 1), True, True),
    (4, 20, (9, 12), 35, (5, 5), (1, 1), (0, 1), (1, 1), True, True),
    (2, 3, (17, 15), 7, (5, 5), (2, 1), (1, 2), (1, 1), True, True),
    (12, 6, (9, 9), 3, (5, 5), (2, 2), (2, 2), (1, 1), True, False),
    (20, 5, (4, 4), 40, (1, 1), (1, 1), (0, 0), (1, 1), True, False),
    (1, 33, (13, 13), 6, (3, 3), (1, 1), (2, 2), (2, 2), True, True),
    (4, 40, (7, 7), 17, (1, 1), (2, 2), (0, 0), (1, 1), True, False),
    (11, 33, (4, 4), 48, (5, 5), (2, 2), (2, 2), (1, 1), True, False),
    (8, 1, (3, 3), 1, (3, 3), (2, 2), (1, 1), (1, 1), False, False),
    (3, 7, (10, 9), 9, (3, 2), (3, 1), (1, 0), (2, 1), False, False),
    (1, 3, (40, 40), 20, (7, 7), (2, 2), (3, 3), (1, 1), True, False),
    (2, 4, (6, 6), 8, (2, 3), (1, 2), (1, 1), (3, 1), True, True),
    (3, 3, (12, 50), 6, (5, 5), (1, 1), (0, 0), (1, 1), True, True),
    (2, 1, (9, 43), 3, (3, 3), (1, 1), (1, 1), (1, 1), False, True),
    (3, 5, (11, 13), 9, (3, 3), (1, 1), (1, 0), (1, 1), True, True),
    (2, 24, (31, 30), 20, (3, 3), (2, 2), (1, 1), (1, 1), True, False),
    (2, 40, (29, 20), 12, (5, 5), (1, 1), (0, 0), (1, 1), True, True),
    (16, 9, (18, 17), 1, (3, 3), (1, 1), (1, 1), (1, 1), False, False),
    (16, 15, (18, 17), 20, (3, 3), (2, 2), (1, 1), (1, 1), True, False),
]
NAMES = ["x".join(map(str, (case[0], case[1], *case[2]))) + f"-{case[3]}" for case in CASES]


def make(case, dtype, seed=0):
    """Inputs, weights, bias, and the arguments that follow them."""
    images, channels, size, out_channels, kernel, stride, padding, dilation, relu, pool = case
    rng = np.random.default_rng(seed)
    shapes = (images, channels, *size), (out_channels, channels, *kernel), (out_channels,)
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, weight, bias, (stride, padding, dilation, 1, relu), pool


def reference(x, weight, bias, geometry, pool):
    """What the ops give one after another in float64."""
    stride, padding, dilation, groups, relu = geometry
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    values = conv.conv2d(x, weight, bias.astype(np.float64), stride, padding, dilation, groups)
    values = np.where(values < 0, 0, values) if relu else values
    if not pool:
        return values, None
    images, channels, rows, columns = values.shape
    size = (rows // 2, columns // 2)
    planes = values.reshape(images * channels, rows, columns)
    values, places = pooling.max_pool2d(planes, (2, 2), (2, 2), (0, 0), (1, 1), size)
    places = places // columns % 2 * 2 + places % columns % 2
    return values.reshape(images, channels, *size), places.reshape(images, channels, *size)


def reference_backward(grad, x, weight, out, places, geometry):
    """The gradients, formed one after another in float64."""
    stride, padding, dilation, groups, relu = geometry
    grad = np.where(out > 0, grad, 0) if relu else grad
    grad, x, weight = (array.astype(np.float64) for array in (grad, x, weight))
    if places is not None:
        rows, columns = conv.conv2d(x, weight, None, stride, padding, dilation, groups).shape[2:]
        images, channels, half_rows, half_columns = grad.shape
        wide = np.zeros((images, channels, rows, columns))
        n, c, i, j = np.indices(grad.shape)
        wide[n, c, 2 * i + places // 2, 2 * j + places % 2] = grad
        grad = wide
    geometry = (stride, padding, dilation, groups)
    dx = conv.conv2d_input(grad, weight, x.shape, *geometry)
    return dx, conv.conv2d_weight(grad, x, weight.shape, *geometry), grad.sum(axis=(0, 2, 3))


def channels_last(array):
    """The same values in channels-last memory without gaps."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def assert_near(got, wanted, dtype):
    assert got.shape == wanted.shape and got.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert np.abs(got - wanted).max() <= tolerance * (1 + np.abs(wanted).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_values_places_and_gradients(case, dtype):
    x, weight, bias, geometry, pool = make(case, dtype)
    for images in (x, channels_last(x), to_channels_last(x)):
        out, places = conv_block(images, weight, bias, *geometry, pool)
        wanted, wanted_places = reference(x, weight, bias, geometry, pool)
        assert_near(out, wanted, dtype)
        assert out.strides[1] == out.itemsize
        assert pool == (places is not None)
        if pool and dtype == np.float64:
            np.testing.assert_array_equal(places, wanted_places)
        grad = np.random.default_rng(1).standard_normal(out.shape).astype(dtype)
        wanted = reference_backward(grad, x, weight, out, places, geometry)
        for cotangent in (grad, channels_last(grad), to_channels_last(grad)):
            got = conv_block_backward(
                cotangent, images, weight, out, places, *geometry, (True, True, True)
            )
            for array, reference_array in zip(got, wanted):
                assert_near(array, reference_array, dtype)
            assert got[1].flags.c_contiguous


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_same_bits_for_one_and_two_threads(case):
    x, weight, bias, geometry, pool = make(case, np.float32)
    # Enough images that two threads really share the work.
    x = np.concatenate([x] * 40)
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2):
            set_num_threads(threads)
            out, places = conv_block(x, weight, bias, *geometry, pool)
            grads = conv_block_backward(
                np.cos(out), x, weight, out, places, *geometry, (True, True, True)
            )
            results.append([out, *grads] + ([places] if pool else []))
    finally:
        set_num_threads(before)
    for one, two in zip(*results):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("needs", [(True, False, False), (False, True, False), (False, False, True)])
@pytest.mark.parametrize("case", [CASES[0], CASES[5], CASES[12]], ids=["pooled", "patches", "small maps"])
def test_only_what_is_needed_is_computed(case, needs):
    x, weight, bias, geometry, pool = make(case, np.float32)
    out, places = conv_block(x, weight, bias, *geometry, pool)
    grad = np.ones_like(out)
    every = conv_block_backward(grad, x, weight, out, places, *geometry, (True, True, True))
    some = conv_block_backward(grad, x, weight, out, places, *geometry, needs)
    for need, mine, wanted in zip(needs, some, every):
        assert (mine is None) != need
        if need:
            np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("channels,kernel", [(1, 5), (3, 5), (6, 5), (16, 3), (32, 3)])
def test_a_winner_reaches_its_patch_and_nothing_else(channels, kernel):
    """Patches are read and written in whole vectors; what lies beside them stays zero all the same."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, channels, 12, 12)), rng.standard_normal((5, channels, kernel, kernel))
    geometry = (1, 1), (0, 0), (1, 1), 1, True
    out, places = conv_block(x, weight, np.full(5, 100.0), *geometry, True)
    grad = np.zeros_like(out)
    grad[1, 2, 1, 2] = np.inf
    dx, dw, db = conv_block_backward(grad, x, weight, out, places, *geometry, (True, True, True))
    row, column = 2 + places[1, 2, 1, 2] // 2, 4 + places[1, 2, 1, 2] % 2
    patch = (1, slice(None), slice(row, row + kernel), slice(column, column + kernel))
    np.testing.assert_array_equal(dx[patch], np.inf * weight[2])
    np.testing.assert_array_equal(dw[2], np.inf * x[patch])
    dx[patch] = 0
    assert not dx.any() and db.tolist() == [0, 0, np.inf, 0, 0]


def test_without_bias_and_without_relu_out_is_not_read():
    x, weight, _, geometry, _ = make(CASES[1], np.float64)
    geometry = (*geometry[:4], False)
    out, _ = conv_block(x, weight, None, *geometry, False)
    assert_near(out, reference(x, weight, np.zeros(len(weight)), geometry, False)[0], np.float64)
    grad = np.ones_like(out)
    got = conv_block_backward(grad, x, weight, None, None, *geometry, (True, True, True))
    for mine, wanted in zip(got, reference_backward(grad, x, weight, out, None, geometry)):
        assert_near(mine, wanted, np.float64)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_and_nan_choose_as_pooling_does(relu, dtype):
    """A 1 x 1 kernel of one copies the image, whose windows hold ties, NaN and infinities."""
    rng = np.random.default_rng(2)
    values = np.array([-1, 0, 0, 1, 1, np.nan, np.inf, -np.inf], dtype)
    x = rng.choice(values, (50, 1, 7, 9), p=[0.2, 0.2, 0.1, 0.15, 0.1, 0.15, 0.05, 0.05])
    geometry = ((1, 1), (0, 0), (1, 1), 1, relu)
    out, places = conv_block(x, np.ones((1, 1, 1, 1), dtype), None, *geometry, True)
    clipped = np.where(x < 0, 0, x) if relu else x
    planes = clipped.reshape(50, 7, 9)
    wanted, wanted_places = pooling.max_pool2d(planes, (2, 2), (2, 2), (0, 0), (1, 1), (3, 4))
    np.testing.assert_array_equal(out[:, 0], wanted)
    np.testing.assert_array_equal(places[:, 0], wanted_places // 9 % 2 * 2 + wanted_places % 9 % 2)


@pytest.mark.parametrize("case", [CASES[0], CASES[5]], ids=["pooled", "strided"])
def test_nan_passes_and_relu_stops_negative_values(case):
    x, weight, bias, geometry, pool = make(case, np.float32)
    x[0, 0, 4, 4] = np.nan
    out, _ = conv_block(x, weight, bias, *geometry, pool)
    assert np.isnan(out[0]).any() and not np.isnan(out[1:]).any()
    assert np.nanmin(out) >= 0


@pytest.mark.parametrize("case", CASES[:6], ids=NAMES[:6])
def test_any_strides(case):
    """Flipped, broadcast and sliced arrays as images, weights and cotangents."""
    x, weight, bias, geometry, pool = make(case, np.float32)
    flipped = np.flip(x, (1, 2, 3))
    sliced = np.repeat(x, 2, axis=3)[..., ::2]
    constant = np.broadcast_to(x[:1, :1, :, :1], x.shape)
    turned = np.asfortranarray(weight)
    for images in (flipped, sliced, constant):
        out, places = conv_block(images, turned, bias[::-1], *geometry, pool)
        assert_near(out, reference(images, weight, bias[::-1], geometry, pool)[0], np.float32)
        cotangents = np.broadcast_to(np.float32(0.5), out.shape), np.flip(np.cos(out), (0, 1, 3))
        for grad in cotangents:
            got = conv_block_backward(
                grad, images, turned, out, places, *geometry, (True, True, True)
            )
            wanted = reference_backward(grad, images, weight, out, places, geometry)
            for mine, array in zip(got, wanted):
                assert_near(mine, array, np.float32)


@pytest.mark.parametrize("channels", [1, 4, 5, 6, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_along_pixels_give_the_bits_of_vectors_along_channels(channels, dtype):
    case = 3, 2, (12, 45), channels, (3, 5), (2, 1), (0, 0), (1, 2), True, True
    x, weight, bias, geometry, pool = make(case, dtype)
    x[0, 0, 3, 4] = np.nan
    by_line = conv_block(x, weight, bias, *geometry, pool)
    turned = x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    by_channel = conv_block(turned, weight, bias, *geometry, pool)
    for ours, other in zip(by_line, by_channel):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("pool", [False, True])
def test_groups(pool):
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((3, 6, 9, 8)), rng.standard_normal((9, 2, 3, 3))
    bias, geometry = rng.standard_normal(9), ((1, 1), (1, 1), (1, 1), 3, True)
    out, places = conv_block(x, weight, bias, *geometry, pool)
    assert_near(out, reference(x, weight, bias, geometry, pool)[0], np.float64)
    grad = rng.standard_normal(out.shape)
    got = conv_block_backward(grad, x, weight, out, places, *geometry, (True, True, True))
    for mine, wanted in zip(got, reference_backward(grad, x, weight, out, places, geometry)):
        assert_near(mine, wanted, np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_small_convolutions_are_the_same_bits_in_row_major_memory(case, dtype):
    x, weight, bias, (*options, _), _ = make((1, 2, case[2], 3, *case[4:]), dtype)
    for images, taps, numbers in ((x, weight, bias), (channels_last(x), np.asfortranarray(weight), None)):
        geometry = images.shape, images.strides, images.dtype, taps.shape, numbers is not None, *options
        convolve = small_convolution(*geometry, False)
        if convolve is not None:
            values = convolve(images, taps, numbers)
            assert values.flags.c_contiguous
            block = prepared_block(*geometry, False, False)
            np.testing.assert_array_equal(values, block(images, taps, numbers)[0])


@pytest.mark.parametrize("groups", [1, 2, "each"])
@pytest.mark.parametrize("channels, size", [(4, 15), (16, 4), (16, 5), (6, 9), (32, 12)])
def test_results_are_row_major_whether_put_off_or_not(channels, size, groups):
    groups = channels if groups == "each" else groups
    x, weight = torch.ones(2, channels, size, size), torch.ones(channels, channels // groups, 3, 3)
    assert torch.nn.functional.conv2d(x, weight, padding=1, groups=groups).view(-1).sum() > 0


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8, 8), (2, 3, 3, 3)])
def test_empty_batches_channels_and_pooled_maps(shape):
    x, weight = np.ones(shape, np.float32), np.ones((5, shape[1], 3, 3), np.float32)
    geometry = ((1, 1), (0, 0), (1, 1), 1, True)
    out, places = conv_block(x, weight, np.ones(5, np.float32), *geometry, True)
    assert out.shape == places.shape == (shape[0], 5, (shape[2] - 2) // 2, (shape[3] - 2) // 2)
    grads = conv_block_backward(out, x, weight, out, places, *geometry, (True, True, True))
    assert [grad.shape for grad in grads] == [x.shape, weight.shape, (5,)]
    assert all(np.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 1, 1), (3, 33, 7, 7), (2, 16, 1, 40), (0, 2, 3, 3),
                                   (1, 70, 40, 41)])  # fmt: skip
def test_copies_between_memory_orders(shape, dtype):
    x = np.random.default_rng(4).integers(0, 200, shape).astype(dtype)
    views = [x, channels_last(x), to_channels_last(x), np.flip(x, 3), x.repeat(2, axis=1)[:, ::2],
             np.broadcast_to(x[:, :1], shape)]  # fmt: skip
    for view in views:
        first, last = to_channels_first(view), to_channels_last(view)
        np.testing.assert_array_equal(first, view)
        np.testing.assert_array_equal(last, view)
        assert first.flags.c_contiguous
        assert last.strides == empty_channels_last(shape, x.dtype).strides


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 16])
def test_an_infinite_gradient_reaches_its_patch_alone(channels):
    """Tiles are wider than a patch: what lies beside it is not touched, not even by 0 times infinity."""
    rng, pair = np.random.default_rng(0), (1, 1)
    x = rng.standard_normal((1, channels, 12, 12)).astype(np.float32)
    weight = rng.standard_normal((3, channels, 5, 5)).astype(np.float32)
    out, places = conv_block(x, weight, None, pair, (0, 0), pair, 1, False, True)
    grad = np.zeros(out.shape, np.float32)
    grad[0, 1, 1, 1] = np.inf
    dx, _, _ = conv_block_backward(grad, x, weight, out, places, pair, (0, 0), pair, 1, False, (True,) * 3)
    row, column = 2 + places[0, 1, 1, 1] // 2, 2 + places[0, 1, 1, 1] % 2
    reached = np.zeros((12, 12), bool)
    reached[row:row + 5, column:column + 5] = True
    assert not np.isfinite(dx[0, :, reached]).any() and (dx[0, :, ~reached] == 0).all()
