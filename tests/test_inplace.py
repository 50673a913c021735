"""Changes in place: what they do to values, versions, views and gradients."""


import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor

LEAF = "leaf Variable that requires grad is being used in an in-place operation"


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


# ------------------------------------------------------------------ versions


def test_versions_count_changes_and_are_shared_by_views():
    x = thw.zeros(4)
    v, d = x[1:], x.detach()
    v.add_(1)
    d[0] = 3
    x.fill_(2)
    assert x._version == v._version == d._version == 3
    assert x.data._version == 0 and (x + 1)._version == 0
    assert v._base is x and v[1:]._base is x and x._base is None


def test_stale_saved_value_is_named():
    x = numbers(2)
    y = x * 1
    z = y * y
    y.add_(1)  # the culprit
    with pytest.raises(
        RuntimeError,
        match=(
            r"modified by an inplace operation: (input|other) of shape \(2,\), saved by MulBackward0, "
            r"is at version 1; "
            r"expected version 0 instead.*test_inplace\.py:\d+ in test_stale_saved_value_is_named"
        ),
    ):
        z.sum().backward()


def test_stale_output_is_noticed():
    x = numbers(2)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="the result of shape.*saved by ExpBackward0"):
        y.sum().backward()
    y = x * 1
    y.exp_()
    y.sum().backward(retain_graph=True)
    y.add_(1)
    with pytest.raises(RuntimeError, match="ExpBackward0.*version 2; expected version 1"):
        y.sum().backward()


def test_stale_value_is_noticed_through_views_and_in_sequences():
    x = numbers(4)
    y = x * 1
    z = y[1:] * 3 * y[:3]
    y.detach()[0] = 5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    index = tensor([0, 1])
    z = x[index, ]
    index.fill_(3)
    with pytest.raises(RuntimeError, match="index of shape"):
        z.sum().backward()


def test_data_is_a_way_around_the_check():
    x = leaf([3.0])
    y = x * 1
    z = y * y
    y.data.add_(1)
    z.sum().backward()
    assert x.grad.tolist() == [8.0]


def test_second_order_checks_versions_too():
    x = leaf([3.0])
    y = x * 1
    (g,) = thw.autograd.grad((y ** 3).sum(), x, create_graph=True)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        thw.autograd.grad(g.sum(), x)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("change", [
    lambda x: x.add_(1), lambda x: x.zero_(), lambda x: x.copy_(thw.ones(2)), lambda x: x.uniform_(),
    lambda x: x[0].mul_(2), lambda x: x.view(2, 1).fill_(0), lambda x: x.__setitem__(0, 1.0),
    lambda x: x.__setitem__(x > 1, 0.0), lambda x: x.__iadd__(1), lambda x: x[:1][0].sin_(),
    lambda x: x.__setitem__(0, leaf(1.0)),
])
def test_leaves_that_require_gradients_are_refused(change):
    x = numbers(2)
    with pytest.raises(RuntimeError, match=LEAF):
        change(x)
    assert x.tolist() == [1.0, 2.0] and x._version == 0
    with thw.no_grad():
        change(x)
    assert x.is_leaf and x.requires_grad and x._version == 1


def test_shape_and_dtype_must_fit():
    x = thw.ones(3)
    with pytest.raises(
        RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"
    ):
        x.add_(thw.ones(2, 3))
    with pytest.raises(RuntimeError, match="int64.*can't be cast|float.*can't be cast"):
        thw.ones(3, dtype=thw.int64).add_(1.5)
    with pytest.raises(RuntimeError, match=r"value tensor of shape \[2\] cannot be broadcast"):
        x[:] = thw.ones(2)
    with pytest.raises(IndexError, match="out of bounds"):
        x[3] = 1
    assert x.tolist() == [1.0, 1.0, 1.0] and x._version == 0
    assert thw.ones(2, dtype=thw.float32).add_(thw.ones(2, dtype=thw.float64)).dtype == thw.float32


def test_repeated_memory_is_refused():
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        thw.ones(1).expand(3).add_(1)
    x = thw.ones(3)
    x.expand(1, 3).add_(1)
    assert x.tolist() == [2.0, 2.0, 2.0]
    array = np.ones(2)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        thw.from_numpy(array).add_(1)


def test_views_taken_without_gradients():
    x = numbers(2) * 1
    with thw.no_grad():
        v = x[0]
        v.mul_(2)
    assert not v.requires_grad
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        v.mul_(2)
    plain = thw.zeros(2)
    with thw.no_grad():
        v = plain[:1]
    v.add_(1)
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        v.add_(leaf([1.0]))
    assert plain.tolist() == [1.0, 0.0]


# ------------------------------------------------------------------ in place on the whole tensor


@pytest.mark.parametrize(
    "change, value, slope",
    [
        (lambda y: y.add_(2), lambda a: a + 2, lambda a: 1),
        (lambda y: y.mul_(3), lambda a: a * 3, lambda a: 3),
        (lambda y: y.exp_(), np.exp, np.exp),
        (lambda y: y.sin_(), np.sin, np.cos),
        (lambda y: y.pow_(3), lambda a: a**3, lambda a: 3 * a**2),
        (lambda y: y.mul_(y), lambda a: a * a, lambda a: 2 * a),
        (lambda y: y.div_(y.detach() + 1), lambda a: a / (a + 1), lambda a: 1 / (a + 1)),
        (lambda y: y.addcmul_(y.detach(), y.detach()), lambda a: a + a * a, lambda a: 1),
        (
            lambda y: y.log_().tanh_(),
            lambda a: np.tanh(np.log(a)),
            lambda a: (1 - np.tanh(np.log(a)) ** 2) / a,
        ),
        (lambda y: y.clamp_(2, 4), lambda a: np.clip(a, 2, 4), lambda a: (a >= 2) & (a <= 4)),
        (lambda y: y.zero_(), np.zeros_like, lambda a: 0),
        (lambda y: y.fill_(7), lambda a: a * 0 + 7, lambda a: 0),
        (lambda y: y.copy_(y * 2), lambda a: 2 * a, lambda a: 2),
        (lambda y: y.masked_fill_(y > 3, 0.0), lambda a: a * (a <= 3), lambda a: a <= 3),
        (lambda y: y.xlogy_(y.detach()), lambda a: a * np.log(a), np.log),
        (lambda y: y.__itruediv__(2), lambda a: a / 2, lambda a: 0.5),
        (lambda y: y.relu_(), lambda a: a, lambda a: 1),
        (lambda y: y.eq_(1), lambda a: (a == 1) * 1.0, lambda a: 0),
    ],
)
def test_whole_tensor(change, value, slope):
    a = numbers(2, 3).detach().numpy()
    got, grad, weights = gradient(change)
    np.testing.assert_allclose(got, value(a))
    np.testing.assert_allclose(grad, slope(a) * weights)


def test_in_place_returns_the_tensor_and_keeps_its_memory():
    x = thw.ones(2)
    array = x.array
    assert x.add_(1) is x and x.array is array
    y = x
    y += 1
    assert y is x and x.tolist() == [3.0, 3.0]


def test_gradient_of_the_other_operand():
    x, w = thw.full((2,), 3.0, dtype=thw.float64), numbers(2)
    x.mul_(w)
    assert x.requires_grad and not x.is_leaf
    x.mul_(w).sum().backward()
    assert w.grad.tolist() == [6.0, 12.0]


def test_overwriting_keeps_requires_grad_and_gives_zeros():
    x = numbers(2)
    y = x * 2
    y.uniform_()
    assert y.requires_grad and not y.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_dtype_is_kept_and_differentiated():
    x, w = tensor([1.0, 2.0], requires_grad=True), leaf([3.0, 4.0])
    y = x * 1
    y.mul_(w)
    assert y.dtype == thw.float32
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0] and w.grad.tolist() == [1.0, 2.0]


def test_retain_grad_and_hooks_around_a_change():
    x, seen = numbers(2), []
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert seen == [[1.0, 1.0], [3.0, 3.0]]  # after the change, then before it
    assert y.grad.tolist() == [1.0, 1.0] and x.grad.tolist() == [6.0, 6.0]
