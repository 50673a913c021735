"""Fusion that nobody sees: chains of conv, relu and pooling, looked at in every way users look at Tensors."""

import copy
import gc
import multiprocessing
import os
import pickle
import sys
import threading

import pytest

import tinygrad_hw as torch
from tests.deferred_chains import assert_same, chain, gradients, looked_at, new_leaves, put_off_any_work
from tinygrad_hw import nn
from tinygrad_hw.deferred import Deferred
from tinygrad_hw.nn import functional as F
from tinygrad_hw.waiting import waiting


@pytest.fixture
def leaves(monkeypatch):
    put_off_any_work(monkeypatch)
    return new_leaves()


SPELLINGS = {
    "functions": chain,
    "relu_last": lambda x, w, b: F.relu(F.max_pool2d(F.conv2d(x, w, b, padding=1), 2)),
    "in_place": lambda x, w, b: F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1), inplace=True), 2),
    "method": lambda x, w, b: F.max_pool2d(F.conv2d(x, w, b, padding=1).relu(), (2, 2), 2),
    "modules": lambda x, w, b: nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(2))(
        F.conv2d(x, w, b, padding=1)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_fused_and_right(leaves, spelling):
    result, found = gradients(SPELLINGS[spelling], leaves)
    assert result.grad_fn.name() == "ConvolutionBlockBackward0"
    expected, wanted = gradients(looked_at, leaves)
    assert expected.grad_fn.name() == "MaxPoolingBackward0"
    assert_same([result, *found], [expected, *wanted])


@pytest.mark.parametrize("kernel", [dict(kernel_size=3, stride=2), dict(kernel_size=2, stride=1),
                                    dict(kernel_size=2, padding=1), dict(kernel_size=2, ceil_mode=True)])
def test_other_windows_are_pooled_in_the_ordinary_way(leaves, kernel):
    def pooled(x, w, b):
        return F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1)), **kernel)

    def apart(x, w, b):
        r = F.relu(F.conv2d(x, w, b, padding=1))
        r.tolist()
        return F.max_pool2d(r, **kernel)

    result, found = gradients(pooled, leaves)
    assert result.grad_fn.name() == "MaxPoolingBackward0"
    expected, wanted = gradients(apart, leaves)
    assert_same([result, *found], [expected, *wanted])


def test_shape_and_dtype_are_known_without_computing(leaves):
    c = F.conv2d(*leaves)
    assert (c.shape, c.size(1), c.dim(), c.dtype, c.numel()) == ((2, 4, 7, 6), 4, 4, torch.float64, 336)
    assert type(c) is Deferred and c._stage is not None
    with pytest.raises(IndexError, match="Dimension out of range"):
        c.size(7)


def test_a_look_makes_a_plain_tensor_in_row_major_memory(leaves):
    for values in (F.conv2d(*leaves), F.relu(F.conv2d(*leaves)), chain(*leaves)):
        assert values.is_contiguous() and type(values) is torch.Tensor
        assert values.stride() == torch.empty(values.shape).stride()
        assert values.view(-1).shape == (values.numel(),)


def test_indices_of_the_maxima(leaves):
    r = F.relu(F.conv2d(*leaves))
    values, indices = F.max_pool2d(r, 2, return_indices=True)
    assert torch.equal(values.flatten(2), r.flatten(2).gather(2, indices.flatten(2)))


# ------------------------------------------------------------------ the middle of a chain


def test_retain_grad_in_the_middle_after_the_chain_was_computed(leaves):
    c = F.conv2d(*leaves, padding=1)
    r = F.relu(c)
    p = F.max_pool2d(r, 2)
    assert p.grad_fn.name() == "ConvolutionBlockBackward0"
    c.retain_grad()
    r.retain_grad()
    assert [t.grad_fn.name() for t in (c, r, p)] == ["ConvolutionBackward0", "ReluBackward0",
                                                    "MaxPoolingBackward0"]
    (p * p).sum().backward()
    expected_c = F.conv2d(*leaves, padding=1)
    expected_c.tolist()
    expected_c.retain_grad()
    expected = F.relu(expected_c)
    expected.retain_grad()
    expected.tolist()
    (F.max_pool2d(expected, 2) ** 2).sum().backward()
    assert_same([c.grad, r.grad], [expected_c.grad, expected.grad])


@pytest.mark.parametrize("middle", ["conv", "pool", "both"])
def test_gradients_with_respect_to_the_middle(leaves, middle):
    c = F.conv2d(*leaves, padding=1)
    p = F.max_pool2d(c, 2)
    q = F.relu(p)
    asked = {"conv": [c], "pool": [p], "both": [p, c]}[middle]
    found = torch.autograd.grad((q * q).sum(), asked, retain_graph=True)
    apart = F.conv2d(*leaves, padding=1)
    apart.tolist()
    pooled = F.max_pool2d(apart, 2)
    pooled.tolist()
    end = F.relu(pooled)
    wanted = torch.autograd.grad((end * end).sum(), {"conv": [apart], "pool": [pooled],
                                                     "both": [pooled, apart]}[middle])
    assert_same(found, wanted)
    q.sum().backward()
    assert all(leaf.grad is not None for leaf in leaves)


def test_retain_grad_in_the_middle_before_the_chain_is_computed(leaves):
    """What still waits behind the Tensor follows from it, not past it."""
    c = F.conv2d(*leaves, padding=1)
    r = F.relu(c)
    c.retain_grad()
    r.sum().backward()
    assert torch.equal(c.grad, (c > 0).double())


def test_two_that_lead_on_from_one_in_the_middle(leaves):
    """The relu that both pools follow is one node, though only the pools were computed so far."""
    c = F.conv2d(*leaves, padding=1)
    r = F.relu(c)
    p, q = F.max_pool2d(r, 2), F.max_pool2d(r, 2)
    c.retain_grad()
    r.retain_grad()
    (p + 2 * q).sum().backward()
    assert torch.equal(r.grad.sum(), torch.tensor(3.0 * p.numel(), dtype=torch.float64))
    assert torch.equal(c.grad, torch.where(c > 0, r.grad, 0))


@pytest.mark.parametrize("looks", ["c", "r", "rc", "cr"])
def test_a_look_after_the_bias_was_changed(leaves, looks):
    """What waits to read it is computed before, and still gets its place in the graph."""
    c = F.conv2d(*leaves, padding=1)
    r = F.relu(c)
    p = F.max_pool2d(r, 2)
    leaves[2].data.add_(1)
    assert not waiting
    tensors = {"c": c, "r": r}
    for name in looks:
        tensors[name].retain_grad()
    p.sum().backward()
    plain = r.detach().clone().requires_grad_()
    F.max_pool2d(plain, 2).sum().backward()
    expected = plain.grad
    if "r" in looks:
        assert torch.equal(r.grad, expected)
    if "c" in looks:
        assert torch.equal(c.grad, torch.where(c > 0, expected, 0))
    assert leaves[1].grad is not None


def test_only_the_ends_of_a_chain_are_held(leaves):
    c = F.conv2d(*leaves, padding=1)
    p = F.max_pool2d(F.relu(c), 2)
    c.register_hook(lambda g: 0 * g)
    p.sum().backward()
    assert leaves[1].grad.abs().sum() == 0


def test_a_change_in_place_of_what_another_chain_goes_through(leaves):
    """Each follows from the values of its call; a look at the changed Tensor does not reach the other."""
    c = F.conv2d(*leaves, padding=1)
    p = F.max_pool2d(c, 2)
    c.relu_()
    c.retain_grad()
    weights = leaves[:2]
    found = torch.autograd.grad(p.sum(), weights, retain_graph=True)
    before = F.conv2d(*leaves, padding=1)
    before.tolist()
    pooled = F.max_pool2d(before, 2)
    pooled.tolist()
    assert torch.equal(p, pooled) and torch.equal(c, F.relu(before))
    assert_same(found, torch.autograd.grad(pooled.sum(), weights))


def test_a_hook_in_the_middle_changes_the_gradient(leaves):
    r = F.relu(F.conv2d(*leaves))
    p = F.max_pool2d(r, 2)
    r.register_hook(lambda g: 0 * g)
    p.sum().backward()
    assert leaves[1].grad.abs().sum() == 0


def test_the_middle_used_twice(leaves):
    def twice(x, w, b):
        r = F.relu(F.conv2d(x, w, b, padding=1))
        return F.max_pool2d(r, 2) + F.avg_pool2d(r, 2)

    def apart(x, w, b):
        r = F.relu(F.conv2d(x, w, b, padding=1))
        r.tolist()
        return F.max_pool2d(r, 2) + F.avg_pool2d(r, 2)

    found, wanted = gradients(twice, leaves), gradients(apart, leaves)
    assert_same([found[0], *found[1]], [wanted[0], *wanted[1]])


def test_a_module_hook_sees_the_values(leaves):
    seen = []
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)).double()
    net[1].register_forward_hook(lambda module, args, output: seen.append(output.detach().clone()))
    net(leaves[0])
    assert torch.equal(seen[0], F.relu(net[0](leaves[0])))


def test_a_look_after_the_backward_pass(leaves):
    r = F.relu(F.conv2d(*leaves))
    p = F.max_pool2d(r, 2)
    p.sum().backward()
    assert torch.equal(F.max_pool2d(r.detach(), 2), p)


# ------------------------------------------------------------------ modes, errors, copies, threads


def test_errors_come_at_the_call(leaves):
    x, w, b = leaves
    with pytest.raises(RuntimeError, match="to have 3 channels, but got 2"):
        F.conv2d(x[:, :2], w, b)
    c = F.conv2d(x, w, b)
    with pytest.raises(RuntimeError, match="Output size is too small"):
        F.max_pool2d(c, 20)


def test_no_grad_and_a_change_of_mode_in_the_middle(leaves):
    with torch.no_grad():
        assert not chain(*leaves).requires_grad
        c = F.conv2d(*leaves)
    assert not F.relu(c).requires_grad
    c = F.conv2d(*leaves)
    with torch.no_grad():
        r = F.relu(c)
    assert c.requires_grad and not r.requires_grad


def test_anomaly_mode_names_the_line(leaves):
    with torch.autograd.detect_anomaly():
        assert "test_anomaly_mode" in F.conv2d(*leaves).grad_fn.where


def test_nodes_know_the_lines_of_the_calls_however_late_they_are_made(leaves):
    def line(node):
        return int(node.where.split(":")[1].split()[0]) - first

    first = test_nodes_know_the_lines_of_the_calls_however_late_they_are_made.__code__.co_firstlineno
    c = F.conv2d(*leaves)
    r = F.relu(c)
    p = F.max_pool2d(r, 2)
    assert line(p.grad_fn) == 5  # what it saved are the arguments of conv2d
    r.retain_grad()
    assert [line(one.grad_fn) for one in (p, r, c, r)] == [7, 5, 5, 6]  # c takes conv and relu apart


def test_second_order(leaves):
    x, w, b = leaves
    x = x.detach()[:1, :, :5, :5].clone().requires_grad_()
    assert torch.testing.gradgradcheck(chain, (x, w, b))


def test_copies(leaves):
    with torch.no_grad():
        expected = chain(*leaves)
        assert torch.equal(copy.deepcopy(F.conv2d(*leaves)), F.conv2d(*leaves))
        assert torch.equal(pickle.loads(pickle.dumps(chain(*leaves))), expected)
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(F.conv2d(*leaves))


def test_another_thread_may_look(leaves):
    expected = F.conv2d(*leaves).tolist()
    c, seen = F.conv2d(*leaves), []
    threads = [threading.Thread(target=lambda: seen.append(c.tolist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 4


def test_threads_that_look_at_different_parts_of_one_chain(leaves):
    """Whoever comes first, the values and the gradient are the same."""
    expected = gradients(chain, leaves)[1]
    for _ in range(20):
        c = F.conv2d(*leaves, padding=1)
        r = F.relu(c)
        p = F.max_pool2d(r, 2)
        looks = [lambda: r.tolist(), lambda: c.retain_grad(), lambda: p.tolist(), lambda: r.retain_grad()]
        threads = [threading.Thread(target=look) for look in looks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cotangent = torch.linspace(-1, 1, p.numel(), dtype=torch.float64).reshape(p.shape)
        assert_same(torch.autograd.grad(p, leaves, cotangent), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_computes(leaves):
    """The child has none of its parent's threads, so it must not wait for their locks."""
    c = F.conv2d(*leaves)
    expected = F.conv2d(*leaves).tolist()
    taken, done = threading.Event(), threading.Event()

    def hold():
        with c._stage.lock:
            taken.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    process = multiprocessing.get_context("fork").Process(target=_look_and_exit, args=(c, expected))
    process.start()
    process.join(60)
    done.set()
    holder.join()
    if process.is_alive():
        process.kill()
    assert process.exitcode == 0


def _look_and_exit(tensor, expected):
    sys.exit(tensor.tolist() != expected)


def test_nothing_stays_behind(leaves):
    gc.disable()
    try:
        r = F.relu(F.conv2d(*leaves))
        F.max_pool2d(r, 2).sum().backward()
        assert len(waiting) == 1  # r, which computes its values when it is looked at
        del r
        assert not waiting
    finally:
        gc.enable()
