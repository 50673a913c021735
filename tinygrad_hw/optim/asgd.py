"""ASGD: gradient descent that also averages the parameters."""

from __future__ import annotations

from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """Averaged gradient descent: ``p *= 1 - lambd * eta; p -= eta * g`` with a rate eta that decays.

    From step ``t0`` on, ``state[p]["ax"]`` is the running mean of the parameters, before that it is the
    latest parameter.  The rate of step t + 1 is ``lr / (1 + lambd * lr * t) ** alpha``.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: learning rate.
        lambd: decay of the rate and of the parameters.
        alpha: power of the rate's decay.
        t0: step at which the averaging starts.
        weight_decay: factor of the L2 penalty added to the gradient.
        foreach, capturable: accepted for PyTorch's sake, without effect.
        maximize: climb in place of descending.
        differentiable: not supported; must be False.

    Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> p.grad = tensor([2.0])
    >>> ASGD([p], lr=0.25, lambd=0.0).step()
    >>> p
    tensor([0.5000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None,
                 maximize=False, differentiable=False, capturable=False):
        self._check(lr=(lr, 0, None), weight_decay=(weight_decay, 0, None))
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay,
                                      foreach=foreach, maximize=maximize, differentiable=differentiable,
                                      capturable=capturable))

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        lr, lambd = float(group["lr"]), group["lambd"]
        step = self._count(state)
        eta, share = self._scalar(state, "eta", lr), self._scalar(state, "mu", 1.0)
        mean = self._buffer(state, "ax", parameter)
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        parameter *= 1 - lambd * float(eta)
        parameter -= float(eta) * gradient
        if share == 1:
            mean[...] = parameter
        else:
            mean += float(share) * (parameter - mean)
        eta[...] = lr / (1 + lambd * lr * step) ** group["alpha"]
        share[...] = 1 / max(1, step - group["t0"])
