"""Averages of weights over training: `AveragedModel`, its schedule `SWALR`, and `update_bn`.

Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407
"""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np

from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.normalization import _BatchNorm
from tinygrad_hw.optim.lr_scheduler.base import LRScheduler, per_group
from tinygrad_hw.tensor import Tensor

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_swa_avg_fn", "update_bn"]


def get_swa_avg_fn():
    """The plain mean: ``average + (new - average) / (count + 1)``.

    >>> get_swa_avg_fn()(1.0, 3.0, 1)
    2.0
    """
    return lambda average, new, count: average + (new - average) / (count + 1)


def get_ema_avg_fn(decay: float = 0.999):
    """The exponential moving average: ``decay * average + (1 - decay) * new``.

    >>> get_ema_avg_fn(0.5)(1.0, 3.0, 1)
    2.0
    """
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")
    return lambda average, new, count: decay * average + (1 - decay) * new


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those that the model has had.

    Args:
        model: the model in training.
        device: the CPU.
        avg_fn: ``avg_fn(average, new, count)`` for each parameter; by default the mean.
        use_buffers: average the buffers, too; else they are copied.

    >>> from tinygrad_hw import nn
    >>> model = nn.Linear(1, 1)
    >>> averaged = AveragedModel(model)
    >>> for value in (1.0, 3.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item(), averaged.n_averaged.item()
    (2.0, 2)
    """

    def __init__(self, model: Module, device=None, avg_fn=None, multi_avg_fn=None, use_buffers: bool = False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", Tensor._wrap(np.array(0)))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> list:
        buffers = model.buffers() if self.use_buffers else ()
        return list(itertools.chain(model.parameters(), buffers))

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average."""
        pairs = list(zip(self._averaged(self.module), self._averaged(model)))
        count = self.n_averaged.item()
        if count and self.multi_avg_fn is not None:
            self.multi_avg_fn([mine for mine, _ in pairs], [new for _, new in pairs], self.n_averaged)
        else:
            average = self.avg_fn or get_swa_avg_fn()
            for mine, new in pairs:
                mine.copy_(average(mine.detach(), new.detach(), count) if count else new.detach())
        if not self.use_buffers:
            for mine, new in zip(self.module.buffers(), model.buffers()):
                mine.copy_(new)
        self.n_averaged += 1


@no_grad()
def update_bn(loader, model: Module, device=None) -> None:
    """Compute the running statistics of all batch norms anew, by one pass over the loader.

    Args:
        loader: of inputs, or of tuples and lists that begin with them.
        model: is left in the mode that it was in.
        device: the CPU.

    >>> from tinygrad_hw import nn, tensor
    >>> layer = nn.BatchNorm1d(1)
    >>> update_bn([tensor([[1.0], [3.0]])], layer)
    >>> layer.running_mean
    tensor([2.])
    """
    momenta = {layer: layer.momentum for layer in model.modules() if isinstance(layer, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for layer in momenta:
        layer.reset_running_stats()
        layer.momentum = None  # the plain average of all batches
    for batch in loader:
        inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for layer, momentum in momenta.items():
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes from its present value to ``swa_lr`` in ``anneal_epochs``, and stays there.

    Args:
        optimizer: whose rates to set.
        swa_lr: the last rate, a number or one for each group.
        anneal_epochs: how long it takes.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: epoch to resume after; -1 to begin.

    >>> from tinygrad_hw import optim, tensor
    >>> optimizer = optim.SGD([tensor([1.0])], lr=1.0)
    >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs: int = 10, anneal_strategy: str = "cos",
                 last_epoch: int = -1):
        for group, rate in zip(optimizer.param_groups, per_group("swa_lr", swa_lr, optimizer)):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must by one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        """How much ``swa_lr`` counts in an epoch."""
        part = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return part if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * part)) / 2

    def _rates(self) -> list:
        epoch = self._step_count - 1
        if self.anneal_epochs == 0:
            epoch = max(1, epoch)
        before, now = self._share(epoch - 1), self._share(epoch)
        rates = []
        for group in self.optimizer.param_groups:
            rate, last = group["lr"], group["swa_lr"]
            first = last if before == 1 else (rate - before * last) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates
