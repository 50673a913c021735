"""Schedules along a half cosine wave."""

from __future__ import annotations

import math

from tinygrad_hw.optim.lr_scheduler.base import LRScheduler, group_values
from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """``lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``, in chainable form.

    Past ``T_max`` the rate rises again along the same wave.

    Args:
        optimizer: whose rates to set.
        T_max: epochs from the initial rate to the lowest.
        eta_min: lowest rate.
        last_epoch: epoch to resume after; -1 to begin.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    >>> from tinygrad_hw import optim, tensor
    >>> optimizer = optim.SGD([tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list:
        current = group_values(self.optimizer, "lr")
        if self._is_initial:
            return current
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # the rate was at its lowest, where a ratio to it would be 0 / 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            both = zip(current, self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * rise for rate, base in both]
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        height_before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return [height / height_before * (rate - self.eta_min) + self.eta_min for rate in current]

    def _get_closed_form_lr(self) -> list:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (rate - self.eta_min) * height / 2 for rate in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """``lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``, begun anew and anew.

    ``T_cur`` counts the epochs since the last restart; the next one comes after ``T_i`` epochs, which
    starts at ``T_0`` and grows by the factor ``T_mult`` each time.

    Args:
        optimizer: whose rates to set.
        T_0: epochs until the first restart.
        T_mult: factor of the period at a restart.
        eta_min: lowest rate.
        last_epoch: epoch to resume after; -1 to begin.

    Raises:
        ValueError: if ``T_0`` is not a positive integer, ``T_mult`` not an integer >= 1, or ``eta_min``
            no number.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    >>> from tinygrad_hw import optim, tensor
    >>> scheduler = CosineAnnealingWarmRestarts(optim.SGD([tensor([1.0])], lr=1.0), T_0=2, T_mult=2)
    >>> rates = scheduler.get_last_lr()
    >>> for _ in range(3):
    ...     scheduler.step()
    ...     rates += scheduler.get_last_lr()
    >>> [round(rate, 3) for rate in rates]
    [1.0, 0.5, 1.0, 0.854]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1):
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type "
                             f"{type(eta_min).__name__}")
        self.T_0 = self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list:
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (rate - self.eta_min) * height / 2 for rate in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch and set its rates.

        Args:
            epoch: epoch to jump to; ``epoch + batch / batches`` changes the rate within an epoch.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._jump(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr)

    def _jump(self, epoch: float) -> None:
        """Find the period of ``epoch``; n of them take ``T_0 * (T_mult ** n - 1) / (T_mult - 1)``."""
        if epoch < self.T_0:
            self.T_cur, self.T_i = epoch, self.T_0
        elif self.T_mult == 1:
            self.T_cur, self.T_i = epoch % self.T_0, self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_i = self.T_0 * self.T_mult ** restarts
            self.T_cur = epoch - (self.T_i - self.T_0) / (self.T_mult - 1)
