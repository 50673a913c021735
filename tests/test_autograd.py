"""The backward pass: what it computes, what it keeps, what it refuses."""

import math

import numpy as np
import pytest

import ops
import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import backward, grad
from tinygrad_hw.autograd.graph import plan_of


def leaf(*values, dtype=thw.float64):
    return tensor(list(values), dtype=dtype, requires_grad=True)


def scalar(value):
    return tensor(value, dtype=thw.float64, requires_grad=True)


# ------------------------------------------------------------------ backward


def test_gradients_accumulate_until_cleared():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert x.grad.tolist() == [4.0, 8.0]
    x.grad = None
    (3 * x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_paths_that_meet_are_summed():
    x = scalar(3.0)
    y = x * x
    (y * x + y + x).backward()
    assert x.grad.item() == 3 * 9 + 6 + 1


def test_backward_from_several_roots():
    x = scalar(3.0)
    y = x * x
    backward([y, y * 2, x], [None, tensor(10.0, dtype=thw.float64), None])
    assert x.grad.item() == 6 + 2 * 10 * 6 + 1


def test_gradient_argument_is_the_cotangent():
    x = leaf(1.0, 2.0)
    (x * x).backward(tensor([1.0, 10.0], dtype=thw.float64))
    assert x.grad.tolist() == [2.0, 40.0]


def test_one_element_of_any_shape_needs_no_gradient_argument():
    x = tensor([[2.0]], requires_grad=True)
    (x * x).backward()
    assert x.grad.tolist() == [[4.0]]


def test_leaf_is_its_own_gradient_source():
    x = scalar(2.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_only_what_is_asked_for_is_computed(monkeypatch):
    ran = []

    def spied(name, rule, needs):
        return name, lambda *given: ran.append(name) or rule(*given), needs

    plan = plan_of(ops.mul, 0b11)
    monkeypatch.setattr(plan, "rules", [spied(*one) for one in plan.rules])
    for asked, expected in ("x", ["input"]), ("y", ["other"]), ("xy", ["input", "other"]):
        leaves = {"x": leaf(1.0), "y": leaf(2.0)}
        product = (leaves["x"] * leaves["y"]).sum()
        ran.clear()
        found = grad(product, [leaves[name] for name in asked])
        assert ran == expected
        assert [one.item() for one in found] == [{"x": 2.0, "y": 1.0}[name] for name in asked]


def test_rules_of_several_arguments_are_told_what_is_asked_for(monkeypatch):
    plan, told = plan_of(ops.convolution, 0b111), []
    rule, planned = plan.joint
    monkeypatch.setattr(plan, "joint", (lambda g, wanted, *saved: told.append(wanted)
                                        or rule(g, wanted, *saved), planned))
    x, w, b = (thw.ones(*shape, requires_grad=True) for shape in [(1, 1, 3, 3), (1, 1, 2, 2), (1,)])
    result = ops.convolution(x, w, b, (1, 1), (0, 0), (1, 1), 1)
    assert grad(result.sum(), w, retain_graph=True)[0].tolist() == [[[[4.0, 4.0], [4.0, 4.0]]]]
    assert grad(result.sum(), [x, b])[1].tolist() == [4.0]
    assert told == [(False, True, False), (True, False, True)]


def test_inputs_restricts_the_leaves():
    x, y = leaf(1.0), leaf(2.0)
    z = x * y
    z.sum().backward(inputs=[x, z])
    assert x.grad.tolist() == [2.0] and y.grad is None and z.grad.tolist() == [1.0]


def test_constants_get_no_gradient():
    x, c = leaf(1.0), tensor([5.0], dtype=thw.float64)
    (x * c).sum().backward()
    assert c.grad is None and x.grad.tolist() == [5.0]


def test_gradient_takes_the_dtype_and_shape_of_its_input():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = tensor([[1.0], [2.0]], dtype=thw.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype == thw.float32 and x.grad.tolist() == [3.0, 3.0]
    assert y.grad.dtype == thw.float64 and y.grad.tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize(
    "call, error, text",
    [
        (
            lambda x: (x * 2).backward(),
            RuntimeError,
            r"implicitly created only for scalar outputs, got shape \(2,\)",
        ),
        (
            lambda x: x.detach().sum().backward(),
            RuntimeError,
            "element 0 of tensors does not require grad",
        ),
        (
            lambda x: (x * 2).backward(thw.ones(3)),
            RuntimeError,
            r"Mismatch in shape: grad_output\[0\] .*\[3\].*\[2\]",
        ),
        (lambda x: x.sum().backward(inputs=[]), RuntimeError, "cannot be empty"),
        (lambda x: x.sum().backward(inputs=[thw.ones(2)]), RuntimeError, "does not require grad"),
        (lambda x: backward([x.sum()], [1.0]), TypeError, "either Tensors or None, but got float"),
        (lambda x: backward([x.sum()], [None, None]), RuntimeError, "1 tensors and 2 gradients"),
        (
            lambda x: grad(x.sum(), thw.ones(2)),
            RuntimeError,
            "One of the differentiated Tensors does not require grad",
        ),
        (
            lambda x: grad(x.sum(), [x, leaf(1.0)]),
            RuntimeError,
            "at index 1 appears to not have been used in the graph",
        ),
        (
            lambda x: grad(x.sum(), x, allow_unused=False, materialize_grads=True),
            ValueError,
            "Expected allow_unused",
        ),
        (
            lambda x: (x * 2).requires_grad_(False),
            RuntimeError,
            "only change requires_grad flags of leaf",
        ),
        (
            lambda x: thw.ones(2, dtype=thw.int64).requires_grad_(),
            RuntimeError,
            "only Tensors of floating point dtype",
        ),
        (
            lambda x: setattr(x, "grad", thw.ones(3)),
            RuntimeError,
            r"of size '\[3\]' to a tensor of size '\[2\]'",
        ),
        (lambda x: setattr(x, "grad", 1), TypeError, "Tensor or None but got grad of type int"),
        (lambda x: setattr(x, "grad", thw.ones(2, dtype=thw.int64)), RuntimeError, "int64.*float64"),
        (lambda x: thw.ones(2).register_hook(print), RuntimeError, "doesn't require gradient"),
        (lambda x: thw.ones(2).retain_grad(), RuntimeError, "requires_grad=False"),
        (lambda x: (x * 2).register_post_accumulate_grad_hook(print), RuntimeError, "non-leaf"),
    ],
)
def test_refusals_say_what_is_wrong(call, error, text):
    with pytest.raises(error, match=text):
        call(leaf(1.0, 2.0))


def test_second_backward_names_the_op():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time.*MulBackward0.*retain_graph=True"):
        y.backward()


def test_second_backward_works_where_nothing_was_saved():
    x = leaf(1.0, 2.0)
    y = (x + x).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_retain_graph_allows_another_pass():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_create_graph_keeps_the_graph_and_records_the_gradient():
    x = leaf(1.0, 2.0)
    y = (x ** 3).sum()
    y.backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = grad(x.grad.sum(), x)
    assert second.tolist() == [6.0, 12.0]
    x.grad = None


# ------------------------------------------------------------------ grad


def test_grad_leaves_grad_attributes_alone():
    x = leaf(1.0, 2.0)
    (g,) = grad((x * x).sum(), x)
    assert g.tolist() == [2.0, 4.0] and x.grad is None and not g.requires_grad


def test_grad_of_intermediate_and_repeated_inputs():
    x = scalar(3.0)
    y = x * x
    gx, gy, again, whole = grad(y * y, [x, y, y, x])
    assert (gx.item(), gy.item(), again.item(), whole.item()) == (108.0, 18.0, 18.0, 108.0)
    (itself,) = grad(y, y)
    assert itself.item() == 1.0


def test_grad_of_several_outputs_with_cotangents():
    x = leaf(1.0, 2.0)
    (g,) = grad([x * x, x.sum()], x, [tensor([1.0, 10.0], dtype=thw.float64), None])
    assert g.tolist() == [3.0, 41.0]


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0)
    assert grad(x.sum(), [x, y], allow_unused=True)[1] is None
    assert grad(x.sum(), [x, y], materialize_grads=True)[1].tolist() == [0.0]


def test_grad_runs_only_the_nodes_on_the_way():
    x, y = leaf(2.0), leaf(3.0)
    seen = []
    left, right = x * 2, y * 3
    right.register_hook(lambda g: seen.append("right"))
    left.register_hook(lambda g: seen.append("left"))
    grad((left * right).sum(), x)
    assert seen == ["left"]


def test_third_order():
    x = leaf(0.5, -1.0, 2.0)
    y = (x ** 4 * x.exp()).sum()
    for _ in range(3):
        (g,) = grad(y, x, create_graph=True)
        y = g.sum()
    a = x.detach().numpy()
    expected = (a ** 4 + 12 * a ** 3 + 36 * a ** 2 + 24 * a) * np.exp(a)  # Leibniz
    np.testing.assert_allclose(g.detach().numpy(), expected, rtol=1e-12)


def test_tenth_order_of_sine():
    x = scalar(0.7)
    y = x.sin()
    for _ in range(10):
        (y,) = grad(y, x, create_graph=True)
    assert y.item() == pytest.approx(-math.sin(0.7), rel=1e-12)


def test_mixed_partial_derivatives():
    x, y = scalar(2.0), scalar(3.0)
    (gx,) = grad(x ** 2 * y ** 3, x, create_graph=True)
    (gxy,) = grad(gx, y)
    assert gxy.item() == 2 * 2 * 3 * 9
