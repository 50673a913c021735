"""Every op called with all arguments by name gives what it gives by position."""

import inspect

import numpy as np
import pytest

import tinygrad_hw as torch
from ops.core import TABLE, array_of


def takes_names(op):
    kinds = {parameter.kind for parameter in inspect.signature(op.forward).parameters.values()}
    return op.samples and not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def tensors(value):
    """Tensors for arrays, sequences included."""
    if type(value) in (tuple, list):
        return type(value)(map(tensors, value))
    return torch.from_numpy(np.array(value)) if isinstance(value, (np.ndarray, np.generic)) else value


def outputs(function, *args, **kwargs):
    """The arrays that a call returns, with the random numbers of seed 0."""
    torch.manual_seed(0)
    result = function(*args, **kwargs)
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [np.asarray(array_of(one)) for one in several if one is not None]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(name for name, op in TABLE.items() if takes_names(op)))
def test_by_name(name):
    op = TABLE[name]
    case = next(iter(op.samples(np.random.default_rng(0))))
    kwargs = {key: tensors(value) for key, value in case.kwargs.items()}
    by_position = outputs(op, *tensors(list(case.args)), **kwargs)
    by_name = outputs(op, **dict(zip(op.parameters, tensors(list(case.args)))), **kwargs)
    for first, second in zip(by_position, by_name, strict=True):
        np.testing.assert_array_equal(first, second)


def test_gradients_and_views_by_name():
    x = torch.arange(6.0, requires_grad=True)
    rows = torch.reshape(input=x * 1, shape=(2, 3))
    joined = torch.cat(tensors=(rows, torch.unsqueeze(input=rows[0], dim=0)), axis=0)
    assert rows._base is not None and joined.shape == (3, 3)
    torch.sum(input=joined).backward()
    assert x.grad.tolist() == [2, 2, 2, 1, 1, 1]
    assert x.view(size=(3, 2)).shape == (3, 2)
