"""The test of the tests: gradcheck passes right gradients and refuses planted wrong ones."""

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import Function
from tinygrad_hw.testing import GradcheckError, gradcheck, gradgradcheck


def point(*shape):
    values = np.linspace(0.3, 1.7, int(np.prod(shape))).reshape(shape)
    return thw.from_numpy(values).requires_grad_()


def planted(wrong):
    """The square with a gradient of the test's own."""

    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return wrong(g, x)

    return Square.apply


def test_right_gradients_pass():
    assert gradcheck(lambda x, y: (x * y, x.exp()), (point(2, 3), point(3)))
    assert gradgradcheck(lambda x, y: x ** 2 * y, (point(2), point(2)))
    assert gradcheck(lambda x: x.softmax(0), point(4)) and gradgradcheck(
        lambda x: x.softmax(0), point(4)
    )
    assert gradcheck(lambda x: thw.ones(2, dtype=thw.float64), point(2))
    assert gradcheck(planted(lambda g, x: 2 * g * x), point(3))


@pytest.mark.parametrize("wrong", [
    lambda g, x: 2.001 * 2 * g * x, lambda g, x: -2 * g * x, lambda g, x: 2 * x, lambda g, x: g,
    lambda g, x: 2 * (g * x).sum() + 0 * x, lambda g, x: (2 * g * x).flip(0), lambda g, x: g * 0,
    lambda g, x: g * float("nan"),
])
def test_planted_errors_are_found(wrong):
    with pytest.raises(
        GradcheckError, match=r"Jacobian mismatch for input 0 at index \(\d,\): analytic"
    ):
        gradcheck(planted(wrong), point(3))
    assert not gradcheck(planted(wrong), point(3), raise_exception=False)


def test_an_error_that_a_cotangent_of_ones_would_miss():
    def softmax_with_sum_only(x):
        return planted_softmax(x)

    class PlantedSoftmax(Function):
        @staticmethod
        def forward(ctx, x):
            return x.softmax(0)

        @staticmethod
        def backward(ctx, g):
            return g * 0  # right for a cotangent of ones, whose gradient is zero

    planted_softmax = PlantedSoftmax.apply
    with pytest.raises(GradcheckError):
        gradcheck(softmax_with_sum_only, point(4))


def test_wrong_second_order_is_found():
    assert gradcheck(planted(lambda g, x: 2 * g * x.detach()), point(3))
    with pytest.raises(GradcheckError):
        gradgradcheck(planted(lambda g, x: 2 * g * x.detach()), point(3))


def test_kinks_are_named():
    x = tensor([1.0, 0.0], dtype=thw.float64, requires_grad=True)
    with pytest.raises(
        GradcheckError, match=r"index \(1,\).*slopes to the right and to the left differ"
    ):
        gradcheck(lambda x: x.relu(), x)
    with pytest.raises(GradcheckError, match="If the function is steep"):
        gradcheck(planted(lambda g, x: g), point(3))


def test_a_backward_that_is_not_reproducible_is_found():
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="not reproducible"):
        gradcheck(planted(lambda g, x: 2 * g * x + rng.random() * 1e-7), point(3))


def test_inputs_are_checked_and_left_unchanged():
    x = point(3)
    before = x.tolist()
    gradcheck(lambda x: x * x, x)
    assert x.tolist() == before and x.grad is None
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda x: x, tensor([1.0]))
    with pytest.raises(ValueError, match="need float64"):
        gradcheck(lambda x: x, tensor([1.0], requires_grad=True))
