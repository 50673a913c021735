"""Layers with several outputs, states or masks: the same call in both libraries, values and gradients."""

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

from harness import map_values, to_ours, to_torch

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def draw(*shape, dtype="float64", seed=0):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pair(name, *args, dtype="float64", **kwargs):
    """The layer in both libraries with the same random weights."""
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=getattr(torch, dtype))
    ours = getattr(thw.nn, name)(*args, **kwargs, dtype=getattr(thw, dtype))
    state = {key: draw(*value.shape, dtype=dtype, seed=number) * 0.6
             for number, (key, value) in enumerate(theirs.state_dict().items())}
    theirs.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()})
    assert not any(ours.load_state_dict({key: thw.from_numpy(v.copy()) for key, v in state.items()}))
    return ours, theirs


def flat(value):
    """The Tensors of nested results, those of packed sequences too; what is None is left out."""
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in flat(item)]
    return [] if value is None else [value]


def run(library, layer, call):
    """Outputs, and gradients of inputs and parameters for random cotangents on all float outputs."""
    convert = to_torch if library is torch else to_ours
    leaves = []

    def leaf(array):
        if not isinstance(array, np.ndarray):
            return array
        leaves.append(convert(array).requires_grad_(array.dtype.kind == "f"))
        return leaves[-1]

    outputs = flat(call(library, layer, lambda value: map_values(leaf, value)))
    loss = 0
    for number, output in enumerate(outputs):
        if output.requires_grad:
            cotangent = draw(*output.shape, seed=50 + number).astype(output.detach().numpy().dtype)
            loss = loss + (output * convert(cotangent)).sum()
    loss.backward()
    return ([o.detach().numpy() for o in outputs],
            [g.grad.numpy() for g in (*leaves, *layer.parameters()) if g.requires_grad])


def compare(name, args, kwargs, call, dtype="float64"):
    """Outputs and gradients of ``call(library, layer, given)`` in both libraries agree.

    ``given`` makes an array an input that gradients are taken by.
    """
    ours, theirs = pair(name, *args, dtype=dtype, **kwargs)
    found, expected = run(thw, ours, call), run(torch, theirs, call)
    for mine, other in zip(found, expected):
        assert len(mine) == len(other)
        for here, there in zip(mine, other):
            assert (here.shape, here.dtype) == (there.shape, there.dtype)
            limit = TOLERANCE[dtype] * max(1, np.abs(there).max())
            np.testing.assert_allclose(here, there, rtol=0, atol=limit)
