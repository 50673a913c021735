"""Plain numba kernels (pooling, losses, scatter, interpolation, special functions) against slow ones.

The references are written straight from the definitions, element by element, in float64.
"""

import math

import numpy as np
import pytest

from ops.kernels import interpolate, loss, pool, scatter, special

DTYPES = [np.float32, np.float64]
EPS = {np.float32: 1.2e-7, np.float64: 2.3e-16}
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 5, 16, 37])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(rng, dtype, classes, weighted):
    logits = (rng.standard_normal((6, classes)) * 3).astype(dtype)
    logits[0] += 1000
    target = rng.integers(0, classes, 6)
    target[3] = -7
    weight = rng.random(classes).astype(dtype) if weighted else None
    losses, log_probabilities, *sums = loss.cross_entropy(logits, target, weight, ignore_index=-7)
    grad = rng.standard_normal(6).astype(dtype)
    got = loss.cross_entropy_backward(grad, log_probabilities, target, weight, ignore_index=-7)
    for r in range(6):
        row = logits[r].astype(np.float64)
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        tolerance = 40 * EPS[dtype] * (1 + abs(row).max() * (r > 0))
        np.testing.assert_allclose(log_probabilities[r], np.log(p), atol=tolerance)
        factor = 0 if target[r] == -7 else (weight[target[r]] if weighted else 1)
        assert losses[r] == pytest.approx(-factor * np.log(p[target[r] * (factor != 0)]), abs=tolerance)
        expected = factor * grad[r] * (p - (np.arange(classes) == target[r]))
        np.testing.assert_allclose(got[r], expected, atol=tolerance)
    counted = np.delete(target, 3)
    factors = weight[counted].sum(dtype=np.float64) if weighted else 5
    assert sums == [pytest.approx(losses.sum(dtype=np.float64)), pytest.approx(factors), True]
    target[0] = classes
    assert loss.cross_entropy(logits, target, weight, ignore_index=-7)[-1] is False


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 16, 100])
def test_softmax_and_log_softmax(rng, dtype, classes):
    x = rng.standard_normal((4, classes)).astype(dtype)
    grad = rng.standard_normal(x.shape).astype(dtype)
    p = np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum(1, keepdims=True)
    tolerance = 100 * EPS[dtype]
    np.testing.assert_allclose(loss.softmax(x), p, atol=tolerance)
    np.testing.assert_allclose(loss.log_softmax(x), np.log(p), atol=tolerance)
    expected = p * (grad - (p * grad).sum(1, keepdims=True))
    np.testing.assert_allclose(loss.softmax_backward(grad, p.astype(dtype)), expected, atol=tolerance)
    expected = grad - p * grad.sum(1, keepdims=True)
    np.testing.assert_allclose(
        loss.log_softmax_backward(grad, np.log(p).astype(dtype)), expected, atol=tolerance
    )


@pytest.mark.parametrize("function", [loss.softmax, loss.log_softmax])
@pytest.mark.parametrize("place", [0, 17, 39])
def test_softmax_of_nan_and_infinity(function, place):
    x = np.zeros((3, 40))
    x[0, place] = np.nan
    x[1, place] = np.inf
    x[2, place] = -np.inf
    got = function(x)
    assert np.isnan(got[:2]).all() and np.isfinite(np.delete(got[2], place)).all()
    assert got[2, place] == (0 if function is loss.softmax else -np.inf)
    assert np.isnan(function(np.full((1, 3), -np.inf))).all()
    assert function(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_add_and_index_put(rng, dtype):
    out = rng.standard_normal((3, 5)).astype(dtype)
    index, source = rng.integers(0, 5, (3, 8)), rng.standard_normal((3, 8)).astype(dtype)
    expected = out.copy()
    for r, i in np.ndindex(*index.shape):
        expected[r, index[r, i]] += source[r, i]
    flat = out.copy().reshape(-1)
    assert scatter.scatter_add(out, index, source) is out
    np.testing.assert_array_equal(out, expected)  # bit for bit: the order of the index
    np.testing.assert_array_equal(scatter.gather(out, index), np.take_along_axis(out, index, 1))
    places = (index + 5 * np.arange(3)[:, None]).reshape(-1)
    np.testing.assert_array_equal(
        scatter.index_put(flat, places, source.reshape(-1)), expected.reshape(-1)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_index_add_and_embedding_backward(rng, dtype):
    out, source = rng.standard_normal((4, 3)).astype(dtype), rng.standard_normal((9, 3)).astype(dtype)
    index = rng.integers(0, 4, 9)
    expected, table = out.astype(np.float64), np.zeros((4, 3))
    for k in range(9):
        expected[index[k]] += 2 * source[k]
        table[index[k]] += source[k] * (index[k] != 1)
    scatter.index_add(out, index, source, alpha=2)
    np.testing.assert_allclose(out, expected, atol=40 * EPS[dtype])
    np.testing.assert_allclose(
        scatter.embedding_backward(source, index, 4, 1), table, atol=20 * EPS[dtype]
    )


def test_a_range_writes_its_share_only(rng):
    source, index = rng.standard_normal((50, 8)), rng.integers(0, 6, 50)
    whole, parts = scatter.index_add(np.zeros((6, 8)), index, source), np.zeros((6, 8))
    for start, stop in ((5, 8), (0, 5)):
        scatter.index_add_columns(start, stop, parts, index, source, 1.0, -1)
    np.testing.assert_array_equal(parts, whole)
    x = rng.standard_normal((5, 7))
    parts = np.zeros_like(x)
    for start, stop in ((2, 5), (0, 2)):
        loss.softmax_rows(start, stop, x, parts)
    np.testing.assert_array_equal(parts, loss.softmax(x))


def cubic(distance, a=-0.75):
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def slow_axis(mode, size, output, scale, align_corners):
    """Matrix (output, size) of an interpolation along one axis."""
    matrix = np.zeros((output, size))
    for i in range(output):
        position = scale * i if align_corners or mode == "nearest" else scale * (i + 0.5) - 0.5
        if mode == "nearest":
            matrix[i, min(math.floor(position), size - 1)] = 1
            continue
        if mode == "bilinear":
            position = max(position, 0)
        first = math.floor(position)
        for k in range(first - 1, first + 3):
            weight = max(0, 1 - abs(position - k)) if mode == "bilinear" else cubic(position - k)
            matrix[i, min(max(k, 0), size - 1)] += weight
    return matrix


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "mode, align_corners",
    [("nearest", False), ("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True)],
)
@pytest.mark.parametrize(
    "size, out", [((4, 5), (8, 3)), ((3, 6), (7, 6)), ((1, 7), (1, 10)), ((5, 2), (1, 5))]
)
def test_interpolate(rng, dtype, mode, align_corners, size, out):
    scales = [n / m for n, m in zip(size, out)]
    if align_corners:
        scales = [(n - 1) / (m - 1) if m > 1 else 0.0 for n, m in zip(size, out)]
    rows, columns = (slow_axis(mode, *axis, align_corners) for axis in zip(size, out, scales))
    x, grad = (rng.standard_normal((2, *shape)).astype(dtype) for shape in (size, out))
    tolerance = 60 * EPS[dtype]
    got = interpolate.interpolate(x, out, scales, mode, align_corners)
    np.testing.assert_allclose(got, rows @ x @ columns.T, atol=tolerance)
    got = interpolate.interpolate_backward(grad, size, scales, mode, align_corners)
    np.testing.assert_allclose(got, rows.T @ grad @ columns, atol=tolerance)
    assert got.dtype == dtype


def test_nearest_exact_takes_the_pixel_centre():
    x = np.arange(5.0).reshape(1, 1, 5)
    assert interpolate.interpolate(x, (1, 3), (1, 5 / 3), "nearest").tolist() == [[[0, 1, 3]]]
    assert interpolate.interpolate(x, (1, 3), (1, 5 / 3), "nearest-exact").tolist() == [[[0, 2, 4]]]


def test_given_scale_yields_to_a_kept_or_doubled_size():
    x = np.arange(4.0).reshape(1, 1, 4)
    assert interpolate.interpolate(x, (1, 4), (1, 1 / 1.2), "nearest").tolist() == x.tolist()
    doubled = interpolate.interpolate(x, (1, 8), (1, 1 / 2.2), "nearest")
    assert doubled.tolist() == x.repeat(2, axis=2).tolist()


def slow_gelu_tanh(x):
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


SPECIAL = {
    "erf": (special.erf, math.erf),
    "sigmoid": (special.sigmoid, lambda x: 1 / (1 + math.exp(-x))),
    "softplus": (special.softplus, lambda x: x if x > 20 else math.log1p(math.exp(x))),
    "softplus2": (lambda x: special.softplus(2 * x, 0.5), lambda x: 2 * math.log1p(math.exp(x))),
    "logsigmoid": (special.logsigmoid, lambda x: -math.log1p(math.exp(-x))),
    "gelu": (special.gelu, lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
    "gelu tanh": (lambda x: special.gelu(x, "tanh"), slow_gelu_tanh),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(dtype, name):
    function, reference = SPECIAL[name]
    x = np.concatenate([np.linspace(-12, 12, 4001), [0, 1e-30, -1e-5, 0.9, -0.9]]).astype(dtype)
    if name.startswith("gelu"):
        x = x[abs(x) < 8]
    expected = np.array([reference(float(v)) for v in x])
    rtol, atol = (0, 10) if name.startswith("gelu") else (3, 0)
    np.testing.assert_allclose(function(x), expected, rtol=rtol * EPS[dtype], atol=atol * EPS[dtype])
    assert function(x).dtype == dtype
    assert np.isnan(function(np.array([np.nan, 0.0], dtype))).tolist() == [True, False]


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_functions_far_out(dtype):
    x = np.array([-np.inf, -2000, 2000, np.inf], dtype)
    assert special.erf(x).tolist() == [-1, -1, 1, 1]
    assert special.sigmoid(x).tolist() == [0, 0, 1, 1]
    assert special.softplus(x).tolist() == [0, 0, 2000, math.inf]
    assert special.logsigmoid(x).tolist() == [-math.inf, -2000, 0, 0]
    assert special.gelu(x)[1:].tolist() == [0, 2000, math.inf]
    assert special.gelu(x, "tanh")[1:].tolist() == [0, 2000, math.inf]


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_within_one_eps_over_its_whole_range(dtype):
    """Seen through softmax of (0, x), which is exp(x) / (1 + exp(x))."""
    x = np.linspace(-87 if dtype == np.float32 else -700, 0, 5001).astype(dtype)
    got = loss.softmax(np.stack([np.zeros_like(x), x], axis=1))[:, 1]
    exact = np.exp(x.astype(np.longdouble))
    assert np.max(np.abs(got / (exact / (1 + exact)) - 1)) < 2.5 * EPS[dtype]


def test_views_and_empty_arrays(rng):
    x = rng.standard_normal((6, 4, 4))
    view = x.transpose(0, 2, 1)[::-2]
    np.testing.assert_array_equal(special.sigmoid(view), special.sigmoid(view.copy()))
    values, _ = pool.max_pool2d(view, (2, 2), (2, 2), (0, 0), (1, 1), (2, 2))
    np.testing.assert_array_equal(values, view.reshape(3, 2, 2, 2, 2).max((2, 4)))
    none = np.empty((0, 4, 4))
    assert pool.max_pool2d(none, (2, 2), (2, 2), (0, 0), (1, 1), (2, 2))[0].shape == (0, 2, 2)
    assert loss.cross_entropy(np.empty((0, 3)), np.empty(0, np.int64))[0].shape == (0,)
