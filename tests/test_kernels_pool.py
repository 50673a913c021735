"""The kernels of pooling against slow ones, written straight from the definitions, in float64."""

import math

import numpy as np
import pytest

from ops.kernels import pool
from tests.kernel_helpers import DTYPES, EPS

# kernel, stride, padding, dilation
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((3, 2), (1, 2), (1, 1), (2, 3)),
    ((1, 4), (3, 1), (0, 2), (1, 1)),
]
SIZES = [(7, 6), (4, 9)]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def output_sizes(size, window, ceil_mode=False):
    """Size after pooling; in ceil_mode the last window may not begin right of the input."""
    out = []
    for n, kernel, stride, padding, dilation in zip(size, *window):
        span = n + 2 * padding - dilation * (kernel - 1) - 1
        windows = (-(-span // stride) if ceil_mode else span // stride) + 1
        out.append(windows - ((windows - 1) * stride >= n + padding))
    return tuple(out)


def transposed(forward, shape, grad):
    """Gradient of a linear ``forward`` by its input, column by column of its matrix."""
    out = np.zeros(shape)
    for place in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[place] = 1
        out[place] = (forward(unit) * grad).sum()
    return out


def winner(candidates):
    """First of the largest (value, place) pairs, or the last NaN: PyTorch's rule."""
    best = candidates[0]
    for value, place in candidates[1:]:
        if value > best[0] or math.isnan(value):
            best = value, place
    return best


def slow_max_pool(x, size, window_of):
    """Max pooling where window_of(axis, i) lists the places of window i along an axis."""
    values, indices = np.full((len(x), *size), -np.inf), np.full((len(x), *size), -1)
    for p, i, j in np.ndindex(*values.shape):
        inside = [(h, w) for h in window_of(0, i) for w in window_of(1, j)]
        if inside:
            values[p, i, j], indices[p, i, j] = winner(
                [(x[p, h, w], h * x.shape[2] + w) for h, w in inside]
            )
    return values, indices


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool2d(rng, dtype, size, window):
    kernel, stride, padding, dilation = window
    x = rng.integers(-2, 3, (3, *size)).astype(dtype)  # small integers: many ties
    x[1][rng.random(size) < 0.3] = np.nan
    x[2][rng.random(size) < 0.8] = -np.inf

    def window_of(axis, i):
        places = [i * stride[axis] - padding[axis] + k * dilation[axis] for k in range(kernel[axis])]
        return [place for place in places if 0 <= place < size[axis]]

    for ceil_mode in (False, True):
        out = output_sizes(size, window, ceil_mode)
        values, indices = pool.max_pool2d(x, *window, out)
        expected = slow_max_pool(x, out, window_of)
        np.testing.assert_array_equal(values, expected[0])
        np.testing.assert_array_equal(indices, expected[1])
        assert values.dtype == dtype and indices.dtype == np.int64


def test_max_pool2d_ties_and_nan():
    equal = np.zeros((1, 2, 2))
    assert pool.max_pool2d(equal, (2, 2), (2, 2), (0, 0), (1, 1), (1, 1))[1].item() == 0
    diagonal = np.array([[[0.0, 1.0], [1.0, 0.0]]])  # the first row wins although its column comes later
    assert pool.max_pool2d(diagonal, (2, 2), (2, 2), (0, 0), (1, 1), (1, 1))[1].item() == 1
    nans = np.array([[[np.nan, 9.0], [np.nan, 1.0]]])
    values, indices = pool.max_pool2d(nans, (2, 2), (2, 2), (0, 0), (1, 1), (1, 1))
    assert np.isnan(values.item()) and indices.item() == 2
    values, indices = pool.max_pool2d(
        np.full((1, 3, 3), -np.inf), (3, 3), (1, 1), (1, 1), (1, 1), (3, 3)
    )
    assert (values == -np.inf).all() and indices[0, 0, 0] == 0 and indices[0, 2, 2] == 4


def test_empty_pooling_window_takes_part_in_nothing():
    x = np.ones((1, 1, 1))
    values, indices = pool.max_pool2d(x, (2, 2), (1, 1), (1, 1), (2, 2), (1, 1))  # taps at -1 and 1 only
    assert values.item() == -np.inf and indices.item() == -1
    assert pool.scatter_planes(np.ones((1, 1, 1)), indices, (1, 1)).item() == 0
    assert pool.gather_planes(x, indices).item() == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_and_gather_planes(rng, dtype):
    x = rng.standard_normal((3, 5, 4)).astype(dtype)
    values, indices = pool.max_pool2d(x, (3, 3), (1, 1), (1, 1), (1, 1), (5, 4))
    np.testing.assert_array_equal(pool.gather_planes(x, indices), values)
    grad = rng.standard_normal(values.shape).astype(dtype)
    expected = np.zeros((3, 20))
    for p, i, j in np.ndindex(*grad.shape):
        expected[p, indices[p, i, j]] += grad[p, i, j]
    got = pool.scatter_planes(grad, indices, (5, 4))
    np.testing.assert_allclose(got, expected.reshape(3, 5, 4), atol=20 * EPS[dtype])


@pytest.mark.parametrize("size, out", [((7, 6), (3, 4)), ((2, 5), (5, 1)), ((3, 3), (3, 7))])
def test_adaptive_pooling(rng, size, out):
    x = rng.integers(-2, 3, (2, *size)).astype(np.float64)
    windows = [
        [range(math.floor(i * n / m), math.ceil((i + 1) * n / m)) for i in range(m)]
        for n, m in zip(size, out)
    ]
    values, indices = pool.adaptive_max_pool2d(x, out)
    expected = slow_max_pool(x, out, lambda axis, i: windows[axis][i])
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(indices, expected[1])

    def mean(x):
        return np.array([[[p[np.ix_(h, w)].mean() for w in windows[1]] for h in windows[0]] for p in x])

    np.testing.assert_allclose(pool.adaptive_avg_pool2d(x, out), mean(x), atol=1e-14)
    grad = rng.standard_normal((2, *out))
    got = pool.adaptive_avg_pool2d_backward(grad, size)
    np.testing.assert_allclose(got, transposed(mean, x.shape, grad), atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [w for w in WINDOWS if w[3] == (1, 1)])
@pytest.mark.parametrize("count_include_pad, divisor", [(True, None), (False, None), (True, -3)])
def test_avg_pool2d(rng, dtype, window, count_include_pad, divisor):
    (kernel, stride, padding, _), size = window, (5, 6)

    def mean(x, out):
        result = np.zeros((len(x), *out))
        for i, j in np.ndindex(*out):
            first = [k * s - p for k, s, p in zip((i, j), stride, padding)]
            last = [min(f + k, n + p) for f, k, n, p in zip(first, kernel, size, padding)]
            inside = [range(max(f, 0), min(m, n)) for f, m, n in zip(first, last, size)]
            padded = math.prod(m - f for f, m in zip(first, last))
            count = divisor or (padded if count_include_pad else math.prod(map(len, inside)))
            result[:, i, j] = x[:, inside[0]][:, :, inside[1]].sum((1, 2)) / count
        return result

    x = rng.standard_normal((2, *size)).astype(dtype)
    for ceil_mode in (False, True):
        out = output_sizes(size, window, ceil_mode)
        got = pool.avg_pool2d(x, kernel, stride, padding, out, count_include_pad, divisor)
        np.testing.assert_allclose(got, mean(x, out), atol=10 * EPS[dtype])
        grad = rng.standard_normal((2, *out)).astype(dtype)
        got = pool.avg_pool2d_backward(grad, kernel, stride, padding, size, count_include_pad, divisor)
        expected = transposed(lambda x, out=out: mean(x, out), x.shape, grad)
        np.testing.assert_allclose(got, expected, atol=20 * EPS[dtype])
        assert got.dtype == dtype


def test_average_of_equal_numbers_is_exact():
    same = pool.avg_pool2d(np.full((1, 9, 9), 0.1), (2, 2), (1, 1), (0, 0), (8, 8))
    assert (same == 0.1).all()
    counts = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3)
    assert pool.avg_pool2d(counts, (3, 3), (1, 1), (0, 0), (1, 1)).item() == 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 5, 7), (0, 2, 2), (3, 2, 3)])
def test_means_of_2_x_2_are_the_bits_of_other_windows(rng, dtype, shape):
    x = rng.standard_normal(shape).astype(dtype)
    x.ravel()[::5], x.ravel()[1::7] = -0.0, np.inf
    window, count = ((2, 2), (2, 2), (0, 0)), (shape[-2] // 2, shape[-1] // 2)
    maps = pool._average_maps(shape[-2:], count, *window, True, None, x.dtype)
    wanted = pool.PlanesMap.of(x.dtype, shape, *maps)(x)
    got = pool.avg_pool2d(x, *window, count)
    assert got.tobytes() == wanted.tobytes() and got.shape == wanted.shape
