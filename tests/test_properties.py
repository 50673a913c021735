"""The ops as properties: random shapes, dims, dtypes, memory and values, beyond the fixed samples.

The references are NumPy's own functions, and the independent references of the op table.  What was found
this way is kept as an explicit example and listed in ``docs/bugs_found.md``.
"""

import math
import pathlib
import re

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import tinygrad_hw as thw
from ops.core import TABLE
from tests.test_table import NAMES, as_function, cases, changed, names_for, outputs_of
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import assert_close, gradcheck, strategies

ROOT = pathlib.Path(__file__).parent.parent
SEVERAL = settings(max_examples=max(2, settings().max_examples // 8))  # of each of 350 ops


def tensor(values, **options):
    return thw.tensor(values, dtype=thw.float64, **options)


# ------------------------------------------------------------------ every op of the table


@pytest.mark.slow
@pytest.mark.parametrize("name", names_for("values"))
@SEVERAL
@given(data=st.data())
def test_values_of_other_samples_in_any_memory(name, data):
    """Samples of another seed, every array laid out anew, against the independent reference."""
    found = cases(name, data.draw(st.integers(0, 10_000), "seed"))
    case = data.draw(st.sampled_from(found), "case")
    args, kwargs = changed(case, lambda array: data.draw(strategies.layouts())(array))
    for ours, theirs in zip(outputs_of(TABLE[name](*args, **kwargs)),
                            outputs_of(TABLE[name].reference(*case.args, **case.kwargs)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10, err_msg=str(case))


@pytest.mark.slow
@pytest.mark.parametrize("name", names_for("gradient"))
@SEVERAL
@given(seed=st.integers(1, 10_000))
def test_gradients_of_other_samples(name, seed):
    """Samples of another seed, along a random direction and a random cotangent."""
    for case in cases(name, seed):
        function, leaves = as_function(name, case)
        if leaves:
            assert gradcheck(function, leaves, fast_mode=True, seed=seed)


# ------------------------------------------------------------------ elementwise


POSITIVE = {"log", "log2", "log10", "sqrt", "rsqrt", "log1p"}
ONE = ["abs", "neg", "square", "exp", "exp2", "expm1", "sigmoid", "sin", "cos", "tanh", "atan", "sinh",
       "asinh", "erf", "relu", "silu", "gelu", "softplus", "floor", "ceil", *sorted(POSITIVE)]
TWO = ["add", "sub", "mul", "div", "maximum", "minimum", "atan2", "hypot", "logaddexp"]


@pytest.mark.parametrize("name", ONE)
@given(data=st.data())
def test_elementwise(name, data):
    """Any shape and memory: values, dtype, and the gradient away from kinks."""
    low = 0.1 if name in POSITIVE else -4.0
    x = data.draw(strategies.tensors(shape=strategies.shapes(max_side=3), low=low, high=4.0))
    record = TABLE[name]
    assert_close(record(x).array, np.asarray(record.reference(x.array), np.float64), rtol=1e-9, atol=1e-9)
    narrow = record(x.float())
    assert narrow.dtype == thw.float32 and narrow.shape == x.shape
    points = data.draw(strategies.kink_free(strategies.shapes(max_side=3), low, 4.0,
                                            avoid=range(-4, 5) if name in ("floor", "ceil") else (0.0,)))
    assert gradcheck(record, points)


@pytest.mark.parametrize("name", TWO)
@given(data=st.data())
def test_broadcasting(name, data):
    """Shapes that broadcast in every way; the gradient has the shape of its argument."""
    first, second = data.draw(strategies.broadcastable_shapes(2, max_side=3))
    size = math.prod(np.broadcast_shapes(first, second))
    x = data.draw(strategies.kink_free(first, 0.5, 3.0))
    y = data.draw(strategies.kink_free(second, 0.521, 3.017))
    record = TABLE[name]
    assert_close(record(x, y).array, np.asarray(record.reference(x.array, y.array), np.float64), rtol=1e-9,
                 atol=1e-9)
    if name in ("maximum", "minimum"):  # the two may still tie
        assume(not np.isclose(x.array, y.array, atol=1e-4).any())
    if size:
        assert gradcheck(record, (x, y))


@given(strategies.tensors(strategies.dtypes(), low=0, high=9),
       strategies.tensors(strategies.dtypes(), (), low=1, high=9))
def test_promotion_does_not_depend_on_the_order(x, y):
    assert (x + y).dtype == (y + x).dtype == thw.result_type(x, y)
    assert_close((x + y).array, (y + x).array)


# ------------------------------------------------------------------ reductions and shapes


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min, "prod": np.prod,
              "logsumexp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis, keepdims=keepdims))}


@pytest.mark.parametrize("name", sorted(REDUCTIONS))
@given(data=st.data())
def test_reductions(name, data):
    """Any dims, positive and negative, with and without keepdim."""
    x = data.draw(strategies.kink_free(strategies.shapes(min_side=1, max_side=3)))
    dim = data.draw(strategies.dims(x.ndim, several=name != "prod"))
    if name == "prod" and x.ndim == 0 or dim == ():
        dim = 0
    keepdim = data.draw(st.booleans())
    axis = dim if x.ndim else None
    expected = REDUCTIONS[name](x.array, axis=axis, keepdims=keepdim)
    reduce = getattr(thw, name)
    assert_close(reduce(x, dim, keepdim=keepdim).array, np.asarray(expected), rtol=1e-9, atol=1e-9)
    assert gradcheck(lambda x: reduce(x, dim, keepdim=keepdim), x)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "softmax", "log_softmax", "sort"])
@given(data=st.data())
def test_along_one_dimension(name, data):
    x = data.draw(strategies.kink_free(strategies.shapes(min_side=1, max_side=3), avoid=()))
    dim = data.draw(strategies.dims(x.ndim))
    result = getattr(thw, name)(x, dim)
    first = result[0] if name == "sort" else result
    assert_close(first.array, np.asarray(outputs_of(TABLE[name].reference(x.array, dim))[0]), rtol=1e-9,
                 atol=1e-9)
    assert gradcheck(lambda x: getattr(thw, name)(x, dim), x)


@given(data=st.data())
def test_indexing(data):
    """Any index expression: values as NumPy's, the gradient by difference quotients."""
    shape = data.draw(strategies.shapes(max_side=3))
    x = data.draw(strategies.tensors(shape=shape, requires_grad=True))
    index = data.draw(strategies.index_expressions(shape))
    parts = index if type(index) is tuple else (index,)
    plain = tuple(part.array if isinstance(part, thw.Tensor) else part for part in parts)
    assert_close(x[index].array, np.asarray(x.array[plain]))
    assert gradcheck(lambda x: x[index], x)


@given(data=st.data())
def test_writing_through_an_index(data):
    """``x[index] = value`` changes what it names, and sends the gradient to the value instead."""
    shape = data.draw(strategies.shapes(min_side=1, max_side=3))
    x = data.draw(strategies.tensors(shape=shape))
    index = data.draw(strategies.index_expressions(shape))
    parts = index if type(index) is tuple else (index,)
    for part in parts:  # an element named twice may get either value
        assume(not (isinstance(part, thw.Tensor) and part.dtype == thw.int64))
    plain = tuple(part.array if isinstance(part, thw.Tensor) else part for part in parts)
    value = data.draw(strategies.tensors(shape=np.shape(x.array[plain]), requires_grad=True))
    expected = x.array.copy()
    expected[plain] = value.array

    def write(x, value):
        y = x.clone()
        y[index] = value
        return y

    assert_close(write(x, value).array, expected)
    assert gradcheck(write, (x.clone().requires_grad_(), value))


@given(strategies.kink_free(strategies.shapes(max_side=3)), st.data())
def test_views_of_views(x, data):
    """Chains of views give the values NumPy gives, and gradients that find their way back."""
    def chain(x, transpose, flip):
        for kind in kinds:
            if kind == "transpose" and x.ndim >= 2:
                x = transpose(x)
            elif kind == "flip" and x.ndim:
                x = flip(x)
            elif kind == "slice" and x.ndim:
                x = x[::2]
            elif kind == "new axis":
                x = x[None]
            elif kind == "flatten":
                x = x.reshape(-1)
        return x

    kinds = data.draw(st.lists(st.sampled_from(["transpose", "flip", "slice", "new axis", "flatten"]),
                               max_size=5))
    theirs = chain(x.array, lambda a: a.swapaxes(0, -1), lambda a: np.flip(a, 0))
    assert_close(chain(x, lambda t: t.transpose(0, -1), lambda t: t.flip(0)).array, np.asarray(theirs))
    assert gradcheck(lambda x: chain(x, lambda t: t.transpose(0, -1), lambda t: t.flip(0)) * 2, x)


# ------------------------------------------------------------------ products, convolution, pooling, losses


@given(strategies.matmul_operands(requires_grad=True, max_side=3))
def test_matmul(pair):
    a, b = pair
    assert_close((a @ b).array, np.asarray(np.matmul(a.array, b.array)), rtol=1e-9, atol=1e-9)
    assert gradcheck(thw.matmul, (a, b))


@given(strategies.conv2d_cases(max_side=5, requires_grad=True))
def test_conv2d(call):
    """Every geometry: stride, padding, dilation, groups, with and without bias, empty batches."""
    plain = {key: value.array if isinstance(value, thw.Tensor) else value for key, value in call.items()}
    assert_close(F.conv2d(**call).array, TABLE["conv2d"].reference(**plain), rtol=1e-9, atol=1e-9)
    tensors = [call[key] for key in ("input", "weight", "bias") if call[key] is not None]
    options = {key: call[key] for key in ("stride", "padding", "dilation", "groups")}
    assert gradcheck(lambda *given: F.conv2d(*given, **options), tensors, fast_mode=True)


@given(strategies.conv2d_cases(max_side=4, min_batch=1, requires_grad=True), st.integers(0, 1))
def test_conv_transpose2d(call, extra):
    """The transposed convolution is the transpose of the convolution, output padding included."""
    stride, padding, dilation = (
        value if isinstance(value, tuple) else (value, value)
        for value in (call["stride"], call["padding"], call["dilation"])
    )
    assume(all(extra < max(s, d) for s, d in zip(stride, dilation)))
    x, weight = call["input"], call["weight"]
    small = F.conv2d(x, weight, None, stride, padding, dilation, call["groups"])
    try:
        out = F.conv_transpose2d(small, weight, None, stride, padding, extra, call["groups"], dilation)
    except RuntimeError as error:
        assume("too small" not in str(error))
        raise
    image = thw.randn(out.shape, dtype=thw.float64, generator=thw.Generator().manual_seed(0))
    again = F.conv2d(image, weight, None, stride, padding, dilation, call["groups"])
    again = again[..., :small.shape[2], :small.shape[3]]  # output padding may leave room for more
    assert_close((out * image).sum(), (small * again).sum(), rtol=1e-8, atol=1e-8)
    assert gradcheck(lambda s, w: F.conv_transpose2d(s, w, None, stride, padding, extra, call["groups"],
                                                     dilation),
                     (small.detach().requires_grad_(), weight), fast_mode=True)


@given(strategies.pool2d_cases(requires_grad=True),
       strategies.pool2d_cases(dilation=False, requires_grad=True))
def test_pooling(largest, average):
    for name, call in (("max_pool2d", largest), ("avg_pool2d", average)):
        order = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
        x, *window = (call[key] for key in order if key in call)
        (expected, *_) = outputs_of(TABLE[name].reference(x.array, *window))
        assert_close(getattr(F, name)(x, *window).array, expected, rtol=1e-9, atol=1e-9)
        assert gradcheck(lambda x: getattr(F, name)(x, *window), x)


@given(strategies.labels_and_logits(ignore_index=-100, requires_grad=True),
       st.sampled_from(["mean", "sum", "none"]), st.sampled_from([0.0, 0.2]))
@example((thw.tensor([-100, 0]), tensor([[np.inf, 1.0], [1.0, 2.0]])), "mean", 0.0)
@example((thw.tensor([-100, 0]), tensor([[np.inf, 1.0], [1.0, 2.0]])), "mean", 0.2)
def test_cross_entropy(pair, reduction, smoothing):
    """Ignored elements count for nothing, whatever their scores are."""
    labels, logits = pair
    options = dict(reduction=reduction, label_smoothing=smoothing)
    loss = F.cross_entropy(logits, labels, **options)
    expected = TABLE["cross_entropy"].reference(np.where(np.isfinite(logits.array), logits.array, 0.0),
                                                labels.array, **options)
    assert_close(loss.array, np.asarray(expected), rtol=1e-8, atol=1e-8, equal_nan=True)
    if logits.requires_grad and (labels.array != -100).any():
        assert gradcheck(lambda x: F.cross_entropy(x, labels, **options), logits)


# ------------------------------------------------------------------ what was found, as examples


def test_conv_transpose_with_output_padding_of_a_whole_stride():
    """Was: values read past the input, and a gradient of a wrong shape."""
    x, weight = tensor([[[1.0, 2.0]]], requires_grad=True), tensor([[[3.0, 5.0]]], requires_grad=True)
    out = F.conv_transpose1d(x, weight, stride=1, dilation=2, output_padding=1)
    assert out.tolist() == [[[3.0, 6.0, 5.0, 10.0, 0.0]]]
    assert gradcheck(lambda x, w: F.conv_transpose1d(x, w, dilation=2, output_padding=1), (x, weight))


def test_gradient_of_a_power_mean_of_zeros():
    """Was: NaN for every window of zeros, which relu before the pooling makes common."""
    x = tensor([[[[0.0, 0.0, 3.0, 4.0]]]], requires_grad=True)
    F.lp_pool2d(x, 2, (1, 2)).sum().backward()
    assert_close(x.grad, tensor([[[[0.0, 0.0, 0.6, 0.8]]]]))


def test_nll_loss_of_ignored_rows():
    """Was: NaN, since the infinite loss of an ignored row was multiplied by its weight 0."""
    scores = tensor([[-np.inf, 0.0], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(scores, thw.tensor([-100, 1]))
    loss.backward()
    assert loss.item() == 2.0 and scores.grad.tolist() == [[0.0, 0.0], [0.0, -1.0]]


def test_ignore_index_is_refused_with_probabilities():
    """Was: silently without effect."""
    with pytest.raises(RuntimeError, match="ignore_index is not supported for floating point target"):
        F.cross_entropy(tensor([[1.0, 2.0]]), tensor([[0.5, 0.5]]), ignore_index=1)


def test_every_op_is_among_the_properties():
    """No op is exempt from the comparison with its reference."""
    assert names_for("values") == NAMES and len(NAMES) > 350


def test_the_list_of_bugs_names_tests_that_exist():
    text = (ROOT / "docs" / "bugs_found.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    there = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) >= 6 and not {name for name in named if f"def {name}(" not in there}
