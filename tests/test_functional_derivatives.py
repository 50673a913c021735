"""`autograd.functional`: Jacobians, Hessians and their products."""

import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import functional, grad


def leaf(*values, dtype=thw.float64):
    return tensor(list(values), dtype=dtype, requires_grad=True)


def test_jacobian_forms():
    x, y = tensor([1.0, 2.0]), tensor(3.0)
    assert functional.jacobian(lambda a: a * a, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    by_x, by_y = functional.jacobian(lambda a, b: a * b, (x, y))
    assert by_x.tolist() == [[3.0, 0.0], [0.0, 3.0]] and by_y.tolist() == [1.0, 2.0]
    (one,), (two,) = functional.jacobian(lambda a: (a.sum(), a * 2), (x,))
    assert one.tolist() == [1.0, 1.0] and two.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert functional.jacobian(lambda a: tensor([5.0]), x).tolist() == [[0.0, 0.0]]
    assert functional.jacobian(lambda a: a[:0], x).shape == (0, 2)


def test_jacobian_can_be_differentiated():
    x = leaf(1.0, 2.0)
    table = functional.jacobian(lambda a: a ** 3, x, create_graph=True)
    (g,) = grad(table.sum(), x)
    assert g.tolist() == [6.0, 12.0]
    assert not functional.jacobian(lambda a: a ** 3, x).requires_grad and x.grad is None


def test_hessian_and_products():
    x, v = tensor([1.0, 2.0], dtype=thw.float64), tensor([1.0, 10.0], dtype=thw.float64)

    def cubes(a):
        return (a ** 3).sum() + a[0] * a[1]

    table = [[6.0, 1.0], [1.0, 12.0]]
    assert functional.hessian(cubes, x).tolist() == table
    (aa, ab), (ba, bb) = functional.hessian(lambda a, b: (a * a * b).sum(), (x, v))
    assert aa.tolist() == [[2.0, 0.0], [0.0, 20.0]] and ab.tolist() == ba.tolist() == [
        [2.0, 0.0],
        [0.0, 4.0],
    ]
    assert bb.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    for product in (functional.hvp, functional.vhp):
        value, result = product(cubes, x, v)
        assert value.item() == 11.0 and result.tolist() == [16.0, 121.0]
    value, result = functional.vjp(lambda a: a * a, x, v)
    assert value.tolist() == [1.0, 4.0] and result.tolist() == [2.0, 40.0]
    value, result = functional.jvp(lambda a: a * a, x, v)
    assert value.tolist() == [1.0, 4.0] and result.tolist() == [2.0, 40.0]


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda x: functional.vjp(lambda a: a, 1.0), TypeError, "element 0 is of type float"),
        (lambda x: functional.vjp(lambda a: a, x), RuntimeError, "v can only be None"),
        (
            lambda x: functional.vjp(lambda a: a, x, thw.ones(3)),
            RuntimeError,
            r"invalid size at element 0",
        ),
        (
            lambda x: functional.hessian(lambda a: a, x),
            RuntimeError,
            r"single Tensor with one element, got shape \(2,\)",
        ),
        (
            lambda x: functional.jacobian(lambda a: thw.ones(2), x, strict=True),
            RuntimeError,
            "independent of input",
        ),
        (
            lambda x: functional.jacobian(lambda a: a, x, strategy="forward-mode"),
            NotImplementedError,
            "reverse-mode",
        ),
    ],
)
def test_functional_refusals(call, error, text):
    with pytest.raises(error, match=text):
        call(tensor([1.0, 2.0]))
