"""What a call leaves in the graph: the same node however it was written, a view's node when asked for."""

import _thread
import sys
import threading
import time

import numpy as np
import pytest

import tinygrad_hw as torch


def leaf(*shape):
    return torch.arange(float(np.prod(shape))).reshape(shape).clone().requires_grad_()


# ------------------------------------------------------------------ however it is written


@pytest.mark.parametrize("write", [
    lambda x, y: torch.add(x, y, alpha=2), lambda x, y: x.add(y, alpha=2),
    lambda x, y: torch.add(input=x, other=y, alpha=2),
    lambda x, y: torch.stack([x, y, y]).sum(0), lambda x, y: torch.stack((x, y, y), dim=0).sum(dim=0),
    lambda x, y: torch.cat(tensors=[x[None], y[None], y[None]]).sum(0), lambda x, y: torch.add(y, x + y),
])
def test_gradients_do_not_depend_on_how_a_call_is_written(write):
    x, y = leaf(2, 3), leaf(2, 3)
    found = torch.autograd.grad(write(x, y).mul(x).sum(), (x, y))
    assert torch.equal(found[0], 2 * x + 2 * y) and torch.equal(found[1], 2 * x)


def test_only_what_needs_a_gradient_is_recorded():
    x, constant = leaf(3), torch.ones(3)
    assert (constant * constant).grad_fn is None and (x > constant).grad_fn is None
    assert x.long().grad_fn is None and torch.max(torch.ones(2, 2), 1).values.grad_fn is None
    values, places = torch.max(leaf(2, 2), 1)
    assert values.requires_grad and not places.requires_grad
    with torch.no_grad():
        assert not (x * 2).requires_grad and not x[1:].requires_grad and not x.chunk(3)[0].requires_grad


def test_a_saved_result_is_the_one_that_was_returned():
    x = leaf(2, 3)
    y = x.exp()
    with torch.no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match="the result of shape.*is at version 1; expected version 0"):
        y.sum().backward()


# ------------------------------------------------------------------ views


VIEWS = {
    "view": lambda x: x.view(-1), "T": lambda x: x.T, "slice": lambda x: x[1:],
    "part": lambda x: x.split(1)[1],
    "expand": lambda x: x.expand(2, 2, 3), "view of a view": lambda x: x.T[1:].reshape(2, 2, 1),
    "keyword": lambda x: torch.flatten(x, start_dim=0),
}


@pytest.mark.parametrize("take", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("forget", [lambda x: x.detach_(), lambda x: None], ids=["detached", "kept"])
def test_a_view_keeps_the_history_that_its_source_had(take, forget):
    x = leaf(2, 3)
    y = x * 1
    view = take(y)
    forget(y)
    assert view.requires_grad
    view.mul(3).sum().backward()
    expected = torch.zeros(2, 3, requires_grad=True)
    take(expected * 1).mul(3).sum().backward()
    assert torch.equal(x.grad, expected.grad)


@pytest.mark.parametrize("take", VIEWS.values(), ids=VIEWS)
def test_a_view_does_not_get_the_history_that_its_source_has_later(take):
    x = torch.ones(2, 3)
    view = take(x)
    x.requires_grad_()
    assert not view.requires_grad


def test_a_views_node_tells_where_and_when_the_view_was_taken():
    y = leaf(2, 3) * 1
    view = y.view(-1)  # this line
    later = y * 2
    line = test_a_views_node_tells_where_and_when_the_view_was_taken.__code__.co_firstlineno + 2
    assert f"test_recording.py:{line} in" in view.grad_fn.where
    assert y.grad_fn.order > view.grad_fn.order > later.grad_fn.order
    assert view.grad_fn is view.grad_fn and view.grad_fn.name() == "ViewBackward0"


@pytest.mark.parametrize("take", [
    lambda x, i: x[i], lambda x, i: x[i, :2], lambda x, i: x.select(0, i), lambda x, i: x.narrow(0, i, 1),
    lambda x, i: torch.narrow(x, dim=0, start=i, length=1),
])
def test_a_view_remembers_the_place_that_a_tensor_named(take):
    x, place = leaf(3, 4), torch.tensor(1)
    view = take(x * 1, place)
    place.fill_(0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        view.sum().backward()


def test_parts_are_outputs_of_one_node():
    parts = (leaf(4, 2) * 1).split([1, 2, 1])
    assert len({id(part.grad_fn) for part in parts}) == 1 and [part.output_nr for part in parts] == [0, 1, 2]


def test_the_node_of_parts_tells_where_and_when_they_were_cut():
    y = leaf(4, 2) * 1
    first, second = y.chunk(2)  # this line
    later = y * 2
    line = test_the_node_of_parts_tells_where_and_when_they_were_cut.__code__.co_firstlineno + 2
    assert f"test_recording.py:{line} in" in second.grad_fn.where
    assert y.grad_fn.order > second.grad_fn.order > later.grad_fn.order
    assert first.grad_fn is second.grad_fn and (first.output_nr, second.output_nr) == (0, 1)


def test_threads_that_ask_at_once_get_one_node():
    """A hook that one of them registers must see the gradient that the other one sends."""
    for _ in range(50):
        x = leaf(4)
        view, start, nodes = (x * 1).view(2, 2), threading.Barrier(3), []

        def ask(view=view, start=start, nodes=nodes):
            start.wait()
            nodes.append(view.grad_fn)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, nodes))) == 1


def test_an_op_that_no_python_code_calls(monkeypatch):
    """The graph looks for the user's line on a stack that has none."""
    errors, before = [], _thread._count()
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    for call in (leaf(3).relu, leaf(3).flatten, leaf(4).chunk):
        _thread.start_new_thread(call, (2,) if call.__name__ == "chunk" else ())
    while _thread._count() > before:
        time.sleep(0.001)
    assert not errors
