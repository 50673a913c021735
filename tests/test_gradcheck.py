"""The test of the tests: gradcheck passes right gradients and refuses planted wrong ones."""

import warnings

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.autograd import Function
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import (
    GradcheckError,
    KinkWarning,
    gradcheck,
    gradgradcheck,
)

FAST, FULL = dict(fast_mode=True), dict(fast_mode=False)
PROJECTED = dict(jacobian_limit=0)  # random cotangents in place of the outputs' elements
MODES = pytest.mark.parametrize("mode", [FULL, PROJECTED, FAST], ids=["full", "projected", "fast"])


def point(*shape):
    values = np.linspace(0.3, 1.7, int(np.prod(shape))).reshape(shape)
    return thw.from_numpy(values).requires_grad_()


def leaf(*values):
    return tensor(list(values), dtype=thw.float64, requires_grad=True)


def planted(wrong, forward=lambda x: x * x):
    """A function, by default the square, with a gradient of the test's own."""

    class Planted(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return wrong(g, x)

    return Planted.apply


@MODES
def test_right_gradients_pass(mode):
    assert gradcheck(lambda x, y: (x * y, x.exp()), (point(2, 3), point(3)), **mode)
    assert gradgradcheck(lambda x, y: x ** 2 * y, (point(2), point(2)), **mode)
    assert gradcheck(lambda x: x.softmax(0), point(4), **mode)
    assert gradgradcheck(lambda x: x.softmax(0), point(4), gen_non_contig_grad_outputs=True, **mode)
    assert gradcheck(lambda x: thw.ones(2, dtype=thw.float64), point(2), **mode)
    assert gradcheck(planted(lambda g, x: 2 * g * x), point(3), **mode)
    assert gradcheck(lambda x: x * 2, point(0, 3), **mode) and gradcheck(lambda x: x[:0], point(2), **mode)
    assert gradcheck(lambda x: x * x, tensor(3.0, dtype=thw.float64, requires_grad=True), order=2, **mode)


@MODES
@pytest.mark.parametrize("wrong", [
    lambda g, x: 2.001 * 2 * g * x, lambda g, x: -2 * g * x, lambda g, x: 2 * x, lambda g, x: g,
    lambda g, x: 2 * (g * x).sum() + 0 * x, lambda g, x: (2 * g * x).flip(0), lambda g, x: g * 0,
    lambda g, x: g * float("nan"),
])
def test_planted_errors_are_found(wrong, mode):
    with pytest.raises(GradcheckError, match=r"Jacobian mismatch|not linear"):
        gradcheck(planted(wrong), point(3), **mode)
    assert not gradcheck(planted(wrong), point(3), raise_exception=False, **mode)


@pytest.mark.parametrize("wrong", [lambda g, x: 2 * g * g * x, lambda g, x: 2 * g.abs() * x,
                                   lambda g, x: 2 * g.relu() * x])
def test_a_backward_that_is_not_linear_is_found(wrong):
    """One pass for each output element cannot see it: 1 squared is 1."""
    with pytest.raises(GradcheckError, match=r"not linear in the gradient.*argument 'x'"):
        gradcheck(planted(wrong), point(3))
    with pytest.raises(GradcheckError):
        gradcheck(planted(wrong), point(3), **PROJECTED)


def test_the_report_names_argument_index_values_input_and_knob():
    class Product(Function):
        @staticmethod
        def forward(ctx, left, right):
            ctx.save_for_backward(left, right)
            return left * right

        @staticmethod
        def backward(ctx, g):
            left, right = ctx.saved_tensors
            gradient = g * left
            return g * right, thw.cat([gradient[:1], gradient[1:] * 3])

    with pytest.raises(GradcheckError) as caught:
        gradcheck(Product.apply, (leaf(1.0, 5.0), leaf(7.0, 2.0)))
    text, mismatch = str(caught.value), caught.value.mismatch
    assert text.startswith("Jacobian mismatch for output 0 with respect to input 1 (argument 'right'), "
                           "worst at index (1,):\n  analytic  15\n  numerical 5")
    assert "\n  input     2\n  output    index (1,)\n1 of 4 entries differ by more than atol=1e-05" in text
    assert "3 times the numerical one: a factor in the backward is wrong" in text
    assert "steady for eps from 1e-07 to 1e-05, so the backward is at fault; only atol=1.1e+01 or" in text
    assert (mismatch.position, mismatch.name, mismatch.index) == (1, "right", (1,))
    assert mismatch.analytic == 15 and abs(mismatch.numeric - 5) < 1e-6 and mismatch.value == 2


@pytest.mark.parametrize("function, inputs, hint", [
    (planted(lambda g, x: -2 * g * x), (point(3),), "opposite sign"),
    (lambda x: x * x.detach() if x.sum() < 9 else x, (point(3),), "0.5 times"),
    (planted(lambda g, x: 0 * g), (point(3),), "the graph is cut there"),
    (lambda x: x.detach() ** 2, (point(3),), "the graph is cut there"),
    (planted(lambda g, x: g / (x - x)), (point(3),), "not finite: look for 0/0"),
    (planted(lambda g, x: g, lambda x: x * 0), (point(3),), "does not depend on the input, yet"),
    (planted(lambda g, x: g, thw.sqrt), (leaf(0.0),), "not defined on both sides"),
    (lambda x: (x * 1e7).sin(), (leaf(0.3),), "The quotient depends on the step"),
])
def test_hints(function, inputs, hint):
    with pytest.raises(GradcheckError, match=hint), warnings.catch_warnings():
        warnings.simplefilter("error", KinkWarning)
        gradcheck(function, inputs)


def test_float32_is_warned_of_and_named_as_the_knob():
    x = tensor([0.5, 0.7], requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        with pytest.raises(GradcheckError, match=r"not float64.*call \.double\(\)"):
            gradcheck(lambda x: x.exp(), x)
    with pytest.warns(UserWarning, match="not a double precision"):
        assert gradcheck(lambda x: x.exp(), x, eps=1e-2, atol=1e-2, rtol=1e-2)


def test_an_error_that_a_cotangent_of_ones_would_miss():
    wrong = planted(lambda g, x: g * 0, lambda x: x.softmax(0))  # right for ones: the outputs' sum is 1
    for mode in (FULL, PROJECTED, FAST):
        with pytest.raises(GradcheckError):
            gradcheck(wrong, point(4), **mode)


@MODES
def test_wrong_higher_orders_are_found(mode):
    second = planted(lambda g, x: 2 * g * x.detach())
    assert gradcheck(second, point(3), **mode)
    with pytest.raises(GradcheckError, match=r"argument 'x'\) \(derivative of order 2\)"):
        gradgradcheck(second, point(3), **mode)
    with pytest.raises(GradcheckError, match="derivative of order 2"):
        gradcheck(second, point(3), order=2, **mode)
    third = planted(lambda g, x: planted(lambda h, y: 6 * h * y.detach(), lambda y: 3 * y * y)(x) * g,
                    lambda x: x ** 3)
    assert gradcheck(third, point(3), order=2, **mode)
    with pytest.raises(GradcheckError, match="derivative of order 3"):
        gradcheck(third, point(3), order=3, **mode)
    constant = planted(lambda g, x: (2 * g * x).detach())
    with pytest.raises(GradcheckError, match="derivative of order 2"):
        gradgradcheck(constant, point(3), **mode)


# ------------------------------------------------------------------ kinks


def quiet(function, *inputs, **mode):
    """Whether the check passes without a word about kinks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", KinkWarning)
        return gradcheck(function, inputs, **mode)


@MODES
@pytest.mark.parametrize("function, x, what", [
    (thw.relu, leaf(1.0, 0.0, -1.0), "a kink: the slope is 0 to the left and"),
    (lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2), leaf(3.0, 1.0, 3.0, 2.0), "a kink"),
    (lambda x: x.max(0).values, leaf(3.0, 3.0), "a kink"),
    (lambda x: x.max(), leaf(3.0, 3.0), None),
    (lambda x: x.floor(), leaf(0.5, 1.0), "a jump"),
    (lambda x: x.sign() * x, leaf(0.0), None),
    (lambda x: x.sign(), leaf(0.0, 1.0), "a jump"),
    (thw.relu, leaf(1.0, 5e-7), "within eps"),
    (lambda x: x.sort(0).values * tensor([1.0, 3.0], dtype=thw.float64), leaf(2.0, 2.0), "a kink"),
])
def test_kinks_are_reported_and_are_no_failure(function, x, what, mode):
    if what is None:
        assert quiet(function, x, **mode)  # the mean of both slopes happens to be right
        return
    with pytest.warns(KinkWarning, match=rf"gradcheck met {what}" if "within" not in what else what) as met:
        assert gradcheck(function, x, **mode)
    assert len(met) == 1 and "of input 0 (argument" in str(met[0].message)


def test_a_wrong_gradient_at_a_kink_or_beside_one_is_still_found():
    for mode in (FULL, PROJECTED, FAST):
        for wrong in (lambda g, x: g * -1.0, lambda g, x: g * 1.5):
            with pytest.raises(GradcheckError, match=r"worst at index \(0,\)"):
                gradcheck(planted(wrong, thw.relu), leaf(0.0), **mode)
        beside = planted(lambda g, x: g * (x > 0) * 2, thw.relu)
        with pytest.raises(GradcheckError, match=r"worst at index \(1,\)"):
            gradcheck(beside, leaf(0.0, 1.0, -1.0), **mode)
        with pytest.raises(GradcheckError):
            gradcheck(planted(lambda g, x: g * 3e5, thw.floor), leaf(1.0), **mode)


def test_bends_are_not_taken_for_kinks():
    for wrong in (lambda g, x: 2 * g * x * 1.01, lambda g, x: g * 0):
        with pytest.raises(GradcheckError, match="Jacobian mismatch"):
            gradcheck(planted(wrong, lambda x: 1e4 * x * x), leaf(0.3, -1.0))
    assert quiet(lambda x: 1e4 * x ** 4, leaf(0.3, -1.0))


def test_many_kinks_are_counted_in_one_warning():
    with pytest.warns(KinkWarning, match=r"index \(\d,\) .*\(3 more like it\)"):
        assert gradcheck(lambda x: x.relu(), leaf(0.0, 0.0, 0.0, 0.0))
