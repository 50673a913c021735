"""Chains of convolution, relu and pooling whose computation is put off, and those looked at on the way."""

import functools

import numpy as np

import tinygrad_hw as torch
from ops.convolution import block
from tinygrad_hw.nn import functional as F


def put_off_any_work(monkeypatch):
    """For this test put off convolutions of as few numbers as here, too; else they are done at once."""
    monkeypatch.setattr(block._kernels, "is_small", lambda *geometry: False)
    monkeypatch.setattr(block, "_first_block", functools.lru_cache(block._first_block.__wrapped__))


def new_leaves():
    """An image batch, filters and biases in float64 that require gradients."""
    torch.manual_seed(0)
    shapes = (2, 3, 9, 8), (4, 3, 3, 3), (4,)
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def chain(x, weight, bias):
    return F.max_pool2d(F.relu(F.conv2d(x, weight, bias, padding=1)), 2)


def looked_at(x, weight, bias):
    """The same with a look at every step, so that each op runs alone."""
    c = F.conv2d(x, weight, bias, padding=1)
    c.tolist()
    r = F.relu(c)
    r.tolist()
    return F.max_pool2d(r, 2)


def gradients(function, leaves):
    result = function(*leaves)
    cotangent = torch.linspace(-1, 1, result.numel(), dtype=torch.float64).reshape(result.shape)
    return result, torch.autograd.grad(result, leaves, cotangent)


def assert_same(mine, other):
    for one, two in zip(mine, other, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), two.detach().numpy(), rtol=1e-12, atol=1e-13)
