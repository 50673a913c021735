"""Write a sequence of steps once, as a function of the library, and compare what it reports.

A scenario yields facts: plain values, Tensors, Modules (compared by how they print) and errors (compared
by type).  `caught` turns an error into a fact, `text` into its type and message.
"""

import re
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

MODULES = (thw.nn.Module, torch.nn.Module)
TENSORS = (thw.Tensor, torch.Tensor)


def caught(action, *args, **kwargs):
    """The error that a call raises, or None."""
    try:
        action(*args, **kwargs)
    except Exception as error:  # every error of PyTorch's is what ours is compared with
        return error
    return None


def without_library(value):
    """Text in which names of classes stand without their modules."""
    return re.sub(r"(torch|tinygrad_hw)\.(\w+\.)*", "", str(value)).strip()


def text(action, *args, **kwargs):
    """Type and message of the error that a call raises."""
    error = caught(action, *args, **kwargs)
    return type(error).__name__, without_library(error)


def assert_same(ours, theirs, where):
    """The same fact, whatever it is."""
    message = f"{where}: {ours!r}, in PyTorch {theirs!r}"
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), message
    elif isinstance(theirs, TENSORS):
        mine, other = ours.detach().numpy(), theirs.detach().numpy()
        assert (mine.dtype, mine.shape, ours.requires_grad) == (
            other.dtype,
            other.shape,
            theirs.requires_grad,
        ), message
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5, err_msg=message)
    elif isinstance(theirs, MODULES):
        assert without_library(repr(ours)) == without_library(repr(theirs)), where
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs), message
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{where}[{key!r}]")
    elif isinstance(theirs, type):
        assert ours.__name__ == theirs.__name__, message
    elif isinstance(theirs, (list, tuple)):
        assert isinstance(ours, (list, tuple)) and len(ours) == len(theirs), message
        for position, (mine, other) in enumerate(zip(ours, theirs)):
            assert_same(mine, other, f"{where}[{position}]")
    elif isinstance(theirs, str):
        assert without_library(ours) == without_library(theirs), message
    else:
        assert ours == theirs, message


def compare(scenario):
    """Run a scenario with both libraries, fact by fact; every fact is the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (mine, other) in enumerate(zip(scenario(thw), scenario(torch))):
            assert_same(mine, other, f"fact {number}")


def scenario(function):
    """Mark a generator function of the library as a scenario."""
    function.is_scenario = True
    return function


def scenarios(namespace):
    """The scenarios among the names of a module, for `pytest.mark.parametrize`."""
    return [
        pytest.param(f, id=name) for name, f in namespace.items() if getattr(f, "is_scenario", False)
    ]
