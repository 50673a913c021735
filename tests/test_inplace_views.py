"""Changes in place through views and brackets: values, histories of the base and of the other views."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_hw as thw
from ops.core import TABLE, Composite
from tinygrad_hw import tensor


def leaf(values):
    return tensor(values, dtype=thw.float64, requires_grad=True)


def numbers(*shape):
    return leaf((np.arange(np.prod(shape)) + 1.0).reshape(shape))


def gradient(change, x=None, weights=None):
    """Values and gradient of ``sum(weights * change(x))`` for a change of a copy of x."""
    x = numbers(2, 3) if x is None else x
    y = x * 1
    result = change(y)
    y = y if result is None else result
    weights = thw.from_numpy(np.arange(y.numel()).reshape(y.shape) + 1.0)
    (y * weights).sum().backward()
    return y.detach().numpy(), x.grad.numpy(), weights.numpy()


def doubled(*places):
    slope = np.ones((2, 3))
    for place in places:
        slope[place] *= 2
    return slope


@pytest.mark.parametrize("change, factor", [
    (lambda y: y[0].mul_(2), doubled(0)),
    (lambda y: y.__setitem__(0, y[0] * 2), doubled(0)),
    (lambda y: y[:, 1:].mul_(2), doubled(np.s_[:, 1:])),
    (lambda y: y[1][::2].mul_(2), doubled(np.s_[1, ::2])),
    (lambda y: y.view(-1)[1:3].mul_(2), doubled((0, [1, 2]))),
    (lambda y: y.t()[0].mul_(2), doubled(np.s_[:, 0])),
    (lambda y: y.transpose(0, 1)[1:, 0].mul_(2), doubled(np.s_[0, 1:])),
    (lambda y: y.chunk(3, 1)[2].mul_(2), doubled(np.s_[:, 2])),
    (lambda y: y.unbind(1)[0].mul_(2), doubled(np.s_[:, 0])),
    (lambda y: y.diagonal().mul_(2), doubled(([0, 1], [0, 1]))),
    (lambda y: y.narrow(1, 1, 1).squeeze(1).mul_(2), doubled(np.s_[:, 1])),
    (lambda y: y.unsqueeze(0).permute(2, 0, 1)[2].mul_(2), doubled(np.s_[:, 2])),
    (lambda y: (y[0].mul_(2), y[:, 0].mul_(2)), doubled(0, np.s_[:, 0])),
    (lambda y: y[None, ..., 0].mul_(2), doubled(np.s_[:, 0])),
    (lambda y: y.reshape(3, 2)[0].mul_(2), doubled((0, [0, 1]))),
    (lambda y: y.view(3, 2).t()[0][1:].mul_(2), doubled((0, 2), (1, 1))),
])
def test_views(change, factor):
    got, grad, weights = gradient(lambda y: (change(y), None)[1])
    np.testing.assert_allclose(got, numbers(2, 3).detach().numpy() * factor)
    np.testing.assert_allclose(grad, weights * factor)


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        (1, 2),
        (0, slice(None, 2)),
        slice(1, None),
        (slice(None), 1),
        ...,
        (..., None, 0),
        None,
        [0],
        ([0, 1], [2, 0]),
        (slice(None), [0, 2]),
        np.array([1, 0]),
        tensor([1, 0]),
        tensor(1),
        np.array([[True, False, True], [False, False, True]]),
        tensor([True, False]),
        (0, np.array([True, False, True])),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["number", "constant", "tensor", "broadcast", "itself"])
def test_setitem(index, kind):
    plain = tuple(
        i.numpy() if isinstance(i, thw.Tensor) else i
        for i in (index if type(index) is tuple else (index,))
    )
    plain = plain if type(index) is tuple else plain[0]
    expected, slope = numbers(2, 3).detach().numpy(), np.ones((2, 3))
    shape = expected[plain].shape
    factors = {
        "number": 5.0,
        "constant": thw.full(shape, 5.0, dtype=thw.float64),
        "tensor": numbers(*shape),
        "broadcast": leaf(5.0),
        "itself": None,
    }
    value = factors[kind]
    x = numbers(2, 3)
    y = x * 1
    y[index] = value if kind != "itself" else y[index] * 3
    assert y._version == 1
    weights = np.arange(6.0).reshape(2, 3) + 1
    (y * thw.from_numpy(weights)).sum().backward()
    if kind == "itself":
        expected[plain], slope[plain] = expected[plain] * 3, 3
    else:
        expected[plain], slope[plain] = (
            value.detach().numpy() if isinstance(value, thw.Tensor) else value,
            0,
        )
    np.testing.assert_allclose(y.detach().numpy(), expected)
    np.testing.assert_allclose(x.grad.numpy(), weights * slope)
    if kind == "tensor":
        np.testing.assert_allclose(value.grad.numpy(), weights[plain])
    if kind == "broadcast":
        np.testing.assert_allclose(value.grad.numpy(), weights[plain].sum())


def test_setitem_makes_a_constant_differentiable():
    y, w = thw.zeros(2, 2, dtype=thw.float64), leaf(3.0)
    rows = y[1]
    y[0, 1] = w
    y[1] = w * w
    assert y.requires_grad and rows.requires_grad
    (rows.sum() + y[0, 1]).backward()
    assert w.grad.item() == 2 * 6 + 1


def test_siblings_notice_the_change():
    x = numbers(4)
    y = x * 1
    first, second = y[:2], y[1:3]
    first.mul_(10)
    assert second.tolist() == [20.0, 3.0]
    second.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [0.0, 10.0, 1.0, 0.0]
    x.grad = None
    y.mul_(2)
    first.sum().backward()
    assert x.grad.tolist() == [20.0, 20.0, 0.0, 0.0]


def test_view_of_a_constant_base_gets_history_through_a_sibling():
    base, w = thw.zeros(3, dtype=thw.float64), leaf(2.0)
    left, right = base[:2], base[1:]
    assert not right.requires_grad
    left.add_(w)
    assert base.requires_grad and right.requires_grad and not right.is_leaf
    right.sum().backward()
    assert w.grad.item() == 1.0


def test_base_sees_gradients_that_flow_through_the_changed_view():
    x = numbers(3)
    y = x * 1
    v = y[0]
    v.mul_(2)
    y.retain_grad()
    (v * 3 + y.sum()).backward()
    assert y.grad.tolist() == [4.0, 1.0, 1.0] and x.grad.tolist() == [8.0, 1.0, 1.0]


def test_change_without_gradients_keeps_the_history():
    x = numbers(2)
    y = x * 3
    v = y[0]
    with thw.no_grad():
        y.mul_(100)
    (v + y.sum()).backward()
    assert x.grad.tolist() == [6.0, 3.0]


def test_many_changes_of_one_base():
    x = numbers(50)
    y = x * 1
    for i in range(1, 50):
        y[i] = y[i] + y[i - 1]  # a running sum
    y[-1].backward()
    assert x.grad.tolist() == [1.0] * 50
    gc.disable()
    try:
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_overlapping_copies():
    x = thw.arange(6.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    m = thw.arange(4.0).view(2, 2)
    m.copy_(m.t())
    assert m.tolist() == [[0.0, 2.0], [1.0, 3.0]]


def test_shape_changes_in_place():
    x = numbers(2, 3)
    y = x * 1
    y.t_().unsqueeze_(0)
    assert y.shape == (1, 3, 2)
    y.squeeze_().mul_(2)
    y[0].sum().backward()
    assert x.grad.tolist() == [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]


def test_out_argument():
    x, out = thw.ones(2), thw.zeros(2)
    assert thw.add(x, x, out=out) is out and out.tolist() == [2.0, 2.0] and out._version == 1
    with pytest.raises(RuntimeError, match="out=... arguments don't support automatic differentiation"):
        thw.add(numbers(2), 1, out=thw.zeros(2, dtype=thw.float64))
    with pytest.raises(RuntimeError, match="can't be cast"):
        thw.add(x, x, out=thw.zeros(2, dtype=thw.int64))


@pytest.mark.slow
def test_no_op_but_a_view_shares_memory_with_its_input():
    """The engine trusts ``view=True``: an op without it must return memory of its own, or the very
    input."""
    rng = np.random.Generator(np.random.Philox(0))
    for name, op in TABLE.items():
        if isinstance(op, Composite) or op.view or op.parts or op.samples is None:
            continue
        for case in op.samples(rng):
            results = op.forward(*case.args, **case.kwargs)
            arrays = [a for a in (*case.args, *case.kwargs.values()) if isinstance(a, np.ndarray)]
            for result in results if op.outputs else (results,):
                if not any(result is a for a in case.args[:1]):
                    assert not any(np.shares_memory(result, a) for a in arrays), f"{name}{case}"
