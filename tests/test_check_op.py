"""`check_op`: a right op of the user's own is proved, a wrong one refused with everything that is wrong."""

import numpy as np
import pytest

import ops
import tinygrad_hw as thw
from ops.core import TABLE, case
from tinygrad_hw import tensor
from tinygrad_hw.autograd import Function
from tinygrad_hw.autograd.function import once_differentiable
from tinygrad_hw.testing import OpCheckError, check_op
from tinygrad_hw.testing.report import CHECKS


class Swish(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g * (s + x * s * (1 - s))


def swish_reference(x):
    return x / (1 + np.exp(-x))


def wrong_swish(forward=None, backward=None):
    """Swish with a planted bug."""

    class Wrong(Function):
        pass

    Wrong.forward = staticmethod(forward or Swish.forward)
    Wrong.backward = staticmethod(backward or Swish.backward)
    return Wrong


X = tensor([[0.5, -1.0, 2.0], [3.0, -0.25, 1.5]])


def failures(*args, **options):
    """The checks that fail, and the whole report."""
    with pytest.raises(OpCheckError) as caught:
        check_op(*args, **options)
    report = caught.value.report
    assert str(report) == str(caught.value) and not report.passed
    return {finding.check for finding in report.failures}, str(report)


def test_one_line_proves_a_right_op():
    report = check_op(Swish, X, reference=swish_reference)
    assert report.passed and {report.status(check) for check in CHECKS} == {"passed", "skipped"}
    assert str(report).startswith("check_op(Swish): proved, 1 sample\n  values        passed")
    assert report.status("bad") == "skipped" and "no bad calls given" in str(report)
    assert check_op(Swish.apply, X).name == "Swish"
    assert check_op(lambda x, y: x @ y, thw.rand(2, 3), thw.rand(3, 4), reference=np.matmul)
    assert check_op(thw.logsumexp, X, 1).passed


def test_a_wrong_gradient_is_refused_with_argument_index_and_both_values():
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return g * (s + x * s * (1 + s))

    failed, text = failures(wrong_swish(backward=backward), X, reference=swish_reference)
    assert failed == {"gradient"}
    assert "mismatch for output 0 with respect to input 0 (argument 'x'), worst at index (1, 0):" in text
    assert "analytic  6.5" in text and "numerical 1.08" in text and "input     3" in text
    assert "so the backward is at fault" in text


def computes(function):
    """A forward that computes ``function`` and saves its input."""

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return function(x)

    return forward


def scribble(x):
    out = x * x.sigmoid()
    x.array[...] = 0.0
    return out


def memory_order(x):
    """Reads the memory from its start to its end, whatever the strides say."""
    return thw.from_numpy(swish_reference(x.array.ravel("K").reshape(x.shape)))


@pytest.mark.parametrize("forward, backward, failed, text", [
    (lambda x: 1.0001 * x * x.sigmoid(), None, {"values", "zero_dim"}, "Mismatched elements: 6 / 6"),
    (scribble, None, {"gradient", "repeatable", "layout"}, "the op changed its argument 'x'"),
    (lambda x: (x * x.sigmoid()).double(), None, {"float32"}, "is float64, expected float32"),
    (memory_order, None, {"layout", "zero_dim"}, "output 0 differs for inputs with transposed"),
    (lambda x: x * x.sigmoid() + 1e-12 * thw.rand(x.shape), None, None, "two equal calls differ"),
    (lambda x: x * x.sigmoid() + 0 * x[0], None, {"empty", "zero_dim"}, "but the reference has an answer"),
    (None, lambda ctx, g: Swish.backward(ctx, g).detach(), {"second_order"}, "derivative of order 2"),
    (None, lambda ctx, g: Swish.backward(ctx, g)[0, :2], None, "returned an invalid gradient"),
    (None, once_differentiable(Swish.backward), {"second_order"}, "once_differentiable"),
    (None, lambda ctx, g: Swish.backward(ctx, g * g), {"gradient"}, "not linear"),
    (None, lambda ctx, g: None, {"gradient"}, "the graph is cut there"),
])
def test_planted_bugs(forward, backward, failed, text):
    wrong = wrong_swish(forward and computes(forward), backward)
    found, report = failures(wrong, X, reference=swish_reference)
    assert text in report and (failed is None or found == failed), report


def test_every_wrong_argument_is_listed():
    class Product(Function):
        @staticmethod
        def forward(ctx, left, right, third):
            ctx.save_for_backward(left, right)
            return left * right + third

        @staticmethod
        def backward(ctx, g):
            left, right = ctx.saved_tensors
            return 2 * g * right, -g * left, g

    failed, text = failures(Product, X, X + 0.1, X + 0.3)
    assert failed == {"gradient"} and text.count("Jacobian mismatch") == 2
    assert "(argument 'left')" in text and "(argument 'right')" in text
    assert "2 times the numerical one" in text and "the opposite sign" in text
    assert "second_order  skipped  the first order is wrong" in text
    left, right, third = X.clone().requires_grad_(), X + 0.1, X + 0.3
    _, text = failures(Product, left, right, third)  # only what requires a gradient, if something does
    assert text.count("Jacobian mismatch") == 1


def test_a_kink_is_reported_and_is_no_failure():
    report = check_op(lambda x: x.relu(), tensor([0.0, 1.0]), reference=lambda x: np.maximum(x, 0))
    assert report.passed and report.status("gradient") == "kink"
    assert "gradcheck met a kink" in str(report) and "at index (0,) of input 0" in str(report)
    pooled = check_op(lambda x: thw.nn.functional.max_pool2d(x, 2), thw.ones(1, 1, 2, 2))
    assert pooled.passed and pooled.status("gradient") == "kink"


def test_bad_calls_must_be_refused():
    bad = [(tensor([True]), TypeError, "boolean"), ((X, "text"), TypeError, "takes 1")]
    failed, text = failures(lambda x: -x, X, bad=[*bad, (X, ValueError, "never")])
    assert failed == {"bad"}
    assert "bad call 0 raised RuntimeError" in text and "expected TypeError matching 'boolean'" in text
    assert "bad call 2 was not refused; expected ValueError matching 'never'" in text
    assert "bad call 1" not in text


def test_samples_and_options():
    def samples(rng):
        yield case(rng.random((2, 3)), dim=0)
        yield rng.random((2, 3)), 1

    report = check_op(thw.softmax, samples=samples)
    assert report.trials == 2 and report.passed
    assert check_op(lambda x, y: x[y], samples=[(X, tensor([1, 0]))]).passed
    assert check_op(lambda tensors: thw.cat(tensors, 1), [X, X + 0.5],
                    reference=lambda arrays: np.concatenate(arrays, 1)).passed
    once = wrong_swish(backward=once_differentiable(Swish.backward))
    assert check_op(once, X, order=1).status("second_order") == "skipped"
    report = check_op(once, X, exempt={"second_order": "written with NumPy"})
    assert "exempt: written with NumPy" in str(report)
    wrong = check_op(lambda x: x, X, reference=lambda x: x + 1, raise_exception=False, name="same")
    assert not wrong.passed and str(wrong).startswith("check_op(same): 2 findings, 1 sample")
    with pytest.raises(ValueError, match="exempt names no checks: speed; there are values, gradient"):
        check_op(lambda x: x, X, exempt={"speed": "no"})
    with pytest.raises(ValueError, match="needs inputs or samples"):
        check_op(lambda x: x)


def test_ops_that_refuse_small_shapes_are_not_blamed():
    report = check_op(lambda x, y: x @ y, X, thw.rand(3, 2), reference=np.matmul)
    assert report.status("empty") == "passed" and report.status("zero_dim") == "skipped"
    assert "the op refuses it (RuntimeError" in str(report)


def test_op_of_the_users_own_made_with_the_tables_decorator():
    @ops.core.op(grad=dict(input=lambda g, ans: ops.mul(g, ops.mul(2.0, ans))), name="squared_exp_example",
                 samples=ops.samples.unary(-1, 1), reference=lambda input: np.exp(input) ** 2,
                 bad=[ops.core.Bad((1.0,), {}, TypeError, "must be Tensor, not float")])
    def squared_exp(input):
        return np.exp(2 * ops.promotion.floating(input))

    try:
        report = check_op(squared_exp)
        assert report.passed and report.trials == 4 and report.status("bad") == "passed"
    finally:
        del TABLE["squared_exp_example"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TABLE)[::9])
def test_ops_of_the_table(name):
    """The user's tool agrees with the suite: it proves the table's own ops."""
    assert check_op(TABLE[name]).passed
