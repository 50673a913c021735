"""Hooks, modes, and the graph as it is seen from outside."""

import math
import re
import threading

import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import grad
from tinygrad_hw.autograd.nodes import Accumulate


def leaf(*values, dtype=thw.float64):
    return tensor(list(values), dtype=dtype, requires_grad=True)


# ------------------------------------------------------------------ hooks


def test_tensor_hooks_replace_in_order_and_can_be_removed():
    x = leaf(1.0, 2.0)
    y = x * 3
    first = y.register_hook(lambda g: g + 1)
    with y.register_hook(lambda g: g * 10):
        y.sum().backward(retain_graph=True)
        assert x.grad.tolist() == [60.0, 60.0]
    x.grad = None
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [6.0, 6.0]
    first.remove()
    first.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_hooks_see_the_sum_of_all_paths_once():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5.0]]


def test_hooks_run_for_grad_and_before_the_post_accumulate_hooks():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append("hook"))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    grad(x.sum(), x)
    assert seen == ["hook"]
    x.sum().backward()
    assert seen == ["hook", "hook", [1.0]]


def test_post_accumulate_hook_may_take_the_gradient():
    x = leaf(1.0)

    def step(parameter):
        with thw.no_grad():
            parameter -= 0.1 * parameter.grad
        parameter.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    assert x.grad is None and x.tolist() == pytest.approx([0.8])
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0]


@pytest.mark.parametrize("result, error, text", [
    (thw.ones(3), RuntimeError, r"changed the size of value from \(2,\) to \(3,\)"),
    (thw.ones(2), RuntimeError, "changed the type of value"),
    (1.0, TypeError, "to return a Tensor or None, got float"),
])
def test_a_hook_that_returns_nonsense_is_named(result, error, text):
    x = leaf(1.0, 2.0)

    def halve(g):
        return result

    x.register_hook(halve)
    with pytest.raises(error, match=f"'halve'.*{text}"):
        x.sum().backward()


def test_hooks_are_differentiated_with_create_graph():
    x = tensor(2.0, requires_grad=True)
    x.register_hook(lambda g: g * g)
    (g,) = grad(x ** 3, x, create_graph=True)
    assert g.item() == 144.0


def test_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    assert y.retains_grad and not x.retains_grad
    y.sum().backward(retain_graph=True)
    assert y.grad.tolist() == [10.0, 10.0]
    y.sum().backward()
    assert y.grad.tolist() == [20.0, 20.0]
    x.retain_grad()  # a leaf keeps its gradient anyway


def test_freezing_a_leaf_keeps_its_hooks():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    x.requires_grad = True
    (x * 2).sum().backward()
    assert seen == [2.0]


# ------------------------------------------------------------------ modes


def test_anomaly_names_op_and_line():
    x = leaf(-1.0)
    with thw.autograd.detect_anomaly():
        y = x.sqrt()  # the culprit
        with pytest.warns(UserWarning, match="SqrtBackward0"), pytest.raises(RuntimeError) as caught:
            (y * 0).sum().backward()
    assert re.search(
        r"'SqrtBackward0' returned nan.*test_hooks_and_modes\.py:\d+ in test_anomaly", str(caught.value)
    )
    (x.sqrt() * 0).sum().backward()
    assert math.isnan(x.grad.item()) and not thw.autograd.is_anomaly_enabled()


def test_anomaly_without_the_nan_check():
    with thw.autograd.detect_anomaly(check_nan=False):
        (leaf(-1.0).sqrt() * 0).sum().backward()


@pytest.mark.parametrize("switch, expected", [
    (thw.no_grad, False), (thw.enable_grad, True), (thw.inference_mode, False),
    (lambda: thw.inference_mode(False), True), (lambda: thw.set_grad_enabled(False), False),
])
def test_modes_as_context_and_decorator(switch, expected):
    x = leaf(1.0)
    with switch():
        assert thw.is_grad_enabled() is expected
        assert (x * 2).requires_grad is expected
    assert thw.is_grad_enabled()

    @switch()
    def run(depth=1):
        """Documentation."""
        return run(depth - 1) if depth else thw.is_grad_enabled()

    assert run() is expected and run.__name__ == "run" and run.__doc__ == "Documentation."
    assert thw.is_grad_enabled()


def test_modes_end_with_exceptions_and_nest():
    with pytest.raises(ZeroDivisionError), thw.no_grad():
        raise ZeroDivisionError
    assert thw.is_grad_enabled()
    with thw.no_grad():
        with thw.enable_grad():
            assert thw.is_grad_enabled()
        assert not thw.is_grad_enabled()
    same = thw.no_grad()
    with same, same:
        pass
    assert thw.is_grad_enabled()


def test_decorators_without_parentheses():
    for switch, expected in ((thw.no_grad, False), (thw.enable_grad, True), (thw.inference_mode, False)):
        assert switch(lambda: thw.is_grad_enabled())() is expected
    with pytest.raises(TypeError, match="not the class Net"):
        thw.no_grad()(type("Net", (), {}))


def test_set_grad_enabled_acts_at_once():
    thw.set_grad_enabled(False)
    try:
        assert not thw.is_grad_enabled()
    finally:
        thw.set_grad_enabled(True)
    assert thw.is_grad_enabled()


def test_generators_are_switched_only_while_they_run():
    @thw.no_grad()
    def numbers():
        received = yield thw.is_grad_enabled()
        try:
            yield received
        except KeyError:
            yield "caught"
        return "done"

    iterator = numbers()
    assert next(iterator) is False and thw.is_grad_enabled()
    assert iterator.send("sent") == "sent"
    assert iterator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(iterator)
    assert stop.value.value == "done" and thw.is_grad_enabled()


def test_modes_belong_to_the_thread():
    seen = []
    with thw.no_grad():
        thread = threading.Thread(target=lambda: seen.append(thw.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_inference_mode_is_told():
    with thw.inference_mode():
        assert thw.is_inference_mode_enabled()
        with thw.inference_mode(False):
            assert not thw.is_inference_mode_enabled()
    assert not thw.is_inference_mode_enabled()


def test_no_grad_creates_leaves_that_may_require_gradients():
    with thw.no_grad():
        x = leaf(1.0)
        y = x * 2
    assert x.requires_grad and y.is_leaf and not y.requires_grad


# ------------------------------------------------------------------ the graph, seen from outside


def test_graph_can_be_walked():
    x = leaf(1.0)
    y = (x * 2 + 1).sum()
    assert y.grad_fn.name() == "SumBackward0" and repr(y.grad_fn) == "<SumBackward0>"
    add, _ = y.grad_fn.next_functions[0]
    mul, _ = add.next_functions[0]
    (end, _), = mul.next_functions
    assert (add.name(), mul.name(), end.name()) == ("AddBackward0", "MulBackward0", "AccumulateGrad")
    assert type(end) is Accumulate and end.variable is x
    assert x.is_leaf and x.grad_fn is None and not y.is_leaf


def test_detach_shares_memory_and_ends_the_graph():
    x = leaf(1.0, 2.0)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    d = x.detach()
    assert d.array is x.array and d._version_counter is x._version_counter
    z = x * 2
    z.detach_()
    assert z.is_leaf and not z.requires_grad
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        (x * 2)[0].detach_()
