"""Stochastic gradient descent with momentum."""

from __future__ import annotations

import numpy as np

from ops.update import sgd_step
from tinygrad_hw.optim.optimizer import Optimizer
from tinygrad_hw.tensor import Tensor

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent: ``p -= lr * g``, or along a running sum of gradients.

    With momentum the buffer starts as the first gradient and continues as
    ``b = momentum * b + (1 - dampening) * g``; Nesterov steps along ``g + momentum * b``.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: learning rate.
        momentum, dampening: factors of the buffer and of the new gradient.
        weight_decay: factor of the L2 penalty added to the gradient.
        nesterov: look ahead; needs momentum and no dampening.
        maximize: climb in place of descending.
        foreach, fused: accepted for PyTorch's sake, without effect.
        differentiable: not supported; must be False.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> _ = optimizer.step()
    >>> p
    tensor([0.8000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
                 maximize=False, foreach=None, differentiable=False, fused=None):
        self._check(lr=(lr, 0, None), momentum=(momentum, 0, None), weight_decay=(weight_decay, 0, None))
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening, got "
                             f"momentum={momentum}, dampening={dampening}")
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening,
                                      weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
                                      foreach=foreach, differentiable=differentiable, fused=fused))

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        self._update_all([(parameter, gradient, state)], group, maximize=False)

    def update_group(self, entries, group):
        """One step of all parameters of a group; see `Optimizer.update_group`."""
        self._update_all(entries, group, group["maximize"])

    def _update_all(self, entries, group, maximize):
        options = dict(lr=float(group["lr"]), momentum=float(group["momentum"]),
                       dampening=float(group["dampening"]), weight_decay=float(group["weight_decay"]),
                       nesterov=group["nesterov"], maximize=maximize)
        if not group["momentum"]:
            sgd_step([entry[:2] for entry in entries], **options)
            return
        rows = []
        for parameter, gradient, state in entries:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = Tensor._wrap(np.empty_like(parameter, gradient.dtype))
                sgd_step([(parameter, gradient, buffer.array)], **options, starts=True)
                state["momentum_buffer"] = buffer
            else:
                rows.append((parameter, gradient, buffer.array))
        sgd_step(rows, **options)
