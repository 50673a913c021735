"""Functions of ``nn.functional`` that are no ops: in-place forms, wrappers, running statistics."""

import numpy as np
import pytest
from counterparts import counterpart, public
from harness import (
    attempt,
    check_calls,
    check_gradients,
    check_values,
    generator,
    to_ours,
    to_torch,
)

import tinygrad_hw as thw
import tinygrad_hw.nn.functional as F
from tinygrad_hw.methods import IN_PLACE

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
X = generator().standard_normal((2, 4, 6))
MAKERS = {
    "celu": (),
    "elu": (0.7,),
    "hardsigmoid": (),
    "hardswish": (),
    "hardtanh": (-0.5, 0.5),
    "leaky_relu": (0.1,),
    "mish": (),
    "relu": (),
    "relu6": (),
    "selu": (),
    "silu": (),
    "threshold": (0.1, 2.0),
    "dropout": (0.5, False),
    "dropout1d": (0.5, False),
    "alpha_dropout": (0.5, False),
    "feature_alpha_dropout": (0.5, False),
    "rrelu": (0.1, 0.3, False),
    "dropout2d": (0.5, False),
    "dropout3d": (0.5, False),
}


@pytest.mark.parametrize("name", MAKERS)
def test_inplace_option(name):
    """``inplace=True`` writes to the input and returns it; the gradient is the same."""
    precision = np.float32 if name in ("celu", "hardsigmoid") else None

    def call(function):
        def run(x, *args):
            x = x * 1
            result = function(x, *args, inplace=True)
            if result is not x:
                raise AssertionError("another object")
            return result

        return run

    check_calls(
        call(getattr(F, name)), call(getattr(torch.nn.functional, name)), (X, *MAKERS[name]), {}, name
    )
    check_gradients(
        call(getattr(F, name)),
        call(getattr(torch.nn.functional, name)),
        (X, *MAKERS[name]),
        {},
        name,
        precision,
    )


@pytest.mark.parametrize(
    "name", ["relu_", "elu_", "celu_", "selu_", "leaky_relu_", "rrelu_", "hardtanh_", "threshold_"]
)
def test_functions_with_underscore(name):
    """``relu_(x)`` writes to x."""
    args = (0.1, 2.0) if name == "threshold_" else ()
    check_calls(getattr(F, name), getattr(torch.nn.functional, name), (X, *args), {}, name)
    ours = to_ours(X)
    assert getattr(F, name)(ours, *args) is ours


@pytest.mark.parametrize("name", [name + "_" for name in IN_PLACE if hasattr(torch, name + "_")])
def test_in_place_functions(name):
    """``torch.exp_(x)`` is ``x.exp_()``."""
    assert getattr(thw, name) is getattr(thw.Tensor, name)


def test_no_other_names():
    """Unknown names are an AttributeError, also those that end in an underscore."""
    for library in (thw, torch):
        for name in ("no_such_function", "no_such_function_", "matmul_"):
            assert attempt(getattr, library, name).error.__class__ is AttributeError


CALLS = [
    ("bilinear", ((5, 2), (5, 3), (4, 2, 3), (4,)), {}),
    ("bilinear", ((2,), (3,), (4, 2, 3)), {}),
    ("bilinear", ((5, 2), (4, 3), (4, 2, 3)), {}),
    ("bilinear", ((5, 2), (5, 3), (4, 2, 2)), {}),
    ("local_response_norm", ((2, 5, 3), 3), {}),
    ("local_response_norm", ((2, 5, 3, 2), 2, 0.1, 0.5, 2.0), {}),
    ("local_response_norm", ((2, 5), 2), {}),
    ("rrelu", ((3, 4),), {}),
    ("rrelu", ((3, 4), 0.5, 0.1), {}),
    ("upsample", ((1, 2, 3, 3), None, 2), {}),
    ("upsample_nearest", ((1, 2, 3, 3), 5), {}),
    ("upsample_bilinear", ((1, 2, 3, 3), 5), {}),
    ("batch_norm", ((3, 4), (4,), (4,)), {}),
    ("linear", ((2, 3), (4, 3), (4,)), {}),
    ("linear", ((3,), (4, 3)), {}),
    ("linear", ((2, 5, 3), (4, 3)), {}),
    ("linear", ((2, 3), (4, 2)), {}),
    ("normalize", ((3, 4),), {}),
    ("normalize", ((3, 4), 1, 0), {}),
    ("normalize", ((3, 4),), {"eps": 0.5}),
    ("glu", ((3, 4),), {}),
    ("glu", ((3, 3),), {}),
    ("channel_shuffle", ((1, 4, 2), 2), {}),
    ("pixel_shuffle", ((1, 4, 2, 2), 2), {}),
    ("fold", ((1, 8, 4), (3, 3), 2), {}),
    ("unfold", ((1, 2, 4, 4), 2), {"stride": 2}),
    ("fold", ((1, 7, 4), (3, 3), 2), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS)
def test_wrapper(name, args, kwargs):
    """Calls with arrays of these shapes; where a shape is no size, it is an array."""
    rng = generator()
    sizes = {"fold": (1,), "unfold": (1,)}.get(name, ())
    arrays = [
        np.abs(rng.standard_normal(a)) if isinstance(a, tuple) and i not in sizes else a
        for i, a in enumerate(args)
    ]
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    check_calls(ours, theirs, arrays, kwargs, name)
    if name != "batch_norm":
        check_gradients(ours, theirs, arrays, kwargs, name)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("momentum", [0.1, 0.5, 0.0])
@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics(name, momentum, training):
    """What is returned, and what becomes of the running mean and variance."""
    rng = generator()
    x, mean, var, weight, bias = (rng.standard_normal((3, 4, 5)), *np.abs(rng.standard_normal((4, 4))))
    results = []
    for convert, function in (
        (to_torch, getattr(torch.nn.functional, name)),
        (to_ours, getattr(F, name)),
    ):
        statistics = convert(mean), convert(var)
        result = function(convert(x), *statistics, convert(weight), convert(bias), training, momentum)
        results.append((result, *statistics))
    check_values(results[1], results[0], name)


def test_gumbel_softmax():
    """Rows sum to one; hard ones are one-hot with a gradient."""
    for library, functional in ((torch, torch.nn.functional), (thw, F)):
        logits = library.zeros(50, 4, requires_grad=True)
        soft, hard = (
            functional.gumbel_softmax(logits),
            functional.gumbel_softmax(logits, tau=0.5, hard=True),
        )
        np.testing.assert_allclose(soft.sum(-1).detach().numpy(), np.ones(50), rtol=1e-5)
        assert np.isclose(np.sort(hard.detach().numpy(), -1), [0, 0, 0, 1]).all()
        (hard * library.arange(4)).sum().backward()
        assert (logits.grad != 0).any()


@pytest.mark.parametrize(
    "name", ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]
)
def test_dropout(name):
    """Shapes, the share that is kept, the scale of what is kept, and probabilities out of range."""
    x = np.ones((40, 50, 4, 3, 2)[: {"dropout1d": 3, "dropout2d": 4}.get(name, 5)])
    for p in (0.0, 0.3, 1.0):
        theirs, ours = counterpart(name)(to_torch(x), p, True), public(name)(to_ours(x), p, True)
        check_values(ours, theirs, name, values=False)
        values, expected = np.unique(ours.numpy()), np.unique(theirs.numpy())
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert abs(np.mean(ours.numpy() == values[0]) - np.mean(theirs.numpy() == expected[0])) < 0.1
    for p in (-0.1, 1.1):
        check_calls(public(name), counterpart(name), (x, p), {}, name)
