"""Adam and its relatives: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

import math

import numpy as np

from ops.update import adam_step
from tinygrad_hw.optim.optimizer import Optimizer
from tinygrad_hw.tensor import Tensor

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


class _Moments(Optimizer):
    """What the family shares: checks, weight decay, and the two running means."""

    decoupled = False
    """Whether weight decay shrinks the parameter itself in place of adding to its gradient."""

    def __init__(self, params, lr, betas, eps, weight_decay, **options):
        self._check(lr=(lr, 0, None), eps=(eps, 0, None), weight_decay=(weight_decay, 0, None))
        self._check(**{f"beta parameter at index {i}": (beta, 0, 1) for i, beta in enumerate(betas[:2])})
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, **options))

    def _decayed(self, parameter, gradient, group):
        """Apply weight decay; returns the gradient to go on with."""
        if not group["weight_decay"]:
            return gradient
        if group.get("decoupled_weight_decay", self.decoupled):
            parameter *= 1 - float(group["lr"]) * group["weight_decay"]
            return gradient
        return gradient + group["weight_decay"] * parameter

    def _means(self, state, gradient, group):
        """Update the running means of the gradient and of its square."""
        beta1, beta2 = map(float, group["betas"])
        mean = self._buffer(state, "exp_avg", gradient)
        square = self._buffer(state, "exp_avg_sq", gradient)
        mean += (1 - beta1) * (gradient - mean)
        square *= beta2
        square += (1 - beta2) * (gradient * gradient)
        return mean, square


class Adam(_Moments):
    """Adam: ``p -= lr * m / (sqrt(v) + eps)`` with bias-corrected running means m of g and v of g * g.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: learning rate.
        betas: decay of the two means.
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty added to the gradient.
        amsgrad: divide by the largest v so far.
        maximize: climb in place of descending.
        foreach, capturable, fused: accepted for PyTorch's sake, without effect.
        differentiable: not supported; must be False.
        decoupled_weight_decay: shrink the parameters in place of adding to the gradient.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014.

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> _ = optimizer.step()
    >>> p
    tensor([0.9000], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *,
                 foreach=None, maximize=False, capturable=False, differentiable=False, fused=None,
                 decoupled_weight_decay=False):
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError(f"betas must be either both floats or both Tensors, but got {betas}")
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad=amsgrad, maximize=maximize,
                         foreach=foreach, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=decoupled_weight_decay)

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        self._update_all([(parameter, gradient, state)], group, maximize=False)

    def update_group(self, entries, group):
        """One step of all parameters of a group; see `Optimizer.update_group`."""
        self._update_all(entries, group, group["maximize"])

    def _update_all(self, entries, group, maximize):
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[:3 if group["amsgrad"] else 2]
        options = dict(lr=float(group["lr"]), betas=tuple(map(float, group["betas"])), maximize=maximize,
                       eps=float(group["eps"]), weight_decay=float(group["weight_decay"]),
                       decoupled=group["decoupled_weight_decay"])
        rows, rows_step = [], None
        for parameter, gradient, state in entries:
            step = self._count(state)
            if len(state) <= len(names):
                for name in names:
                    self._buffer(state, name, parameter)
            if rows and step != rows_step:  # a parameter that had no gradient in some step counts fewer
                adam_step(rows, rows_step, **options)
                rows = []
            rows_step = step
            row = [parameter, gradient, state["exp_avg"].array, state["exp_avg_sq"].array]
            if group["amsgrad"]:
                row.append(state["max_exp_avg_sq"].array)
            rows.append(row)
        adam_step(rows, rows_step, **options)


class AdamW(Adam):
    """Adam with decoupled weight decay: ``p *= 1 - lr * weight_decay`` before each step.

    The arguments are those of `Adam`.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.

    >>> from tinygrad_hw import tensor
    >>> AdamW([tensor([1.0])]).param_groups[0]["weight_decay"]
    0.01
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False,
                 *, maximize=False, foreach=None, capturable=False, differentiable=False, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:  # also when the state was saved by Adam
            group["decoupled_weight_decay"] = True


class NAdam(_Moments):
    """Adam with Nesterov momentum.

    Args:
        momentum_decay: how fast the momentum grows towards its full value.
        decoupled_weight_decay: shrink the parameters in place of adding to the gradient.
        The others are those of `Adam`.

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016.

    >>> from tinygrad_hw import tensor
    >>> NAdam([tensor([1.0])]).param_groups[0]["lr"]
    0.002
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 momentum_decay=4e-3, decoupled_weight_decay=False, *, foreach=None, maximize=False,
                 capturable=False, differentiable=False):
        self._check(momentum_decay=(momentum_decay, 0, None))
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay=momentum_decay,
                         decoupled_weight_decay=decoupled_weight_decay, maximize=maximize,
                         foreach=foreach, capturable=capturable, differentiable=differentiable)

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        step = self._count(state)
        beta1, beta2 = map(float, group["betas"])
        lr, decay = float(group["lr"]), group["momentum_decay"]
        gradient = self._decayed(parameter, gradient, group)
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
        product = self._scalar(state, "mu_product", 1.0)
        product *= mu
        mean, square = self._means(state, gradient, group)
        denominator = np.sqrt(square / (1 - beta2 ** step)) + group["eps"]
        parameter -= lr * (1 - mu) / (1 - float(product)) * gradient / denominator
        parameter -= lr * mu_next / (1 - float(product) * mu_next) * mean / denominator


class RAdam(_Moments):
    """Adam whose adaptive step waits until its variance is known.

    The arguments are those of `NAdam` without ``momentum_decay``.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2019.

    >>> from tinygrad_hw import tensor
    >>> RAdam([tensor([1.0])]).param_groups[0]["lr"]
    0.001
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
                 differentiable=False):
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize, foreach=foreach,
                         capturable=capturable, decoupled_weight_decay=decoupled_weight_decay,
                         differentiable=differentiable)

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        step = self._count(state)
        beta1, beta2 = map(float, group["betas"])
        gradient = self._decayed(parameter, gradient, group)
        mean, square = self._means(state, gradient, group)
        correction = 1 - beta2 ** step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2 ** step / correction
        size = float(group["lr"]) / (1 - beta1 ** step)
        if length > 5:
            size *= math.sqrt((length - 4) * (length - 2) * longest
                              / ((longest - 4) * (longest - 2) * length))
            parameter -= size * math.sqrt(correction) * mean / (np.sqrt(square) + group["eps"])
        else:
            parameter -= size * mean


class Adamax(_Moments):
    """Adam with the largest recent gradient in place of the root mean square; arguments as `Adam`.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014, section 7.

    >>> from tinygrad_hw import tensor
    >>> Adamax([tensor([1.0])]).param_groups[0]["lr"]
    0.002
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *,
                 maximize=False, differentiable=False, capturable=False):
        super().__init__(params, lr, betas, eps, weight_decay, foreach=foreach, maximize=maximize,
                         differentiable=differentiable, capturable=capturable)

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        step = self._count(state)
        beta1, beta2 = map(float, group["betas"])
        gradient = self._decayed(parameter, gradient, group)
        mean = self._buffer(state, "exp_avg", gradient)
        largest = self._buffer(state, "exp_inf", gradient)
        mean += (1 - beta1) * (gradient - mean)
        np.maximum(beta2 * largest, np.abs(gradient) + group["eps"], out=largest)
        parameter -= float(group["lr"]) / (1 - beta1 ** step) * mean / largest
