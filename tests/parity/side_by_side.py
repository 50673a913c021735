"""The same computation in both libraries: values and gradients."""

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

BOTH = (torch, thw)


def both(function, *arrays, rtol=1e-7, atol=1e-8):
    """Values of ``function(library, *tensors)`` and gradients of its floating results, in both libraries."""
    found = []
    for library in BOTH:
        leaves = [library.tensor(np.asarray(array)) for array in arrays]
        for leaf in leaves:
            leaf.requires_grad_(leaf.is_floating_point())
        results = function(library, *leaves)
        results = results if isinstance(results, (tuple, list)) else (results,)
        weights = np.random.Generator(np.random.Philox(4))
        total = 0.0
        for result in results:
            weight = library.tensor(weights.normal(size=tuple(result.shape)))
            if result.requires_grad:
                total = total + (result * weight).sum()
        if isinstance(total, library.Tensor):
            total.backward()
        gradients = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]
        found.append([result.detach().numpy() for result in results] + gradients)
    assert len(found[0]) == len(found[1])
    for expected, actual in zip(*found):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
