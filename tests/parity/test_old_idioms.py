"""Idioms of PyTorch's first years, and mistakes of homework, that end alike in both libraries."""

import warnings

import numpy as np
import pytest
from side_by_side import BOTH

torch = pytest.importorskip("torch")

ALIKE = {
    "factor first, add_": lambda t: t.ones(2).add_(-0.1, t.ones(2)),
    "factor first, add": lambda t: t.ones(2).add(2, t.ones(2)),
    "factor first, sub_": lambda t: t.ones(2).sub_(0.5, t.ones(2)),
    "factor first, addcmul_": lambda t: t.ones(2).addcmul_(0.5, t.ones(2), t.ones(2)),
    "factor first, addcdiv": lambda t: t.ones(2).addcdiv(0.5, t.ones(2), t.ones(2)),
    "factor last": lambda t: t.ones(2).add_(t.ones(2), 2),
    "two numbers": lambda t: t.ones(2).add_(1, 2),
    "alpha by name": lambda t: t.ones(2).add(t.ones(2), alpha=3),
    "seed as text": lambda t: t.manual_seed("5").initial_seed(),
    "seed as a word": lambda t: t.manual_seed("a"),
    "text beside numbers": lambda t: t.tensor([1, "a"]),
    "texts": lambda t: t.tensor(["a"]),
    "number beside a list": lambda t: t.tensor([1, [2]]),
    "list beside a number": lambda t: t.tensor([[1, 2], 3]),
    "uneven lists": lambda t: t.tensor([[1, 2], [3]]),
    "too large an integer": lambda t: t.tensor(2**63),
    "keyword tensors": lambda t: t.cat(tensors=(t.ones(1), t.zeros(1)), axis=0),
    "keyword input": lambda t: t.unsqueeze(input=t.ones(2), dim=0),
    "keyword size": lambda t: t.ones(6).view(size=(3, 2)).shape,
    "stride as text": lambda t: t.nn.functional.conv2d(t.ones(1, 1, 3, 3), t.ones(1, 1, 2, 2), stride="a"),
    "convolution of bools": lambda t: t.nn.functional.conv2d(t.ones(1, 1, 3, 3).bool(),
                                                             t.ones(1, 1, 2, 2).bool()),
    "a Function called": lambda t: type("Double", (t.autograd.Function,), {})()(t.ones(1)),
    "element of data": lambda t: t.ones(1, requires_grad=True).sum().data[0],
    "sum with two dims": lambda t: t.ones(2, 3, 4).sum(1, 2),
    "max with names": lambda t: t.tensor([[1.0, 3.0]]).max(dim=1, keepdim=True),
}


def outcome(call, library):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return repr(call(library)).replace("tinygrad_hw", "torch")
        except Exception as error:
            return type(error)


@pytest.mark.parametrize("name", ALIKE)
def test_ends_alike(name):
    theirs, ours = (outcome(ALIKE[name], library) for library in BOTH)
    assert ours == theirs


def test_the_factor_first_warns():
    for library in BOTH[1:]:
        x = library.ones(2, requires_grad=True)
        (x * 3).sum().backward()
        with pytest.warns(UserWarning, match=r"This overload of add_ is deprecated.*alpha=-0.1"):
            x.data.add_(-0.1, x.grad.data)
        np.testing.assert_allclose(x.detach(), 0.7)
