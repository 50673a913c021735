"""`autograd.Function`: the user's own ops, by PyTorch's rules."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import Function, grad
from tinygrad_hw.autograd.function import once_differentiable
from tinygrad_hw.testing import gradcheck, gradgradcheck


def leaf(*values):
    return tensor(list(values), dtype=thw.float64, requires_grad=True)


def function(forward, backward, setup=None):
    """A Function of two static methods."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if setup:
        methods["setup_context"] = staticmethod(setup)
    return type("Custom", (Function,), methods)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x ** 2


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


@pytest.mark.parametrize("custom, slopes", [
    (Cube, lambda a: (3 * a ** 2, 6 * a, np.full_like(a, 6))), (Exp, lambda a: (np.exp(a),) * 3),
])
def test_any_order(custom, slopes):
    x = leaf(0.5, -1.0, 2.0)
    y = custom.apply(x)
    assert y.grad_fn.name() == f"{custom.__name__}Backward"
    for slope in slopes(x.detach().numpy()):
        (y,) = grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), slope)
    assert gradcheck(custom.apply, x) and gradgradcheck(custom.apply, x)


def test_needs_input_grad_and_other_arguments():
    seen = []

    def forward(ctx, x, factor, y, flag=None):
        seen.append(ctx.needs_input_grad)
        ctx.factor = factor
        return x * factor + y

    custom = function(forward, lambda ctx, g: (g * ctx.factor, None, None, None))
    x, y = leaf(1.0), tensor([2.0], dtype=thw.float64)
    custom.apply(x, 5.0, y, None).sum().backward()
    assert seen == [(True, False, False, False)] and x.grad.tolist() == [5.0]


def test_several_outputs_and_zeros_for_the_unused():
    got = []

    def backward(ctx, a, b):
        got.append((a, b))
        return a * 2 + b * 3

    custom = function(lambda ctx, x: (x * 2, x * 3), backward)
    x = leaf(1.0, 2.0)
    first, second = custom.apply(x)
    assert (first.output_nr, second.output_nr) == (0, 1) and first.grad_fn is second.grad_fn
    second.sum().backward()
    assert got[0][0].tolist() == [0.0, 0.0] and x.grad.tolist() == [3.0, 3.0]


def test_set_materialize_grads():
    got = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, a, b):
        got.append((a, b))
        return b * 3

    x = leaf(1.0)
    function(forward, backward).apply(x)[1].sum().backward()
    assert got[0][0] is None


def test_non_differentiable_outputs():
    def forward(ctx, x):
        order = x.argsort()
        weights = x * 0
        ctx.mark_non_differentiable(order, weights)
        return x[order], order, weights, "text"

    x = leaf(2.0, 1.0)
    values, order, weights, text = function(forward, lambda ctx, g, o, w, t: g).apply(x)
    assert (
        values.requires_grad and not order.requires_grad and not weights.requires_grad and text == "text"
    )
    values.sum().backward()


def test_mark_dirty_rewrites_the_history():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x

    custom = function(forward, lambda ctx, g: g * 2)
    x = leaf(1.0, 2.0)
    y = x * 1
    version = y._version
    z = custom.apply(y)
    assert z is y and y._version > version and y.grad_fn.name() == "CustomBackward"
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    base = x * 1
    custom.apply(base[0])
    x.grad = None
    base.sum().backward()
    assert x.grad.tolist() == [2.0, 1.0]
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        custom.apply(x)
    lost = function(lambda ctx, x: (ctx.mark_dirty(x), x * 2)[1], lambda ctx, g: g)
    with pytest.raises(RuntimeError, match="marked as dirty.*not returned"):
        lost.apply(x * 1)


def test_an_input_returned_unchanged_is_a_new_tensor():
    x = leaf(1.0)
    y = function(lambda ctx, x: x, lambda ctx, g: g * 7).apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.tolist() == [7.0]


def test_setup_context():
    def setup(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output)

    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y / x * 2

    custom = function(lambda x: x * x, backward, setup)
    x = leaf(3.0)
    assert gradcheck(custom.apply, x) and gradgradcheck(custom.apply, x)


def test_without_gradients_nothing_is_recorded():
    with thw.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad
    assert Cube.apply(tensor([1.0])).grad_fn is None


def test_saved_tensors_are_checked_and_freed():
    x = leaf(1.0)
    y = x * 1
    z = Cube.apply(y)
    y.add_(1)
    with pytest.raises(
        RuntimeError, match=r"modified by an inplace operation.*CubeBackward.*test_function\.py:\d+"
    ):
        z.sum().backward()
    z = Cube.apply(x)
    z.sum().backward(retain_graph=True)
    z.sum().backward()
    with pytest.raises(RuntimeError, match="CubeBackward.*freed"):
        z.sum().backward()


def test_none_may_be_saved_and_numbers_not():
    def forward(ctx, x):
        ctx.save_for_backward(None, x)
        assert ctx.saved_tensors == (None, x)
        return x * 1

    x = leaf(1.0)
    function(forward, lambda ctx, g: g if ctx.saved_tensors[0] is None else None).apply(
        x
    ).sum().backward()
    assert x.grad.tolist() == [1.0]
    with pytest.raises(TypeError, match="argument 0 is of type float"):
        function(lambda ctx, x: ctx.save_for_backward(1.0), None).apply(x)


def test_gradients_are_summed_to_the_input_and_cast():
    x = tensor([1.0], requires_grad=True)
    custom = function(lambda ctx, x: x.expand(3).double(), lambda ctx, g: g)
    custom.apply(x).sum().backward()
    assert x.grad.tolist() == [3.0] and x.grad.dtype == thw.float32


@pytest.mark.parametrize(
    "result, error, text",
    [
        (
            lambda g: (g,),
            RuntimeError,
            r"CustomBackward returned an incorrect number of gradients \(expected 2, got 1\)",
        ),
        (lambda g: (g, None, g), RuntimeError, "incorrect number of gradients"),
        (lambda g: (g, g), RuntimeError, "different from None at position 2"),
        (lambda g: (thw.ones(5), None), RuntimeError, r"invalid gradient at index 0 - got \[5\].*\[2\]"),
        (lambda g: (g.sum(), None), RuntimeError, r"invalid gradient at index 0 - got \[\].*\[2\]"),
        (lambda g: (1.0, None), TypeError, "must return Tensors or None, got float"),
    ],
)
def test_wrong_gradients_are_refused(result, error, text):
    custom = function(lambda ctx, x, n: x * n, lambda ctx, g: result(g))
    with pytest.raises(error, match=text):
        custom.apply(leaf(1.0, 2.0), 2).sum().backward()


def test_extra_nones_are_fine():
    x = leaf(1.0)
    function(lambda ctx, x: x * 1, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    assert x.grad.tolist() == [1.0]


def test_once_differentiable():
    @once_differentiable
    def backward(ctx, g):
        return thw.from_numpy(g.numpy() * 2)

    x = leaf(1.0)
    y = function(lambda ctx, x: x * 2, backward).apply(x)
    (g,) = grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [2.0]
    z = function(lambda ctx, x: x * 2, backward).apply(x * x)
    (g,) = grad((z * z).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_missing_methods_say_so():
    with pytest.raises(NotImplementedError, match="forward"):
        type("Empty", (Function,), {}).apply(leaf(1.0))
    half = type("Half", (Function,), {"forward": staticmethod(lambda ctx, x: x * 1)})
    with pytest.raises(NotImplementedError, match="backward"):
        half.apply(leaf(1.0)).sum().backward()


def test_no_reference_cycle():
    gc.disable()
    try:
        node = weakref.ref(Exp.apply(leaf(1.0)).grad_fn)
        assert node() is None
    finally:
        gc.enable()
