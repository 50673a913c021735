"""Gradients that are added up, or fitted to their input: what the planted bugs showed to be untested."""

import numpy as np
import pytest

import tinygrad_hw as thw
from ops.core import TABLE, op


def test_recorded_gradients_accumulate():
    """With create_graph a second pass adds to the gradient, and the sum can be differentiated."""
    x = thw.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):
        (x * x * x).sum().backward(create_graph=True)
    assert x.grad.tolist() == [6.0, 24.0]
    total = x.grad.sum()
    x.grad = None
    total.backward()
    assert x.grad.tolist() == [12.0, 24.0]


def test_accumulation_is_a_change_in_place():
    """A graph that saved a gradient refuses to go on after backward() has added to it."""
    x = thw.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    scale = thw.tensor([3.0, 4.0], requires_grad=True)
    product = (scale * x.grad).sum()
    (x * x).sum().backward()
    with pytest.raises(RuntimeError, match="accumulated in backward"):
        product.backward()


def test_a_rule_of_the_wrong_shape_is_named():
    """Only an op that says it broadcasts has its gradients summed to the input's shape."""
    @op(grad=dict(input=lambda g: g[None] * 1), name="wrong_shape_example")
    def wrong_shape(input):
        return input + 1

    try:
        x = thw.tensor(np.ones(3), requires_grad=True)
        with pytest.raises(RuntimeError, match=r"rule of wrong_shape_example .*\(1, 3\), expected \(3,\)"):
            wrong_shape(x).sum().backward()
    finally:
        del TABLE["wrong_shape_example"]
