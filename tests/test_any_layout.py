"""Ops that keep channels-last memory as it is: same values, same gradients, and no copy to planes."""

import numpy as np
import pytest

import tinygrad_hw as torch
from ops.core import TABLE, array_of

NAMES = sorted(name for name, op in TABLE.items() if op.any_layout and name != "cat")


def channels_last(value):
    """Images (N, C, H, W) in channels-last memory; anything else as it is."""
    if isinstance(value, np.ndarray) and value.ndim == 4:
        return np.ascontiguousarray(value.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return value


def image_cases(op):
    return [case for case in op.samples(np.random.default_rng(0))
            if isinstance(case.args[0], np.ndarray) and case.args[0].ndim == 4 and case.args[0].size]


def test_concatenation_of_channels():
    """The squeezed and expanded maps of a fire module meet in channels-last memory."""
    conv = [torch.nn.Conv2d(3, 16, 1), torch.nn.Conv2d(3, 16, 3, padding=1)]
    x = torch.randn(16, 3, 12, 10)
    joined = torch.cat([torch.relu(c(x)) for c in conv], 1)
    assert joined.deferred and joined.stored.strides[1] == 4
    expected = torch.cat([torch.relu(c(x)).contiguous() for c in conv], 1)
    assert torch.equal(joined, expected)
    g = torch.randn(joined.shape)
    mine = torch.autograd.grad(joined, conv[0].weight, g)
    assert torch.allclose(mine[0], torch.autograd.grad(expected, conv[0].weight, g)[0])


def outputs(op, args, kwargs):
    result = op(*args, **kwargs)
    return result if op.outputs else (result,)


def images(rng, count=4):
    return [channels_last(rng.standard_normal((2, 3, 5, 4))) for _ in range(count)]


def test_there_are_such_ops():
    assert {"add", "relu", "channel_norm", "max_pooling", "channel_affine"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_layout(name):
    """Channels-last images give what planes give, in channels-last memory."""
    op = TABLE[name]
    cases = image_cases(op)
    calls = [(case.args, case.kwargs) for case in cases] or [((a, b)[:len(op.parameters)], {})
                                                            for a, b in [images(np.random.default_rng(0), 2)]]
    for args, kwargs in calls:
        planes = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args]
        mine = outputs(op, tuple(map(channels_last, args)), kwargs)
        for one, other in zip(mine, outputs(op, planes, kwargs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
        grouped = name == "channel_norm" and args[3] is not None  # its means go over planes
        both = args[0].shape[1] == 1  # one channel is planes as well
        assert grouped or both or mine[0].strides[1] == mine[0].itemsize, "copied to planes"


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    """The rules give the same from channels-last memory, for cotangents in either order."""
    op = TABLE[name]
    for case in image_cases(op):
        planes, last = case.args, tuple(map(channels_last, case.args))
        for rule in op.rules.values():
            found = []
            for args in (planes, last):
                results = outputs(op, args, case.kwargs)
                values = dict(zip(op.parameters, op.bind(args, case.kwargs)))
                values |= dict(zip(op.outputs or ("ans",), results)) | {"ans": results[0]}
                values |= {f"{key}_shape": np.shape(value) for key, value in list(values.items())
                           if isinstance(value, np.ndarray)}
                g = np.random.default_rng(1).standard_normal(results[0].shape)
                for cotangent in (g, channels_last(g)):
                    found.append(array_of(rule.function(cotangent, *(values[need] for need in rule.needs))))
            for other in found[1:]:
                np.testing.assert_allclose(found[0], other, rtol=1e-10, atol=1e-12)
