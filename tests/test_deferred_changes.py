"""What was put off is computed from what its inputs were, whatever is written over them in the meantime."""

import numpy as np
import pytest

import tinygrad_hw as torch
from tests.deferred_chains import assert_same, chain, new_leaves, put_off_any_work
from tinygrad_hw import nn
from tinygrad_hw.deferred import Deferred
from tinygrad_hw.nn import functional as F


@pytest.fixture
def leaves(monkeypatch):
    put_off_any_work(monkeypatch)
    return new_leaves()


def changes():
    def optimizer(x, w):
        w.grad = torch.ones_like(w)
        torch.optim.SGD([w], lr=1.0).step()

    def state_dict(x, w):
        layer = nn.Conv2d(3, 4, 3, bias=False)
        layer.weight = nn.Parameter(w)
        layer.load_state_dict({"weight": torch.zeros(4, 3, 3, 3)})

    def quiet(change):
        def run(x, w):
            with torch.no_grad():
                change(x, w)
        return run

    return {
        "zero_": quiet(lambda x, w: x.zero_()), "item": quiet(lambda x, w: w.__setitem__(0, 5.0)),
        "+=": quiet(lambda x, w: w.add_(1)), "view": quiet(lambda x, w: x[0].fill_(3)),
        "data": lambda x, w: w.data.mul_(2), "out": quiet(lambda x, w: torch.add(x, 1, out=x)),
        "init": lambda x, w: nn.init.ones_(w), "optimizer": optimizer, "state_dict": state_dict,
        "map_": quiet(lambda x, w: w.map_(w, lambda a, b: a + b)),
        "new data": lambda x, w: setattr(w, "data", torch.zeros(4, 3, 3, 3, dtype=torch.float64)),
    }


@pytest.mark.parametrize("change", changes())
@pytest.mark.parametrize("consumed", [False, True])
def test_values_are_those_of_the_call(leaves, change, consumed):
    """What was put off is computed from what its inputs were."""
    x, w, b = leaves
    expected = F.relu(F.conv2d(x, w, b)).detach().clone()
    r = F.relu(F.conv2d(x, w, b))
    kept = F.max_pool2d(r, 2) if consumed else None
    changes()[change](x, w)
    assert torch.equal(r, expected)
    assert kept is None or torch.equal(kept, F.max_pool2d(expected, 2))


@pytest.mark.parametrize("change", changes())
def test_changes_of_other_memory_leave_chains_whole(leaves, change):
    """Another thread may make them at any time, and the bits of a result must not depend on that."""
    x, w, b = leaves
    r = F.relu(F.conv2d(x, w, b))
    changes()[change](*new_leaves()[:2])
    assert type(r) is Deferred and r._stage.chain is not None


@pytest.mark.parametrize("normalise", [lambda *args: F.batch_norm(*args, training=True), F.instance_norm])
def test_running_statistics_that_a_convolution_reads(leaves, normalise):
    x, w, _ = leaves
    mean, var = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    expected = F.conv2d(x, w, torch.zeros(4, dtype=torch.float64)).detach()
    y = F.conv2d(x, w, mean)
    normalise(expected + 1, mean, var)
    assert mean.abs().sum() > 0 and torch.equal(y, expected)


def test_memory_that_numpy_holds_is_not_waited_for(leaves):
    x, w, b = leaves
    memory = x.detach().numpy()
    r = F.relu(F.conv2d(x, w, b))
    expected = F.relu(F.conv2d(x.detach().clone(), w, b)).detach().clone()
    memory[...] = 0
    assert torch.equal(r, expected)
    array = np.ones((1, 3, 5, 5))
    c = F.conv2d(torch.from_numpy(array)[:1], w)
    array[...] = 0
    assert c.abs().sum() > 0


def test_images_that_numpy_holds_cost_no_copies_between_layers(leaves):
    """A training loop holds its batch by `from_numpy` all the time."""
    _, w, b = leaves
    array = np.ones((1, 3, 8, 8))
    images = torch.from_numpy(array)
    first = F.relu(F.conv2d(images, w, b))
    second = F.conv2d(first, torch.ones(2, 4, 3, 3, dtype=torch.float64))
    assert second.shape == (1, 2, 4, 4)
    assert type(first) is Deferred and not vars(first)["array"].flags.c_contiguous


@pytest.mark.parametrize("memory", [
    lambda w: (w, w.numpy()), lambda w: (w, w.data.numpy()), lambda w: (w, np.asarray(w.data)),
    lambda w: (lambda m: (torch.as_tensor(m), m))(w.numpy().copy()),
    lambda w: (lambda m: (nn.Parameter(torch.from_numpy(m)), m))(w.numpy().copy()),
    lambda w: (lambda m: (torch.from_numpy(m).data, m))(w.numpy().copy()),
], ids=["numpy", "data", "asarray", "as_tensor", "parameter", "data of from_numpy"])
@pytest.mark.parametrize("early", [False, True])
def test_all_ways_in_which_numpy_may_hold_memory(leaves, memory, early):
    x, w = (one.detach().clone() for one in leaves[:2])
    if early:
        y = F.conv2d(x, w)
        w, array = memory(w)
    else:
        w, array = memory(w)
        y = F.conv2d(x, w)
    array[...] = 0
    assert y.abs().sum() > 0


def test_gradients_are_asked_for_before_the_call(leaves):
    """What ``requires_grad_`` and ``detach_`` change afterwards does not reach back."""
    x, w, _ = leaves
    frozen = w.detach().clone()
    y = F.conv2d(x, frozen)
    frozen.requires_grad_()
    y.sum().backward()
    assert frozen.grad is None and x.grad is not None
    y = F.conv2d(x.detach(), w)
    w.requires_grad_(False)
    y.sum().backward()  # no error: the graph is that of the call, though the leaf takes no gradient any more
    w.requires_grad_()
    scale = torch.ones(1, dtype=torch.float64, requires_grad=True)
    h = x.detach() * scale
    y = F.conv2d(h, w)
    h.detach_()
    y.sum().backward()
    assert scale.grad is not None


@pytest.mark.parametrize("change", [lambda y: y.zero_(), lambda y: y.fill_(2), lambda y: y.copy_(y * 1)])
def test_overwriting_a_result_in_channels_last_memory(leaves, change):
    h = chain(*leaves)
    y = h + h
    change(y)
    assert type(y) is torch.Tensor and y.shape == h.shape


def test_multiplying_a_result_in_place(leaves):
    """The node keeps the old values, whatever memory they are in."""
    for shape in ((2, 3, 9, 8), (2, 3, 3, 3)):
        x = leaves[0].detach()[:, :, :shape[2], :shape[3]].clone()
        h = F.max_pool2d(F.relu(F.conv2d(x, leaves[1])), 1)
        scale = torch.full(h.shape, 3.0, dtype=torch.float64, requires_grad=True)
        expected = h.detach().clone()
        h.mul_(scale)
        h.sum().backward()
        assert torch.equal(scale.grad, expected)


def test_a_result_may_be_changed_in_place(leaves):
    """The node keeps memory of its own, so the gradient stays right."""
    for function in chain, lambda x, w, b: F.relu(F.conv2d(x, w, b)):
        expected = torch.autograd.grad(function(*leaves).sum(), leaves)
        p = function(*leaves)
        p += 1
        p *= 2
        assert_same(torch.autograd.grad(p.sum() / 2, leaves), expected)
