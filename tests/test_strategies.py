"""What the strategies draw is what they promise: shapes fit, bounds hold, memory varies."""

import math

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import tinygrad_hw as thw
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import gradcheck, strategies


@given(strategies.broadcastable_tensors(3))
def test_broadcastable_tensors(tensors):
    total = tensors[0] + tensors[1] + tensors[2]
    assert total.shape == np.broadcast_shapes(*(t.shape for t in tensors))
    assert all(t.dtype == thw.float64 and np.abs(t.array).max(initial=0) <= 10 for t in tensors)


@given(strategies.arrays(strategies.dtypes(), low=None, high=None))
def test_arrays_are_finite_and_can_be_squared(array):
    if array.dtype.kind == "f":
        assert np.isfinite(array * array).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.uint8])
@pytest.mark.parametrize("low, high", [(0.1, 0.7), (-3, 3), (0.1, 1000.3)])
def test_bounds_hold(dtype, low, high):
    if np.dtype(dtype).kind != "f" and math.ceil(low) > math.floor(high):
        return

    @given(strategies.arrays(dtype, (3,), low, high))
    def check(array):
        assert array.dtype == dtype and (array >= low).all() and (array <= high).all()

    check()


@given(strategies.matmul_operands())
def test_matmul_operands(pair):
    np.testing.assert_allclose((pair[0] @ pair[1]).array, np.matmul(pair[0].array, pair[1].array),
                               rtol=1e-9, atol=1e-9)


@given(strategies.conv2d_cases())
def test_conv2d_cases(call):
    out = F.conv2d(**call)
    assert out.shape[:2] == (call["input"].shape[0], call["weight"].shape[0]) and min(out.shape[2:]) >= 1


@given(strategies.pool2d_cases(), strategies.pool2d_cases(dilation=False))
def test_pool2d_cases(call, without):
    assert min(F.max_pool2d(**call).shape) >= 1 and min(F.avg_pool2d(**without).shape) >= 1


@given(strategies.labels_and_logits(ignore_index=-100), strategies.labels_and_logits(spatial=False))
def test_labels_and_logits(pair, flat):
    for labels, logits in (pair, flat):
        loss = F.cross_entropy(logits, labels, ignore_index=-100, reduction="none")
        assert loss.shape == labels.shape
    assert flat[0].ndim == 1 and (flat[0].array >= 0).all()


@given(st.data())
def test_dims_and_indices(data):
    x = data.draw(strategies.tensors(shape=strategies.shapes(min_side=1)))
    assert x.sum(data.draw(strategies.dims(x.ndim))).ndim == max(x.ndim - 1, 0)
    several = data.draw(strategies.dims(x.ndim, several=True))
    assert len({dim % x.ndim for dim in several}) == len(several)
    if x.ndim:
        index = data.draw(strategies.indices(x.shape[0], (4,)))
        assert x.index_select(0, index).shape == (4, *x.shape[1:])


@given(st.data())
def test_index_expressions(data):
    shape = data.draw(strategies.shapes())
    x = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    index = data.draw(strategies.index_expressions(shape))
    parts = index if type(index) is tuple else (index,)
    plain = tuple(part.array if isinstance(part, thw.Tensor) else part for part in parts)
    np.testing.assert_array_equal(thw.from_numpy(x)[index].array, x[plain])


@given(strategies.kink_free(), strategies.kink_free_arrays((7,), -1, 1, avoid=(-0.5, 0.0, 0.5)))
def test_kink_free(x, avoiding):
    assert x.requires_grad and x.dtype == thw.float64
    values = np.sort(x.array, axis=None)
    assert np.abs(values).min(initial=1) > 1e-3 and np.diff(values).min(initial=1) > 1e-3
    assert np.abs(avoiding[:, None] - [-0.5, 0.0, 0.5]).min() > 1e-3


@settings(max_examples=settings().max_examples // 2)
@given(strategies.kink_free(strategies.shapes(min_side=1)))
def test_kink_free_tensors_suit_gradcheck(x):
    assert gradcheck(lambda x: x.relu() + x.abs(), x)
    assert gradcheck(lambda x: x.sort(-1).values, x)


def test_memory_varies():
    wide = strategies.arrays(shape=(2, 3))
    for property in ("c_contiguous", "f_contiguous"):
        assert find(wide, lambda a, p=property: not getattr(a.flags, p)) is not None
    assert find(wide, lambda a: a.strides == (16 * 6, 32) or a.strides[1] > 8) is not None
    assert find(wide, lambda a: a.flags.c_contiguous).flags.c_contiguous


def test_wrong_code_is_shrunk_to_the_smallest_case():
    """Hypothesis finds the missing sum over a broadcast axis, and shows the smallest shapes."""
    def forgets_to_sum(pair):
        return pair[0].shape != (pair[0] * pair[1]).shape

    one, two = find(strategies.broadcastable_tensors(2), forgets_to_sum)
    assert (one * two).numel() <= 1
