"""Rprop: steps whose sizes depend on the signs of the gradient only."""

from __future__ import annotations

import numpy as np

from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Resilient backpropagation: each number moves against its gradient's sign by its own step size.

    The size grows while the sign stays and shrinks where it flips; a number whose sign flipped rests for
    one step.  Meant for full batches: the noise of small ones flips signs.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: first step size.
        etas: factors for shrinking and growing.
        step_sizes: smallest and largest step size.
        capturable, foreach: accepted for PyTorch's sake, without effect.
        maximize: climb in place of descending.
        differentiable: not supported; must be False.

    Source: Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning, 1993.

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> p.grad = tensor([30.0])
    >>> Rprop([p], lr=0.25).step()
    >>> p
    tensor([0.7500], requires_grad=True)
    """

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False,
                 foreach=None, maximize=False, differentiable=False):
        self._check(lr=(lr, 0, None))
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}; they must satisfy 0 < first < "
                             "1 and 1 < second")
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach,
                                      maximize=maximize, differentiable=differentiable,
                                      capturable=capturable))

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        self._count(state)
        shrink, grow = group["etas"]
        previous = self._buffer(state, "prev", parameter)
        size = self._buffer(state, "step_size", parameter, float(group["lr"]))
        agreement = gradient * previous
        flipped = agreement < 0
        size *= np.where(flipped, shrink, np.where(agreement > 0, grow, 1)).astype(size.dtype)
        np.clip(size, *group["step_sizes"], out=size)
        previous[...] = np.where(flipped, 0, gradient)
        parameter -= np.sign(previous) * size
