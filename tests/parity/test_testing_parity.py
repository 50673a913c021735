"""The proof kit beside PyTorch's: the same signatures, and the same text of `assert_close`."""

import inspect
import re
import sys

import numpy as np
import pytest
import torch

import tinygrad_hw as thw

CASES = [
    lambda m: ((m.tensor([1.0, 2.0, 3.0]), m.tensor([1.0, 2.0, 3.1])), {}),
    lambda m: ((m.tensor(1.0), m.tensor(2.0)), {}),
    lambda m: ((m.tensor([0.0, 0.0]), m.tensor([1.0, 0.0])), {}),
    lambda m: ((m.tensor([1e-3]), m.tensor([0.0])), {}),
    lambda m: ((m.tensor([1.0]), m.tensor([1.0 + 1e-6], dtype=m.float64)), dict(check_dtype=False)),
    lambda m: ((m.tensor([1.0]), m.tensor([1.0 + 1e-4], dtype=m.float64)), dict(check_dtype=False)),
    lambda m: ((m.tensor([1.0]), m.tensor([1.0], dtype=m.float64)), {}),
    lambda m: ((m.tensor([float("nan"), 1.0]), m.tensor([float("nan"), 1.0])), {}),
    lambda m: ((m.tensor([float("inf"), 1.0]), m.tensor([1.0, 1.0])), {}),
    lambda m: ((m.tensor([1.0, 1.0]), m.tensor([float("inf"), 1.0])), {}),
    lambda m: ((m.tensor([1, 2]), m.tensor([1, 3])), {}),
    lambda m: ((m.tensor([1, 2]), m.tensor([1, 3])), dict(rtol=0.1, atol=0.1)),
    lambda m: ((m.tensor([True]), m.tensor([False])), {}),
    lambda m: ((m.tensor([1.0]), m.tensor([1.0, 2.0])), {}),
    lambda m: ((m.tensor([1.0]), [1.0]), {}),
    lambda m: ((m.tensor([[1.0, 2.0], [3.0, 4.0]]), m.tensor([[1.1, 2.0], [3.0, 40.0]])), {}),
    lambda m: (({"a": [m.tensor([1.0])]}, {"a": [m.tensor([2.0])]}), {}),
    lambda m: (({"a": 1}, {"b": 1}), {}),
    lambda m: (([1.0], [1.0, 2.0]), {}),
    lambda m: ((1, 2), {}), lambda m: ((1.0, 2.0), {}), lambda m: ((1, 1.0), {}),
    lambda m: ((None, 1), {}), lambda m: (("a", "a"), {}),
    lambda m: ((np.ones(2), 2 * np.ones(2)), dict(rtol=1)),
]


def outcome(module, build):
    """The error's type and text with numbers cut to 5 digits, which float32 decides."""
    args, options = build(module)
    try:
        module.testing.assert_close(*args, **options)
    except Exception as error:
        text = re.sub(r"\nAt index.*", "", str(error))  # our addition
        text = re.sub(r"tinygrad_hw\.(tensor\.)?|torch\.", "", text)
        return type(error), re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.5g}", text)
    return None


@pytest.mark.parametrize("build", CASES, ids=range(len(CASES)))
def test_assert_close_says_what_pytorch_says(build):
    assert outcome(thw, build) == outcome(torch, build)


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck"])
def test_arguments_and_defaults(name):
    theirs = inspect.signature(getattr(sys.modules["torch.autograd.gradcheck"], name)).parameters
    ours = inspect.signature(getattr(thw.autograd, name)).parameters
    assert list(ours)[:len(theirs)] == list(theirs)
    for key, parameter in theirs.items():
        assert (ours[key].default, ours[key].kind) == (parameter.default, parameter.kind), key
