"""Parametrizations without PyTorch: training, tied constraints, files of weights, error texts."""

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn.utils import parametrizations, parametrize
from tinygrad_hw.testing import gradcheck


class Skew(nn.Module):
    def forward(self, x):
        upper = x.triu(1)
        return upper - upper.T


def test_a_constraint_holds_through_training():
    thw.manual_seed(0)
    layer = parametrize.register_parametrization(nn.Linear(3, 3, bias=False), "weight", Skew())
    before = layer.weight.detach().clone()
    optimizer = thw.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(thw.ones(2, 3)) - 1).pow(2).sum().backward()
        optimizer.step()
    weight = layer.weight.detach()
    assert thw.equal(weight, -weight.T) and not thw.allclose(weight, before)


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_gradients(norm):
    layer = norm(nn.Conv2d(1, 2, 2).double()).eval()
    x = thw.randn(1, 1, 3, 3, dtype=thw.float64, requires_grad=True)
    gradcheck(lambda x, *parameters: layer(x), (x, *layer.parameters()))


def test_spectral_norm_is_one():
    thw.manual_seed(0)
    for layer in (nn.Linear(5, 3), nn.ConvTranspose2d(2, 4, 3)):
        parametrizations.spectral_norm(layer, n_power_iterations=30)
        weight = layer.weight.detach().numpy()
        matrix = weight if weight.ndim == 2 else np.moveaxis(weight, 1, 0).reshape(4, -1)
        assert np.linalg.norm(matrix, 2) == pytest.approx(1, abs=1e-2)


def test_state_goes_into_another_layer():
    first, second = (parametrizations.weight_norm(nn.Linear(2, 3)) for _ in range(2))
    second.load_state_dict(first.state_dict())
    x = thw.randn(4, 2)
    assert thw.equal(first(x), second(x))
    assert sorted(first.state_dict()) == ["bias", "parametrizations.weight.original0",
                                          "parametrizations.weight.original1"]


@pytest.mark.parametrize("call, error, text", [
    (lambda layer: parametrize.register_parametrization(layer, "wait", Skew()), ValueError,
     "'Linear' does not have a parameter, a buffer, or a parametrized element with name 'wait'"),
    (lambda layer: parametrize.register_parametrization(layer, "weight", nn.Flatten(0)), ValueError,
     r"Flatten turns weight of shape \(3, 3\), .*into \(9,\).*pass unsafe=True"),
    (lambda layer: parametrize.register_parametrization(
        parametrizations.spectral_norm(layer), "weight", nn.Flatten(0)), ValueError, "Flatten turns weight"),
    (lambda layer: parametrize.remove_parametrizations(layer, "bias"), ValueError,
     "Linear does not have a parametrization on bias"),
    (lambda layer: parametrize.remove_parametrizations(
        parametrizations.weight_norm(layer), "weight", leave_parametrized=False), ValueError,
     "in terms of a sequence of 2 tensors"),
    (lambda layer: parametrizations.spectral_norm(layer, "wait"), ValueError, "with name 'wait'"),
    (lambda layer: parametrizations.spectral_norm(layer, n_power_iterations=0), ValueError,
     "to be positive, but got n_power_iterations=0"),
])
def test_error_texts(call, error, text):
    with pytest.raises(error, match=text):
        call(nn.Linear(3, 3))
