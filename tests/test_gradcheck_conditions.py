"""What gradcheck demands of a function and of its inputs, and what it refuses to judge."""

import inspect
import random

import numpy as np
import pytest

import tinygrad_hw as thw
from tests.test_gradcheck import FAST, FULL, MODES, PROJECTED, leaf, planted, point
from tinygrad_hw import nn, tensor
from tinygrad_hw.autograd import Function
from tinygrad_hw.testing import GradcheckError, gradcheck, gradgradcheck, numerical_gradient, relative_error


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


@MODES
def test_missing_gradients_of_other_outputs(mode):
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

    assert gradcheck(two(False), point(3), **mode)
    with pytest.raises(GradcheckError, match="check_undefined_grad"):
        gradcheck(two(True), point(3), **mode)
    assert gradcheck(two(True), point(3), check_undefined_grad=False, **mode)


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


@pytest.mark.parametrize("result, word", [
    (3.0, "float"), (None, "NoneType"), (np.ones(2), "ndarray"), (np.ones(2) * 1j, "ndarray"),
    ({"loss": thw.ones(2)}, "dict")])
def test_outputs_that_are_no_tensors_are_refused(result, word):
    """They would be left out, and a check of nothing passes."""
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(TypeError, match=f"output 0 of the function is {word}, not Tensor; return a"):
            check(lambda x: result, point(2))
        with pytest.raises(TypeError, match=f"output 1 of the function is {word}"):
            check(lambda x: (x * 2, result), point(2))


def test_inputs_that_share_memory_are_refused():
    """A step of one element would move two, and the backward would be blamed."""
    memory = np.arange(1.0, 7.0)
    one, two, apart = (thw.from_numpy(memory[part]).requires_grad_() for part in (
        slice(0, 4), slice(2, 6), slice(4, 6)))
    for inputs in ((one, two), (one, two.detach()), (one.detach(), two)):
        with pytest.raises(RuntimeError, match=r"inputs 0 and 1 share memory.*call \.clone\(\)"):
            gradcheck(lambda x, y: x * y, inputs)
    even, odd = (thw.from_numpy(memory[start::2]).requires_grad_() for start in (0, 1))
    assert gradcheck(lambda x, y: x * y, (even, odd)) and gradcheck(lambda x, y: x * y.sum(), (one, apart))
    assert gradcheck(lambda x, y: x * y, (one, one))  # one Tensor twice moves as one, in both derivatives
    with pytest.raises(RuntimeError, match="0th input has elements that share memory"):
        gradcheck(lambda x: x * x, thw.from_numpy(
            np.lib.stride_tricks.as_strided(memory, (3, 2), (8, 8))).requires_grad_())


@MODES
def test_a_backward_that_changes_the_gradient_it_receives_is_named(mode):
    with pytest.raises(GradcheckError, match=r"changes the gradient it receives.*g\.clone\(\)"):
        gradcheck(planted(lambda g, x: g.mul_(2 * x)), point(3), **mode)


@MODES
def test_a_function_that_changes_after_some_calls_is_found(mode):
    calls = []

    def tired(x):
        calls.append(1)
        return x * x if len(calls) < 5 else x * x + 1.0

    with pytest.raises(GradcheckError, match=r"not deterministic: at the same inputs|mismatch"):
        gradcheck(tired, point(2), **mode)


def test_gradients_that_the_tolerance_hides_are_pointed_out():
    tiny = planted(lambda g, x: -1e-7 * g, lambda x: 1e-7 * x)
    with pytest.warns(UserWarning, match=r"\(argument 'x'\) is nowhere larger than 1e-07.*lower atol"):
        assert gradcheck(tiny, point(2))
    with pytest.raises(GradcheckError, match="opposite sign"):
        gradcheck(tiny, point(2), atol=1e-9)


@pytest.mark.parametrize("options, text", [
    (dict(eps=0), "eps is the step.*must be positive, got 0"), (dict(eps=-1e-6), "must be positive"),
    (dict(atol=float("nan")), "must be 0 or more, got nan"), (dict(rtol=-1), "must be 0 or more"),
    (dict(nondet_tol=-1.0), "must be 0 or more")])
def test_steps_and_tolerances_without_sense(options, text):
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(ValueError, match=text):
            check(lambda x: x * x, point(2), **options)


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
