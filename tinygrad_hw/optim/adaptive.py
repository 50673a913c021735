"""RMSprop, Adagrad and Adadelta: steps divided by a record of squared gradients."""

from __future__ import annotations

import numpy as np

from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: learning rate.
        alpha: decay of the mean.
        eps: added to the denominator.
        weight_decay: factor of the L2 penalty added to the gradient.
        momentum: factor of a running sum of steps.
        centered: divide by the standard deviation in place of the root mean square.
        capturable, foreach: accepted for PyTorch's sake, without effect.
        maximize: climb in place of descending.
        differentiable: not supported; must be False.

    Source: Tieleman and Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012.

    >>> from tinygrad_hw import tensor
    >>> RMSprop([tensor([1.0])]).param_groups[0]["alpha"]
    0.99
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
                 capturable=False, foreach=None, maximize=False, differentiable=False):
        self._check(lr=(lr, 0, None), eps=(eps, 0, None), momentum=(momentum, 0, None),
                    weight_decay=(weight_decay, 0, None), alpha=(alpha, 0, None))
        super().__init__(params, dict(lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered,
                                      weight_decay=weight_decay, capturable=capturable, foreach=foreach,
                                      maximize=maximize, differentiable=differentiable))

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        self._count(state)
        alpha = group["alpha"]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        square = self._buffer(state, "square_avg", parameter)
        square *= alpha
        square += (1 - alpha) * (gradient * gradient)
        if group["centered"]:
            mean = self._buffer(state, "grad_avg", parameter)
            mean += (1 - alpha) * (gradient - mean)
            scale = np.sqrt(square - mean * mean)
        else:
            scale = np.sqrt(square)
        direction = gradient / (scale + group["eps"])
        if group["momentum"]:
            buffer = self._buffer(state, "momentum_buffer", parameter)
            buffer *= group["momentum"]
            buffer += direction
            direction = buffer
        parameter -= float(group["lr"]) * direction


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: learning rate.
        lr_decay: the rate of step t is ``lr / (1 + (t - 1) * lr_decay)``.
        weight_decay: factor of the L2 penalty added to the gradient.
        initial_accumulator_value: what the sum starts from.
        eps: added to the denominator.
        foreach, fused: accepted for PyTorch's sake, without effect.
        maximize: climb in place of descending.
        differentiable: not supported; must be False.

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011.

    >>> from tinygrad_hw import tensor
    >>> Adagrad([tensor([1.0])]).param_groups[0]["eps"]
    1e-10
    """

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0,
                 eps=1e-10, foreach=None, *, maximize=False, differentiable=False, fused=None):
        self._check(lr=(lr, 0, None), lr_decay=(lr_decay, 0, None), weight_decay=(weight_decay, 0, None),
                    initial_accumulator_value=(initial_accumulator_value, 0, None), eps=(eps, 0, None))
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value,
                                      foreach=foreach, maximize=maximize, differentiable=differentiable,
                                      fused=fused))
        for group in self.param_groups:
            for parameter in group["params"]:
                self._start(self.state[parameter], parameter.array)

    def _start(self, state, parameter):
        """The sum and the number of steps so far, made if this parameter is new."""
        count = self._scalar(state, "step", 0.0)
        return count, self._buffer(state, "sum", parameter, self.defaults["initial_accumulator_value"])

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        count, total = self._start(state, parameter)
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        total += gradient * gradient
        rate = float(group["lr"]) / (1 + float(count) * group["lr_decay"])
        count += 1
        parameter -= rate * gradient / (np.sqrt(total) + group["eps"])


class Adadelta(Optimizer):
    """Steps in the ratio of the running root mean squares of steps and gradients.

    Args:
        params: Tensors, or dicts of parameter groups.
        lr: factor of the step.
        rho: decay of both means.
        eps: added under both roots.
        weight_decay: factor of the L2 penalty added to the gradient.
        foreach, capturable: accepted for PyTorch's sake, without effect.
        maximize: climb in place of descending.
        differentiable: not supported; must be False.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.

    >>> from tinygrad_hw import tensor
    >>> Adadelta([tensor([1.0])]).param_groups[0]["rho"]
    0.9
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
                 capturable=False, maximize=False, differentiable=False):
        self._check(lr=(lr, 0, None), eps=(eps, 0, None), weight_decay=(weight_decay, 0, None))
        if not 0 <= rho <= 1:
            raise ValueError(f"Invalid rho value: {rho}; it must be in [0, 1]")
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay,
                                      maximize=maximize, capturable=capturable, foreach=foreach,
                                      differentiable=differentiable))

    def update(self, parameter, gradient, state, group):
        """One step of one parameter; see `Optimizer.update`."""
        self._count(state)
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * parameter
        square = self._buffer(state, "square_avg", parameter)
        steps = self._buffer(state, "acc_delta", parameter)
        square *= rho
        square += (1 - rho) * (gradient * gradient)
        change = np.sqrt(steps + eps) / np.sqrt(square + eps) * gradient
        steps *= rho
        steps += (1 - rho) * (change * change)
        parameter -= float(group["lr"]) * change
