"""Plain numba kernels (losses, scatter, interpolation, special functions) against slow ones.

The references are written straight from the definitions, element by element, in float64.
"""

import functools
import math

import numpy as np
import pytest

import ops
from ops.kernels import interpolate, loss, masks, pool, scatter, softmax, special
from tests.kernel_helpers import DTYPES, EPS


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 5, 16, 37])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(rng, dtype, classes, weighted):
    logits = (rng.standard_normal((6, classes)) * 3).astype(dtype)
    logits[0] += 1000
    target = rng.integers(0, classes, 6)
    target[3] = -7
    weight = rng.random(classes).astype(dtype) if weighted else None
    losses, total, log_probabilities = loss.cross_entropy(logits, target, weight, -7, "none")
    grad = rng.standard_normal(6).astype(dtype)
    got = loss.cross_entropy_backward(grad, log_probabilities, target, weight, -7, "none")
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
    assert total == pytest.approx(losses.sum(dtype=np.float64))
    mean, number, _ = loss.cross_entropy(logits, target, weight, ignore_index=-7)
    assert mean.shape == () and mean.dtype == dtype
    assert float(mean) == number == pytest.approx(total / factors)
    target[0] = classes
    assert np.isnan(loss.cross_entropy(logits, target, weight, ignore_index=-7)[1])


@pytest.mark.parametrize("rows", [1, 5, 6000])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_gradient_of_a_reduced_cross_entropy_is_that_of_its_rows(rng, rows, weighted, reduction):
    """In one task, which adds up the weights itself, and in many."""
    scores, target = np.log(rng.dirichlet(np.ones(7), rows)), rng.integers(0, 7, rows)
    target[rows // 2] = -100
    weight = rng.random(7) if weighted else None
    factors = np.where(target == -100, 0, 1 if weight is None else weight[np.maximum(target, 0)])
    share = 1 if reduction == "sum" else 1 / max(factors.sum(), 1e-300)
    of_rows = loss.cross_entropy_backward(np.full(rows, 3.0 * share), scores, target, weight, -100, "none")
    reduced = loss.cross_entropy_backward(np.array(3.0), scores, target, weight, -100, reduction)
    np.testing.assert_allclose(reduced, of_rows, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 16, 100])
def test_softmax_and_log_softmax(rng, dtype, classes):
    x = rng.standard_normal((4, classes)).astype(dtype)
    grad = rng.standard_normal(x.shape).astype(dtype)
    p = np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum(1, keepdims=True)
    tolerance = 100 * EPS[dtype]
    np.testing.assert_allclose(softmax.softmax(x), p, atol=tolerance)
    np.testing.assert_allclose(softmax.log_softmax(x), np.log(p), atol=tolerance)
    expected = p * (grad - (p * grad).sum(1, keepdims=True))
    np.testing.assert_allclose(softmax.softmax_backward(grad, p.astype(dtype)), expected, atol=tolerance)
    expected = grad - p * grad.sum(1, keepdims=True)
    np.testing.assert_allclose(
        softmax.log_softmax_backward(grad, np.log(p).astype(dtype)), expected, atol=tolerance
    )


@pytest.mark.parametrize("function", [softmax.softmax, softmax.log_softmax])
@pytest.mark.parametrize("place", [0, 17, 39])
def test_softmax_of_nan_and_infinity(function, place):
    x = np.zeros((3, 40))
    x[0, place] = np.nan
    x[1, place] = np.inf
    x[2, place] = -np.inf
    got = function(x)
    assert np.isnan(got[:2]).all() and np.isfinite(np.delete(got[2], place)).all()
    assert got[2, place] == (0 if function is softmax.softmax else -np.inf)
    assert np.isnan(function(np.full((1, 3), -np.inf))).all()
    assert function(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 10, 37, 3000])
def test_logsumexp_and_its_gradient(rng, dtype, columns):
    x = (rng.standard_normal((7, columns)) * 5).astype(dtype)
    x[1], x[2, -1], x[3, -1], x[4, 0] = -np.inf, np.inf, np.nan, 1000
    got, grad = softmax.logsumexp(x), rng.standard_normal(7).astype(dtype)
    with np.errstate(invalid="ignore"):
        expected = np.logaddexp.reduce(x.astype(np.float64), axis=1)
        slope = grad[:, None] * np.exp(x - got[:, None])
    np.testing.assert_allclose(got, expected, rtol=20 * EPS[dtype], atol=20 * EPS[dtype])
    np.testing.assert_allclose(softmax.logsumexp_backward(grad, x, got), slope, rtol=20 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_add_and_index_put(rng, dtype):
    out = rng.standard_normal((3, 5)).astype(dtype)
    index, source = rng.integers(0, 5, (3, 8)), rng.standard_normal((3, 8)).astype(dtype)
    expected = out.copy()
    for r, i in np.ndindex(*index.shape):
        expected[r, index[r, i]] += source[r, i]
    flat = out.copy().reshape(-1)
    assert scatter.scatter_add(out, index, source)
    np.testing.assert_array_equal(out, expected)  # bit for bit: the order of the index
    picked, inside = scatter.gather(out, index)
    np.testing.assert_array_equal(picked, np.take_along_axis(out, index, 1))
    assert inside and not scatter.gather(out, index - 1)[1]
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


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter_add_along_any_dimension(rng, dim):
    x, shape = rng.standard_normal((4, 5, 6)), [4, 5, 6]
    shape[dim] = 7
    index, expected = rng.integers(0, x.shape[dim], shape), np.zeros(x.shape)
    picked, _ = scatter.gather(x, index, dim)
    np.testing.assert_array_equal(picked, np.take_along_axis(x, index, dim))
    for place in np.ndindex(*shape):
        target = list(place)
        target[dim] = index[place]
        expected[tuple(target)] += picked[place]
    out = np.zeros(x.shape)
    assert scatter.scatter_add(out, index, picked, dim)
    np.testing.assert_array_equal(out, expected)  # bit for bit: the order of the index


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_scatter_leaves_the_last_of_several_values(rng, dim):
    out, shape = rng.standard_normal((4, 5, 6)), [4, 5, 6]
    shape[dim] = 7
    index, source = rng.integers(0, out.shape[dim], shape), rng.standard_normal(shape)
    expected, filled = out.copy(), out.copy()
    for place in np.ndindex(*shape):
        target = list(place)
        target[dim] = index[place]
        expected[tuple(target)] = source[place]
        filled[tuple(target)] = -0.0
    alone = out.copy()
    assert scatter.scatter(out, index, source, dim) and scatter.scatter(alone, index, -0.0, dim)
    assert out.tobytes() == expected.tobytes() and alone.tobytes() == filled.tobytes()
    assert not scatter.scatter(out, index - 1, source, dim)


def test_rows_in_tasks_are_the_rows_alone(rng):
    x = rng.standard_normal((60, 700))  # three tasks
    for function in (softmax.softmax, softmax.log_softmax):
        np.testing.assert_array_equal(function(x), np.concatenate([function(row[None]) for row in x]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(100, 90), (3, 2000, 3), (2, 9000)])
def test_arithmetic_with_one_row_has_the_bits_of_numpy(rng, dtype, shape):
    x, row = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[-1]).astype(dtype)
    for op, ufunc in ((ops.add, np.add), (ops.sub, np.subtract), (ops.mul, np.multiply),
                      (ops.div, np.divide)):
        np.testing.assert_array_equal(op(x, row), ufunc(x, row))
        np.testing.assert_array_equal(op(x, row[::-1]), ufunc(x, row[::-1]))


@pytest.mark.parametrize("shape", [(100, 90), (9000, 3), (10, 3, 400)])
def test_sums_of_columns_are_those_of_rows_added_one_by_one(rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(ops.sum(x, 0), functools.reduce(np.add, x))
    np.testing.assert_array_equal(ops.sum(x, 0, True), ops.sum(x, 0)[None])


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
    got = softmax.softmax(np.stack([np.zeros_like(x), x], axis=1))[:, 1]
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
    assert loss.cross_entropy(np.empty((0, 3)), np.empty(0, np.int64), None, -100, "none")[0].shape == (0,)


def test_every_byte_but_zero_is_true_in_a_mask():
    """Such masks come from memory that NumPy views as bool."""
    mask, x = np.array([2, 0] * 400, np.uint8).view(bool), np.ones(800, np.float32)
    assert masks.fill(x, mask, 5.0)[:2].tolist() == [5.0, 1.0]
    assert masks.keep(x, mask)[:2].tolist() == [1.0, 0.0]
