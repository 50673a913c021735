"""Parametrizations against torch.nn.utils.parametrize: values, gradients, names, assigning, removing."""

import copy

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.parametrizations")

from harness import attempt, check_errors, to_ours, to_torch
from layer_runs import draw


def parametrize(library):
    """The two modules of a library."""
    return library.nn.utils.parametrize, library.nn.utils.parametrizations


def symmetric(library):
    class Symmetric(library.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, a):
            return a.triu()

    return Symmetric()


def doubled(library):
    class Doubled(library.nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, a):
            return a / 2

    return Doubled()


WAYS = {
    "symmetric": lambda lib, p, ready, layer: p.register_parametrization(layer, "weight", symmetric(lib)),
    "two": lambda lib, p, ready, layer: p.register_parametrization(
        p.register_parametrization(layer, "weight", symmetric(lib)), "weight", doubled(lib)),
    "bias": lambda lib, p, ready, layer: p.register_parametrization(layer, "bias", lib.nn.Tanh()),
    "both": lambda lib, p, ready, layer: p.register_parametrization(
        p.register_parametrization(layer, "weight", symmetric(lib)), "bias", doubled(lib)),
    "weight_norm": lambda lib, p, ready, layer: ready.weight_norm(layer),
    "weight_norm in all": lambda lib, p, ready, layer: ready.weight_norm(layer, dim=None),
    "spectral_norm": lambda lib, p, ready, layer: ready.spectral_norm(layer),
}


def made(library, way, state=None):
    """A parametrized layer with given weights, or with those of PyTorch's."""
    layer = library.nn.Linear(3, 3, dtype=library.float64)
    convert = to_torch if library is torch else to_ours
    layer.load_state_dict({"weight": convert(draw(3, 3)), "bias": convert(draw(3, seed=1))})
    layer = WAYS[way](library, *parametrize(library), layer)
    if state is not None:
        layer.load_state_dict({key: convert(value) for key, value in state.items()})
    return layer


@pytest.mark.parametrize("way", WAYS)
def test_values_gradients_and_names(way):
    theirs = made(torch, way)
    ours = made(thw, way, {key: value.numpy().copy() for key, value in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for layer, convert in ((ours, to_ours), (theirs, to_torch)):
        for _ in range(2):  # the power method goes on from call to call
            (layer(convert(draw(4, 3, seed=2))) * convert(draw(4, 3, seed=3))).sum().backward()
    for name in ("weight", "bias"):
        mine, other = (getattr(layer, name).detach().numpy() for layer in (ours, theirs))
        np.testing.assert_allclose(mine, other, atol=1e-10)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters()):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), atol=1e-10, err_msg=name)
    for name, other in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), other.numpy(), atol=1e-10, err_msg=name)


@pytest.mark.parametrize("way", ["symmetric", "two", "weight_norm"])
def test_assigning_copying_and_removing(way):
    theirs, ours = made(torch, way), made(thw, way)
    wanted = draw(3, 3, seed=5)
    wanted = wanted + wanted.T
    for layer, library, convert in ((ours, thw, to_ours), (theirs, torch, to_torch)):
        module, _ = parametrize(library)
        layer.weight = convert(wanted)
        np.testing.assert_allclose(layer.weight.detach().numpy(), wanted, atol=1e-12)
        twin = copy.deepcopy(layer)
        assert module.is_parametrized(twin, "weight") and not module.is_parametrized(twin, "bias")
        module.remove_parametrizations(layer, "weight")
        assert not module.is_parametrized(layer) and type(layer) is library.nn.Linear
        assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "weight"]
        np.testing.assert_allclose(layer.weight.detach().numpy(), wanted, atol=1e-12)
        if library is thw:  # in PyTorch the copy has lost its weight along with the layer
            np.testing.assert_allclose(twin.weight.detach().numpy(), wanted, atol=1e-12)


def test_an_optimizer_keeps_the_original():
    for library in (thw, torch):
        layer = library.nn.Linear(2, 2)
        weight = layer.weight
        module, _ = parametrize(library)
        module.register_parametrization(layer, "weight", doubled(library))
        assert layer.parametrizations.weight.original is weight
        original = module.remove_parametrizations(layer, "weight", leave_parametrized=False).weight
        assert original is weight


def wider(library):
    class Wider(library.nn.Module):
        def forward(self, x):
            return library.cat([x, x])

    return Wider()


BAD = {
    "no such name": lambda lib, p, ready, layer: p.register_parametrization(layer, "wait", symmetric(lib)),
    "shape": lambda lib, p, ready, layer: p.register_parametrization(layer, "weight", wider(lib)),
    "not parametrized": lambda lib, p, ready, layer: p.remove_parametrizations(layer, "weight"),
    "iterations": lambda lib, p, ready, layer: ready.spectral_norm(layer, n_power_iterations=0),
    "dim": lambda lib, p, ready, layer: ready.spectral_norm(layer, dim=2),
    "several originals": lambda lib, p, ready, layer: p.remove_parametrizations(
        ready.weight_norm(layer), "weight", leave_parametrized=False),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    found, expected = (attempt(BAD[name], library, *parametrize(library), library.nn.Linear(3, 3))
                       for library in (thw, torch))
    assert expected.error is not None
    check_errors(found, expected, name)
