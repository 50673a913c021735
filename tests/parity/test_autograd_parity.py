"""Random programs of views, changes in place and arithmetic, run by the engine and by PyTorch side by
side.

A program keeps a list of tensors.  Each step takes one of them, makes a view, computes something new, or
changes it in place; a step that PyTorch refuses must be refused here.  At the end values,
``requires_grad``, ``is_leaf`` and all gradients are compared.
"""

import warnings

import numpy as np
import pytest
import torch

import tinygrad_hw as thw

VIEWS = [
    lambda x: x[0] if x.ndim else x.view(1),
    lambda x: x[..., 1:] if x.ndim and x.shape[-1] > 1 else x.unsqueeze(0),
    lambda x: x.transpose(0, -1) if x.ndim else x.view(()),
    lambda x: x.reshape(-1),
    lambda x: x.unsqueeze(-1),
    lambda x: x.squeeze(),
    lambda x: x.narrow(0, 0, max(x.shape[0] - 1, 1)) if x.ndim and x.shape[0] else x.unsqueeze(0),
    lambda x: x[::2] if x.ndim else x[...],
    lambda x: x.permute(tuple(reversed(range(x.ndim)))),
    lambda x: x.diagonal() if x.ndim >= 2 else x[...],
    lambda x: x.detach(),
]

FRESH = [
    lambda x, o: x * 2 + 1,
    lambda x, o: x * o,
    lambda x, o: x + o.detach(),
    lambda x, o: (x * 0.5).sin(),
    lambda x, o: x.clone(),
    lambda x, o: x.exp() * 0.1,
    lambda x, o: x.sum() + o,
    lambda x, o: x[[0, 0]] if x.ndim and x.shape[0] else x * 1,
    lambda x, o: x - x.mean(),
]

IN_PLACE = [
    lambda x, o: x.add_(1),
    lambda x, o: x.mul_(0.5),
    lambda x, o: x.add_(o),
    lambda x, o: x.mul_(o),
    lambda x, o: x.sin_(),
    lambda x, o: x.tanh_(),
    lambda x, o: x.zero_(),
    lambda x, o: x.copy_(o),
    lambda x, o: x.__setitem__(0, 0.25) if x.ndim else x.fill_(0.25),
    lambda x, o: x.__setitem__(0, o.sum() * 0.1) if x.ndim else x.copy_(o.sum()),
    lambda x, o: x.__setitem__(x > 0.5, 0.5),
    lambda x, o: x.__setitem__([0], o.mean()) if x.ndim else x.sub_(1),
    lambda x, o: x.__isub__(o),
]


def overlaps(x, o):
    """Whether PyTorch would refuse, or leave undefined, a change of x that reads o."""
    return x is not o and np.shares_memory(x.array, o.array) or x is o


class Program:
    """The two lists of tensors, ours and PyTorch's, kept in step."""

    def __init__(self, rng):
        self.rng, self.ours, self.theirs, self.log = rng, [], [], []
        for shape, requires_grad in (((2, 3), True), ((3,), True), ((), True), ((2, 3), False)):
            values = rng.uniform(-1, 1, shape)
            self.ours.append(thw.tensor(values, requires_grad=requires_grad))
            self.theirs.append(torch.tensor(values, requires_grad=requires_grad))
        self.leaves = len(self.ours)

    def step(self):
        rng = self.rng
        position, other = rng.integers(len(self.ours), size=2)
        kind = rng.choice(3, p=[0.35, 0.3, 0.35])
        which = rng.integers(len((VIEWS, FRESH, IN_PLACE)[kind]))
        change = (VIEWS, FRESH, IN_PLACE)[kind][which]
        x, o = self.ours[position], self.ours[other]
        if kind == 2 and overlaps(x, o):
            return
        arguments = (position,) if kind == 0 else (position, other)
        for i in arguments:  # PyTorch takes a changed view for a leaf until it is asked for its history
            getattr(self.theirs[i], "grad_fn")  # noqa: B009
        mine, error = attempt(change, [self.ours[i] for i in arguments])
        theirs, their_error = attempt(change, [self.theirs[i] for i in arguments])
        name = ("view", "fresh", "in place")[kind]
        self.log.append((name, int(which), *map(int, arguments), str(their_error)[:60]))
        self.same_outcome(error, their_error)
        if error is None and kind < 2:
            self.ours.append(mine)
            self.theirs.append(theirs)

    def same_outcome(self, error, their_error):
        text = f"{self.log}\nours: {error}\ntheirs: {their_error}"
        assert (error is None) == (their_error is None), text

    def compare(self):
        for i, (a, b) in enumerate(zip(self.ours, self.theirs)):
            where = f"tensor {i} of {self.log}"
            assert a.shape == tuple(b.shape), where
            mine, theirs = a.detach().numpy(), b.detach().numpy()
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=where)
            assert a.requires_grad == b.requires_grad, where
            assert a.is_leaf == b.is_leaf, where
            assert a._version == b._version, where

    def differentiate(self):
        def total(tensors):
            kept = [t for t in tensors if t.requires_grad]
            return sum((t * (i + 1)).sum() for i, t in enumerate(kept))

        _, error = attempt(lambda: total(self.ours).backward(), [])
        _, their_error = attempt(lambda: total(self.theirs).backward(), [])
        self.same_outcome(error, their_error)
        if error is not None:
            assert "modified by an inplace operation" in str(error)
            assert type(error) is type(their_error)
            return False
        for i in range(self.leaves):
            a, b = self.ours[i], self.theirs[i]
            if not a.is_leaf or not a.requires_grad:
                continue
            assert (a.grad is None) == (b.grad is None), self.log
            if a.grad is not None:
                mine, theirs = a.grad.numpy(), b.grad.numpy()
                np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9, err_msg=str(self.log))
        return True


def attempt(function, arguments):
    """Result and error of a call."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments), None
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        return None, error


@pytest.mark.parametrize("block", range(20))
def test_random_programs(block):
    differentiated = 0
    for seed in range(25):
        program = Program(np.random.default_rng([block, seed]))
        for _ in range(int(program.rng.integers(3, 14))):
            program.step()
        program.compare()
        differentiated += program.differentiate()
    assert differentiated > 5
