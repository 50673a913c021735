"""What a graph keeps alive, and that it dies with its last reference."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import Tensor, tensor
from tinygrad_hw.autograd import grad
from tinygrad_hw.autograd.nodes import Node


def leaf(*values, dtype=thw.float64):
    return tensor(list(values), dtype=dtype, requires_grad=True)


class Square(thw.autograd.Function):
    """The smallest `Function`."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


# ------------------------------------------------------------------ depth and memory


@pytest.mark.slow
def test_a_chain_of_100_000_ops():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    first = weakref.ref(y.grad_fn)
    del y
    assert first() is None


@pytest.mark.slow
def test_a_long_chain_that_was_never_differentiated_dies():
    y = leaf(1.0)
    for _ in range(100_000):
        y = y * 1.0
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def graph_objects():
    return sum(issubclass(type(o), (Tensor, Node)) for o in gc.get_objects())


@pytest.fixture
def without_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def build(x, w):
    y = (x * w).exp() + 0
    v = y[0]
    v.mul_(w[0])
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    z = Square.apply(y.view(-1)) + y.reshape(-1).relu()
    return (z / z.detach().sum()).sum()


@pytest.mark.parametrize("how", ["dropped", "backward", "retained", "second order", "failed"])
def test_graphs_die_without_the_garbage_collector(how, without_gc):
    x, w = leaf(1.0, 2.0), leaf(0.5, 0.25)
    before = graph_objects()
    loss = build(x, w)
    if how in ("backward", "retained"):
        loss.backward(retain_graph=how == "retained")
    elif how == "second order":
        (g,) = grad(loss, x, create_graph=True)
        grad(g.sum(), w)
        del g
    elif how == "failed":
        with pytest.raises(RuntimeError, match="Mismatch"):
            loss.backward(thw.ones(3))
    del loss
    x.grad = w.grad = None
    assert graph_objects() == before


def test_leaf_hooks_make_no_cycle(without_gc):
    before = graph_objects()
    x = leaf(1.0)
    x.register_hook(lambda g: g)
    x.register_post_accumulate_grad_hook(lambda t: None)
    (x * x).sum().backward()
    del x
    assert graph_objects() == before


@pytest.mark.slow
def test_training_does_not_leak(without_gc):
    rng = np.random.default_rng(0)
    data, target = thw.from_numpy(rng.normal(size=(8, 4))), thw.from_numpy(rng.normal(size=(8, 1)))
    weights = [thw.from_numpy(rng.normal(size=s)).requires_grad_() for s in ((4, 5), (5,), (5, 1))]

    def step():
        hidden = (data @ weights[0] + weights[1]).relu()
        loss = ((hidden @ weights[2] - target) ** 2).mean()
        loss.backward()
        with thw.no_grad():
            for w in weights:
                w -= 0.01 * w.grad
                w.grad = None
        return loss.item()

    losses = [step() for _ in range(10)]
    count = graph_objects()
    losses += [step() for _ in range(500)]
    tracemalloc.start()
    try:
        step()
        memory = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            step()
        growth = tracemalloc.get_traced_memory()[0] - memory
    finally:
        tracemalloc.stop()
    assert losses[-1] < losses[0]
    assert graph_objects() == count
    assert growth < 16_384  # the interpreter's free lists, whatever the number of steps


def test_buffers_are_freed_as_backward_passes():
    x = leaf(*np.linspace(0.1, 1, 50))
    first = x * 2
    middle = first * first
    saved = weakref.ref(first.array)
    last = middle.exp()
    seen = []
    x.register_hook(lambda g: seen.append(saved() is None))
    loss = last.sum()
    del first, middle, last
    assert saved() is not None
    loss.backward()
    assert seen == [True]


def test_rules_keep_only_what_they_name():
    x = leaf(*np.linspace(0.1, 1, 50))
    inner = x * 2
    array = weakref.ref(inner.array)
    y = inner + 1
    z = inner.sum()
    del inner
    assert array() is None
    (y.sum() + z).backward()
    assert x.grad[0].item() == 4.0


def test_a_graph_does_not_keep_a_leaf_that_nobody_holds():
    x = leaf(1.0)
    y = (x + 1).sum()
    gone = weakref.ref(x)
    del x
    assert gone() is None
    y.backward()


# ------------------------------------------------------------------ gradients share no memory


def memory_is_separate(*tensors):
    return not any(np.may_share_memory(a.array, b.array)
                   for i, a in enumerate(tensors) for b in tensors[i + 1:])


def test_gradients_of_one_op_are_separate():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    cotangent = thw.ones(2, dtype=thw.float64)
    (x + y).backward(cotangent)
    assert memory_is_separate(x.grad, y.grad, cotangent)
    x.grad.zero_()
    assert y.grad.tolist() == [1.0, 1.0] and cotangent.tolist() == [1.0, 1.0]
    gx, gy = grad(x + y, [x, y], cotangent)
    assert memory_is_separate(gx, gy, cotangent)


def test_gradients_of_one_op_are_separate_when_recorded():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    cotangent = thw.ones(2, dtype=thw.float64)
    (x + y).backward(cotangent, create_graph=True)
    assert x.grad is not y.grad and memory_is_separate(x.grad, y.grad, cotangent)


def test_x_plus_x():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    (y + y).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0] and y.grad.tolist() == [2.0, 2.0]
    assert memory_is_separate(x.grad, y.grad)


def test_accumulation_does_not_write_into_what_a_hook_kept():
    x, kept = leaf(1.0, 2.0), []
    y = x * 3
    y.register_hook(lambda g: kept.append(g))
    x.register_hook(lambda g: kept.append(g))
    (y + y * 2).sum().backward()
    values = [k.tolist() for k in kept]
    (x * 5).sum().backward()
    x.grad.mul_(100)
    assert [k.tolist() for k in kept[:2]] == values == [[3.0, 3.0], [9.0, 9.0]]


def test_a_stolen_buffer_belongs_to_one_leaf():
    x = leaf(1.0, 2.0)
    a = x * 2
    b = a.view(2)
    (a.sum() + (b * b).sum() + (x.view(1, 2).exp()).sum()).backward()
    expected = 2 + 8 * np.array([1.0, 2.0]) + np.exp([1.0, 2.0])
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_own_gradient_buffer_is_added_to_in_place():
    x = leaf(1.0, 2.0)
    x.grad = buffer = thw.zeros(2, dtype=thw.float64)
    x.sum().backward()
    assert x.grad is buffer and buffer.tolist() == [1.0, 1.0]
