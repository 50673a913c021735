"""Reductions, sorting and losses where they are delicate: ties, zeros, NaN, nothing, one element."""

import numpy as np
import pytest

import ops
import tinygrad_hw as thw

NAN, INF = float("nan"), float("inf")


def gradient(function, values):
    x = thw.tensor(values, dtype=thw.float64, requires_grad=True)
    function(x).backward()
    return x.grad.array.tolist()


def test_mean_of_nothing_is_nan():
    assert np.isnan(ops.mean(np.ones(0)))
    assert np.isnan(ops.nanmean(np.full(2, NAN)))


def test_variance_of_one_element_is_nan_and_warns():
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert np.isnan(ops.var(np.array(1.0)))
    assert ops.var(np.array([1.0, 3.0]), False) == ops.var(np.array([1.0, 3.0]), correction=0) == 1.0


def test_gradient_is_zero_where_roots_have_none():
    assert gradient(ops.std, [1.0, 1.0]) == [0.0, 0.0]
    for p in (1.5, 2, 3):
        assert gradient(lambda x, p=p: ops.norm(x, p), [0.0, 0.0]) == [0.0, 0.0]


def test_logsumexp_of_a_number_and_of_infinities():
    assert ops.logsumexp(np.array(2.0), 0) == 2.0
    assert ops.logsumexp(np.array([-INF, -INF]), 0) == -INF
    assert ops.logsumexp(np.array([INF, 1.0]), 0) == INF


def test_ties_share_the_gradient_unless_an_index_is_chosen():
    tied = [2.0, 2.0, 1.0]
    assert gradient(ops.max, tied) == gradient(lambda x: ops.amax(x, 0), tied) == [0.5, 0.5, 0.0]
    assert gradient(lambda x: ops.max(x, 0).values, tied) == [1.0, 0.0, 0.0]
    assert gradient(ops.median, [1.0, 2.0, 2.0, 3.0]) == [0.0, 0.5, 0.5, 0.0]


def test_nan_is_the_largest_value():
    x = np.array([1.0, NAN, 3.0, NAN])
    assert np.isnan(ops.max(x)) and np.isnan(ops.min(x)) and np.isnan(ops.median(x))
    assert ops.argmax(x) == ops.argmin(x) == 1
    assert ops.sort(x).indices.tolist() == [0, 2, 1, 3]
    assert ops.sort(x, descending=True).indices.tolist() == [1, 3, 2, 0]
    assert ops.topk(x, 1).indices.tolist() == [1]
    assert ops.cummax(x, 0).indices.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows, columns", [(1, 5), (2, 8), (3, 37), (5, 64), (9, 131)])
def test_kernels_of_extremes_see_every_element(dtype, rows, columns):
    """Its largest, its smallest and its NaN, wherever they stand in SIMD lanes, pieces and remainders."""
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    for i, j in np.ndindex(rows, columns):
        for value in 9, -9, NAN, -np.inf:
            y = x.copy()
            y[i, j] = value
            for name, best in ("amax", np.max), ("amin", np.min):
                for dim in 0, 1, None:
                    np.testing.assert_array_equal(getattr(ops, name)(y, dim), best(y, axis=dim))


def test_extremes_of_one_row_that_all_threads_share():
    x = np.random.default_rng(0).standard_normal(4_100_003).astype(np.float32)
    assert ops.max(x) == x.max() and ops.min(x) == x.min()
    x[4_100_001] = NAN
    assert np.isnan(ops.max(x)) and np.isnan(ops.min(x))


@pytest.mark.parametrize("values, expected", [
    ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
    ([0.0, 3.0, 4.0], [12.0, 0.0, 0.0]),
    ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
])
def test_prod_is_differentiable_at_zeros(values, expected):
    assert gradient(ops.prod, values) == expected


def test_only_ignored_targets_give_nan_and_no_gradient():
    logits = thw.tensor([[1.0, 2.0]], requires_grad=True)
    loss = ops.cross_entropy(logits, thw.tensor([-100]))
    loss.backward()
    assert np.isnan(loss.array) and logits.grad.array.tolist() == [[0.0, 0.0]]


def test_losses_of_certainty_stay_finite():
    assert ops.binary_cross_entropy(np.zeros(1), np.ones(1)) == 100
    assert ops.binary_cross_entropy_with_logits(np.array([-1e4]), np.ones(1)) == 1e4
    assert ops.cross_entropy(np.array([[1e4, 0.0]]), np.array([1])) == 1e4


@pytest.mark.parametrize("shape, advice", [
    ((3, 1), r"use input.squeeze\(1\) or target.unsqueeze\(1\)"), ((3, 4), "use target.expand_as"),
    ((2,), "must be the same"),
])
def test_a_loss_of_two_shapes_says_how_to_mend_it(shape, advice):
    for loss in (ops.mse_loss, ops.l1_loss, ops.smooth_l1_loss, ops.huber_loss, ops.kl_div):
        with pytest.raises(ValueError, match=advice):
            loss(np.ones(shape), np.ones((3,) if shape != (3, 4) else (1, 4)), reduction="sum")
