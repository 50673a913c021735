"""Functions with ``inplace=True`` and their names with an underscore against torch.nn.functional."""

import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scenarios import assert_same, caught, compare, scenario, scenarios

import tinygrad_hw as thw

CALLS = {
    "relu": (),
    "elu": (0.7,),
    "celu": (0.7,),
    "selu": (),
    "leaky_relu": (0.2,),
    "hardtanh": (-0.3, 0.8),
    "relu6": (),
    "hardswish": (),
    "hardsigmoid": (),
    "silu": (),
    "mish": (),
    "threshold": (0.1, 3.0),
    "rrelu": (0.25, 0.25, True),
    "dropout": (0.0, True),
    "alpha_dropout": (0.0, True),
    "dropout1d": (1.0, True),
    "dropout2d": (0.0, True),
    "dropout3d": (1.0, True),
    "feature_alpha_dropout": (0.0, True),
}
"""Arguments without chance for every function that has the option."""


def values(lib, name):
    shape = {"dropout1d": (2, 3, 4), "dropout2d": (2, 3, 2, 2), "dropout3d": (2, 3, 2, 2, 2)}.get(
        name, (5, 4)
    )
    array = np.random.default_rng(3).normal(size=shape)
    return lib.from_numpy(array)


def test_every_function_with_the_option_is_called():
    def has_option(function):
        return inspect.isfunction(function) and "inplace" in inspect.signature(function).parameters

    theirs = {name for name, f in vars(torch.nn.functional).items() if has_option(f) and name[0] != "_"}
    assert set(CALLS) == {
        name for name in theirs if hasattr(thw.nn.functional, name) and name[-1] != "_"
    }
    assert not [
        name for name in theirs if not hasattr(thw.nn.functional, name) and name != "assert_int_or_pair"
    ]


@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients(name):
    """The input itself comes back; its gradient and that of what it was computed from are right."""
    found = []
    for lib in (thw, torch):
        function = getattr(lib.nn.functional, name)
        leaf = values(lib, name).requires_grad_()
        hidden = leaf * 2
        result = function(hidden, *CALLS[name], inplace=True)
        assert result is hidden
        (result * lib.arange(result.numel()).reshape(result.shape)).sum().backward()
        plain = values(lib, name)
        assert function(plain, *CALLS[name], inplace=True) is plain
        found.append([result.detach(), leaf.grad, plain, result.requires_grad, plain.requires_grad])
    assert_same(*found, name)


@pytest.mark.parametrize("name", [name for name in CALLS if hasattr(torch.nn.functional, name + "_")])
def test_names_with_an_underscore(name):
    found = []
    for lib in (thw, torch):
        hidden = values(lib, name).requires_grad_() * 2
        assert getattr(lib.nn.functional, name + "_")(hidden, *CALLS[name]) is hidden
        found.append(hidden)
    assert_same(*found, name)


@scenario
def leaves_and_views(lib):
    F = lib.nn.functional
    for name, arguments in CALLS.items():
        function = getattr(F, name)
        leaf = values(lib, name).requires_grad_()
        yield name, caught(function, leaf, *arguments, inplace=True)
        with lib.no_grad():
            yield name, function(leaf, *arguments, inplace=True) is leaf, leaf
        base = values(lib, "relu").requires_grad_() * 1
        if not name.startswith(("dropout1", "dropout2", "dropout3")):
            function(base[1:3], *arguments, inplace=True)  # a view: the base changes and records it
            yield name, base


@scenario
def values_that_are_needed_later(lib):
    """Overwriting what another op saved is noticed in the backward pass."""
    F = lib.nn.functional
    x = values(lib, "relu").requires_grad_()
    hidden = x.exp()  # keeps its output
    F.relu(hidden, inplace=True)
    yield caught(hidden.sum().backward)
    hidden = x * 2
    product = hidden * hidden  # keeps its input
    F.elu(hidden, inplace=True)
    yield caught(product.sum().backward)
    for first, second in ((F.relu, F.relu6), (F.leaky_relu, F.celu), (F.silu, F.hardtanh)):
        hidden = x * 3
        y = second(first(hidden, inplace=True) + 0, inplace=False)
        y.sum().backward()
        yield x.grad


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    thw.manual_seed(0)
    compare(steps)
