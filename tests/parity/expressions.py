"""Run one expression in the engine and in PyTorch and compare everything about the results.

An expression is a line of Python in which ``torch`` is one library or the other.  Values, dtypes,
shapes, Python types and the types of errors must agree.
"""

import copy
import operator
import pickle
import warnings

import numpy as np
import pytest
import torch

import tinygrad_hw as thw


def floats(library):
    """A small matrix for the expressions."""
    return library.tensor([[1.5, -2.5], [0.0, 4.0]])


def numbers(array):
    """The values of an array as text, floats to the precision of float32 and zeros without a sign."""
    flat = array.reshape(-1).tolist()
    return [f"{v + 0.0:.5g}" for v in flat] if array.dtype.kind == "f" else flat


def describe(value):
    """A result in a form that both libraries share."""
    if isinstance(value, (torch.Tensor, thw.Tensor)):
        array = value.detach().numpy()
        return type(value).__name__, str(array.dtype), array.shape, numbers(array), value.requires_grad
    if isinstance(value, (tuple, list)):
        return [describe(item) for item in value]
    if isinstance(value, np.ndarray):
        return "ndarray", str(value.dtype), value.shape, numbers(value)
    if isinstance(value, (torch.dtype, thw.dtype, torch.device, thw.device, str)):
        return str(value).replace("tinygrad_hw", "torch")
    return type(value).__name__, value


def outcome(expression, library):
    """The described result of an expression or of a function of the library, or the error it raised."""
    names = dict(torch=library, np=np, copy=copy, pickle=pickle, operator=operator, floats=floats)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = expression(library) if callable(expression) else eval(expression, names)
            return "result", repr(describe(result))
    except Exception as error:  # whatever PyTorch raises is to be raised here
        return "error", type(error)


def check(expression):
    """Both libraries give the same result, or errors of the same type."""
    theirs, ours = outcome(expression, torch), outcome(expression, thw)
    if theirs[0] == ours[0] == "error":
        text = f"PyTorch raises {theirs[1].__name__}, we raise {ours[1].__name__}"
        assert issubclass(ours[1], theirs[1]), text
    else:
        assert ours == theirs


def expressions(text):
    """Parametrize a test with the lines of a text."""
    return pytest.mark.parametrize("expression", [line.strip() for line in text.strip().splitlines()])
