"""The test of the tests: gradcheck passes right gradients and refuses planted wrong ones."""

import inspect
import random
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn, tensor
from tinygrad_hw.autograd import Function
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import (
    GradcheckError,
    KinkWarning,
    gradcheck,
    gradgradcheck,
    numerical_gradient,
    relative_error,
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


# ------------------------------------------------------------------ conditions


def test_what_is_not_reproducible_is_found():
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="not reproducible"):
        gradcheck(planted(lambda g, x: 2 * g * x + rng.random() * 1e-7), point(3))
    assert gradcheck(planted(lambda g, x: 2 * g * x + rng.random() * 1e-7), point(3), nondet_tol=1e-6)
    with pytest.raises(GradcheckError, match=r"function is not deterministic.*\.eval\(\)"):
        gradcheck(nn.Dropout(0.5), point(30))
    assert gradcheck(nn.Dropout(0.5).eval(), point(30))


def test_the_global_generators_are_not_touched():
    thw.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    before = thw.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()
    for mode in (FULL, PROJECTED, FAST):
        gradcheck(lambda x: x.exp(), point(3), order=2, **mode)
        gradgradcheck(lambda x: x.exp(), point(3), **mode)
    assert before == (thw.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate())


def test_missing_gradients_of_other_outputs():
    """A backward that gets None for an output without a gradient must take it for zero."""

    def two(forgetful):
        class Two(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                ctx.save_for_backward(x)
                return x * 2, x * x

            @staticmethod
            def backward(ctx, first, second):
                (x,) = ctx.saved_tensors
                total = thw.zeros(3, dtype=thw.float64)
                if first is not None:
                    total = total + 2 * first
                if second is not None and not (forgetful and first is None):
                    total = total + 2 * second * x
                return total

        return Two.apply

    assert gradcheck(two(False), point(3))
    with pytest.raises(GradcheckError, match="check_undefined_grad"):
        gradcheck(two(True), point(3))
    assert gradcheck(two(True), point(3), check_undefined_grad=False)


def test_inputs_are_checked_and_left_unchanged():
    x = point(3)
    before = x.tolist()
    gradcheck(lambda x: x * x, x)
    with pytest.raises(TypeError):
        gradcheck(lambda x: x * x if abs(float(x[1]) - 1) < 1e-7 else x * None, x)
    assert x.tolist() == before and x.grad is None
    with pytest.raises(ValueError, match="expects at least one input tensor to require gradient, but none"):
        gradcheck(lambda x: x, tensor([1.0]))
    with pytest.raises(RuntimeError, match=r"0th input has a dimension with stride 0.*\.contiguous"):
        gradcheck(lambda x: x, tensor([1.0], dtype=thw.float64).expand(3).requires_grad_())
    with pytest.raises(ValueError, match="order=0"):
        gradcheck(lambda x: x, point(2), order=0)


@MODES
def test_infinite_outputs_that_do_not_change(mode):
    mask = tensor([True, False, False])
    assert gradcheck(lambda x: x.masked_fill(mask, -float("inf")), point(3), **mode)
    assert gradcheck(lambda x: x.masked_fill(mask, -float("inf")).softmax(0), point(3), **mode)
    assert gradcheck(lambda x: x.logsumexp(0), point(0, 2), **mode)


def test_arguments_that_are_no_tensors_and_keyword_only_names():
    assert gradcheck(lambda x, power, *rest: x ** power, (point(3), 3, "unused"))
    with pytest.raises(GradcheckError, match=r"input 1 \(argument 'tensors\[1\]'\)"):
        gradcheck(lambda *tensors: tensors[0] * tensors[1].detach(), (point(2), point(2)))
    layer = nn.Linear(2, 2).double()  # the function may ignore its arguments: they are moved in place
    assert gradcheck(lambda *_: layer(thw.ones(1, 2, dtype=thw.float64)), tuple(layer.parameters()))
    base = point(4, 3)
    assert gradcheck(lambda x: (x * x).sum(0), base.t()) and gradcheck(lambda x: x * x, base[::2, 1])


@pytest.mark.parametrize("option", ["check_batched_grad", "check_batched_forward_grad", "check_forward_ad"])
def test_what_the_engine_lacks_is_refused(option):
    with pytest.raises(NotImplementedError, match=f"{option}=True is not supported"):
        gradcheck(lambda x: x, point(2), **{option: True})


def test_signatures_are_pytorchs():
    options = dict(eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
                   check_undefined_grad=True, check_grad_dtypes=True, check_batched_grad=False,
                   fast_mode=False, masked=False)
    assert gradcheck(lambda x: x, point(2), check_backward_ad=True, **options)
    assert gradgradcheck(lambda x: x * x, point(2), thw.ones(2, dtype=thw.float64, requires_grad=True),
                         check_fwd_over_rev=False, check_rev_over_rev=True, **options)
    for function in (gradcheck, gradgradcheck):
        parameters = inspect.signature(function).parameters
        assert list(parameters)[:2] == ["func", "inputs"]
        assert {name: parameters[name].default for name in options} | {
            "check_grad_dtypes": True, "masked": False} == options
    with pytest.raises(AssertionError, match="check_backward_ad to be True"):
        gradcheck(lambda x: x, point(2), check_backward_ad=False)
    with pytest.raises(AssertionError, match="check_rev_over_rev to be True"):
        gradgradcheck(lambda x: x, point(2), check_rev_over_rev=False)
    with pytest.raises(NotImplementedError, match="forward-mode"):
        gradgradcheck(lambda x: x, point(2), check_fwd_over_rev=True)
    assert thw.autograd.gradcheck is gradcheck and thw.autograd.gradgradcheck is gradgradcheck


def test_a_wrong_element_among_many_is_found_by_halving():
    def wrong(g, x):
        gradient = 2 * g * x
        return gradient + (thw.arange(5000) == 3210) * gradient

    with pytest.raises(GradcheckError, match=r"worst at index \(3210,\).*[\s\S]*Found by halving"):
        gradcheck(planted(wrong), point(5000), fast_mode=True)
    assert gradcheck(planted(lambda g, x: 2 * g * x), point(5000), fast_mode=True)


def test_numerical_gradient_and_relative_error():
    x = leaf(0.3, 1.0)
    (gradient,) = numerical_gradient(lambda x: (x.exp(), x ** 5), x, (tensor([1.0, 2.0]), tensor([0.0, 1.0])))
    expected = [np.exp(0.3), 2 * np.exp(1.0) + 5]
    assert relative_error(gradient, np.array(expected)) < 1e-12
    assert relative_error(np.array([0.0]), np.array([1e-9])) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="equal shapes"):
        relative_error(np.ones(2), np.ones(3))
